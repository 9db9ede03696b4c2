// Plots of a comparison as inline SVG of a page whose style is in comparison_html.cpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "quantization/histogram.h"

namespace lockstep::tools {

// One layer in the plot of all.
struct LayerMark {
  double sqnr = 0;  // dB; infinite: drawn at the upper edge
  std::string tooltip;
};

// SQNR from the first layer to the last, with a line at what 8 bits can give and the layer of the
// largest drop marked. Empty where there are no layers.
std::string layer_plot(const std::vector<LayerMark>& layers, std::optional<size_t> largest_drop);

// How often each difference occurred, on a logarithmic scale: a few large ones are what matters.
// Empty where nothing was counted.
std::string histogram_plot(const quantization::Histogram& differences);

}  // namespace lockstep::tools
