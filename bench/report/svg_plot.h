// Plots with two logarithmic axes, and bars, as inline SVG of a page whose style is in
// bench_html.cpp.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace lockstep::bench {

struct PlotPoint {
  double x = 0;
  double y = 0;
  std::string tooltip;
};

struct PlotSeries {
  std::string name;
  std::string css_class;   // "s0" to "s6": colours
  bool is_line = false;    // connects the points; otherwise each is a mark
  bool is_square = false;  // the mark's shape
  std::vector<PlotPoint> points;
};

// Axes reach over all points, which must be positive; others are left out. Empty where none is.
// Every series with a name is in the legend below.
std::string log_plot(const std::string& x_title, const std::string& y_title,
                     const std::vector<PlotSeries>& series);

// A horizontal bar of `share` (0 to 1) of its full width, with a mark at `mark` (negative: none).
std::string bar(double share, double mark, const std::string& css_class,
                const std::string& tooltip);

}  // namespace lockstep::bench
