#include "bench/report/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "conformance/text.h"

namespace lockstep::bench {
namespace {

using conformance::escape_markup;

constexpr double kWidth = 860;
constexpr double kHeight = 420;
constexpr double kLeft = 64;
constexpr double kRight = 16;
constexpr double kTop = 14;
constexpr double kBottom = 46;

// A logarithmic axis over whole decades' halves.
struct Axis {
  double low = 0;  // logarithms to the base 10
  double high = 1;
  double from = 0;  // where they are drawn
  double to = 1;

  double place(double value) const {
    return from + (std::log10(value) - low) / (high - low) * (to - from);
  }
};

Axis axis_over(const std::vector<double>& values, double from, double to) {
  Axis axis{.low = 1e9, .high = -1e9, .from = from, .to = to};
  for (const double value : values) {
    axis.low = std::min(axis.low, std::log10(value));
    axis.high = std::max(axis.high, std::log10(value));
  }
  // Some room on both sides, and never a single point.
  const double room = std::max((axis.high - axis.low) * 0.06, 0.1);
  axis.low -= room;
  axis.high += room;
  return axis;
}

bool is_drawable(const PlotPoint& point) {
  return point.x > 0 && point.y > 0 && std::isfinite(point.x) && std::isfinite(point.y);
}

// "0.001", "20", "5000"
std::string tick_text(double value) { return fmt::format("{:.6g}", value); }

// 1, 2 and 5 of every decade; only 1 where there are many.
std::vector<double> ticks_of(const Axis& axis) {
  const std::vector<double> leading =
      axis.high - axis.low > 3 ? std::vector<double>{1} : std::vector<double>{1, 2, 5};
  std::vector<double> ticks;
  for (int decade = static_cast<int>(std::floor(axis.low)); decade <= axis.high; ++decade) {
    for (const double digit : leading) {
      const double value = digit * std::pow(10.0, decade);
      if (std::log10(value) >= axis.low && std::log10(value) <= axis.high) ticks.push_back(value);
    }
  }
  return ticks;
}

void draw_axes(std::string& svg, const Axis& x, const Axis& y, const std::string& x_title,
               const std::string& y_title) {
  auto out = std::back_inserter(svg);
  for (const double tick : ticks_of(x)) {
    fmt::format_to(out, "<path class=\"tick\" d=\"M{0:.1f} {1:.1f}V{2:.1f}\"/>", x.place(tick),
                   y.from, y.to);
    fmt::format_to(out, "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>",
                   x.place(tick), y.from + 16, tick_text(tick));
  }
  for (const double tick : ticks_of(y)) {
    fmt::format_to(out, "<path class=\"tick\" d=\"M{0:.1f} {1:.1f}H{2:.1f}\"/>", x.from,
                   y.place(tick), x.to);
    fmt::format_to(out, "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", x.from - 6,
                   y.place(tick) + 4, tick_text(tick));
  }
  fmt::format_to(out,
                 "<text class=\"title\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>",
                 (x.from + x.to) / 2, kHeight - 8, escape_markup(x_title));
  fmt::format_to(out,
                 "<text class=\"title\" transform=\"translate(14 {:.1f}) rotate(-90)\" "
                 "text-anchor=\"middle\">{}</text>",
                 (y.from + y.to) / 2, escape_markup(y_title));
}

void draw_series(std::string& svg, const Axis& x, const Axis& y, const PlotSeries& series) {
  auto out = std::back_inserter(svg);
  if (series.is_line) {
    fmt::format_to(out, "<path class=\"line {}\" d=\"", series.css_class);
    const char* command = "M";
    for (const PlotPoint& point : series.points) {
      if (!is_drawable(point)) continue;
      fmt::format_to(out, "{}{:.1f} {:.1f}", command, x.place(point.x), y.place(point.y));
      command = "L";
    }
    svg += "\"/>";
    return;
  }
  for (const PlotPoint& point : series.points) {
    if (!is_drawable(point)) continue;
    constexpr double kRadius = 4.5;
    const double left = x.place(point.x);
    const double top = y.place(point.y);
    if (series.is_square) {
      fmt::format_to(
          out, "<rect class=\"mark {}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\">",
          series.css_class, left - kRadius + 0.5, top - kRadius + 0.5, 2 * kRadius - 1,
          2 * kRadius - 1);
    } else {
      fmt::format_to(out, "<circle class=\"mark {}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\">",
                     series.css_class, left, top, kRadius);
    }
    fmt::format_to(out, "<title>{}</title></{}>", escape_markup(point.tooltip),
                   series.is_square ? "rect" : "circle");
  }
}

}  // namespace

std::string log_plot(const std::string& x_title, const std::string& y_title,
                     const std::vector<PlotSeries>& series) {
  std::vector<double> xs;
  std::vector<double> ys;
  for (const PlotSeries& each : series) {
    for (const PlotPoint& point : each.points) {
      if (!is_drawable(point)) continue;
      xs.push_back(point.x);
      ys.push_back(point.y);
    }
  }
  if (xs.empty()) return {};
  const Axis x = axis_over(xs, kLeft, kWidth - kRight);
  const Axis y = axis_over(ys, kHeight - kBottom, kTop);
  std::string svg = fmt::format(
      "<svg class=\"plot\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{} over {}\">", kWidth,
      kHeight, escape_markup(y_title), escape_markup(x_title));
  draw_axes(svg, x, y, x_title, y_title);
  for (const PlotSeries& each : series) draw_series(svg, x, y, each);
  svg += "</svg>\n<p class=\"legend\">";
  for (const PlotSeries& each : series) {
    if (each.name.empty()) continue;
    const char* shape = each.is_line ? "<path class=\"line {}\" d=\"M0 6H14\"/>"
                        : each.is_square
                            ? "<rect class=\"mark {}\" x=\"3\" y=\"2\" width=\"8\" height=\"8\"/>"
                            : "<circle class=\"mark {}\" cx=\"7\" cy=\"6\" r=\"4.5\"/>";
    svg += "<span><svg width=\"14\" height=\"12\">";
    svg += fmt::format(fmt::runtime(shape), each.css_class);
    svg += "</svg>" + escape_markup(each.name) + "</span>";
  }
  return svg + "</p>\n";
}

std::string bar(double share, double mark, const std::string& css_class,
                const std::string& tooltip) {
  constexpr double kBarWidth = 180;
  const auto place = [](double value) { return std::clamp(value, 0.0, 1.0) * kBarWidth; };
  std::string svg = fmt::format(
      "<svg class=\"bar\" width=\"{0}\" height=\"12\" viewBox=\"0 0 {0} 12\" role=\"img\" "
      "aria-label=\"{1}\"><title>{1}</title><rect class=\"back\" width=\"{0}\" height=\"12\"/>"
      "<rect class=\"fill {2}\" y=\"1\" width=\"{3:.1f}\" height=\"10\"/>",
      kBarWidth, escape_markup(tooltip), css_class, std::max(place(share), 0.5));
  if (mark >= 0) svg += fmt::format("<path class=\"limit\" d=\"M{:.1f} 0V12\"/>", place(mark));
  return svg + "</svg>";
}

}  // namespace lockstep::bench
