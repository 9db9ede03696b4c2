#include "tools/comparison_plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "conformance/text.h"
#include "quantization/error_statistics.h"

namespace lockstep::tools {
namespace {

using conformance::escape_markup;

// A plot's size and where its axes are, in units of the drawing.
struct Frame {
  double width;
  double height;
  double left = 56;
  double right = 14;
  double top = 14;
  double bottom = 40;

  double x(double share) const { return left + share * (width - left - right); }
  double y(double share) const { return height - bottom - share * (height - top - bottom); }
};

std::string begin_plot(const Frame& frame, const std::string& label) {
  return fmt::format(
      "<svg class=\"plot\" viewBox=\"0 0 {0} {1}\" style=\"max-width:{0}px\" role=\"img\" "
      "aria-label=\"{2}\">",
      frame.width, frame.height, escape_markup(label));
}

void draw_tick_of_y(std::string& svg, const Frame& frame, double share, const std::string& text) {
  fmt::format_to(std::back_inserter(svg),
                 "<path class=\"tick\" d=\"M{0:.1f} {1:.1f}H{2:.1f}\"/>"
                 "<text x=\"{3:.1f}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>",
                 frame.x(0), frame.y(share), frame.x(1), frame.x(0) - 6, frame.y(share) + 4, text);
}

void draw_title_of_x(std::string& svg, const Frame& frame, const std::string& text) {
  fmt::format_to(std::back_inserter(svg),
                 "<text class=\"title\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>",
                 frame.x(0.5), frame.height - 6, escape_markup(text));
}

}  // namespace

std::string layer_plot(const std::vector<LayerMark>& layers, std::optional<size_t> largest_drop) {
  if (layers.empty()) return {};
  constexpr double kStep = 10;  // dB between lines
  double low = 0;
  double high = 60;
  for (const LayerMark& layer : layers) {
    if (!std::isfinite(layer.sqnr)) continue;
    low = std::min(low, std::floor(layer.sqnr / kStep) * kStep);
    high = std::max(high, std::ceil(layer.sqnr / kStep) * kStep);
  }
  const Frame frame{.width = 980, .height = 320};
  const auto share_of = [&](double sqnr) {
    return std::clamp((sqnr - low) / (high - low), 0.0, 1.0);
  };
  const auto place_of = [&](size_t layer) {
    return frame.x((static_cast<double>(layer) + 0.5) / static_cast<double>(layers.size()));
  };
  std::string svg = begin_plot(frame, "signal-to-noise ratio of every layer");
  for (double tick = low; tick <= high; tick += kStep) {
    draw_tick_of_y(svg, frame, share_of(tick), fmt::format("{:g} dB", tick));
  }
  draw_title_of_x(svg, frame,
                  fmt::format("layers, from the first to the last of {}", layers.size()));
  auto out = std::back_inserter(svg);
  const double limit = frame.y(share_of(quantization::kEightBitSqnr));
  fmt::format_to(out, "<path class=\"limit\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>", frame.x(0), limit,
                 frame.x(1));
  fmt::format_to(out, "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">8 bits at best</text>",
                 frame.x(1) - 4, limit + 13);
  svg += "<path class=\"line\" d=\"";
  for (size_t i = 0; i < layers.size(); ++i) {
    fmt::format_to(out, "{}{:.1f} {:.1f}", i == 0 ? "M" : "L", place_of(i),
                   frame.y(share_of(layers[i].sqnr)));
  }
  svg += "\"/>";
  for (size_t i = 0; i < layers.size(); ++i) {
    const bool is_largest = largest_drop == i;
    fmt::format_to(out,
                   "<circle class=\"mark{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\">"
                   "<title>{}</title></circle>",
                   is_largest ? " drop" : "", place_of(i), frame.y(share_of(layers[i].sqnr)),
                   is_largest ? 6 : 4, escape_markup(layers[i].tooltip));
  }
  return svg + "</svg>\n";
}

std::string histogram_plot(const quantization::Histogram& differences) {
  if (differences.count() == 0) return {};
  constexpr size_t kBars = 61;  // an odd number: one of them is around zero
  const double largest = std::max(
      {std::abs(double{differences.minimum()}), std::abs(double{differences.maximum()}), 1e-30});
  const double bar_width = 2 * largest / static_cast<double>(kBars);
  std::array<uint64_t, kBars> counts{};
  const auto bar_of = [&](double value) {
    const double bar = std::floor((value + largest) / bar_width);
    return static_cast<size_t>(std::clamp(bar, 0.0, static_cast<double>(kBars - 1)));
  };
  counts[bar_of(0)] += differences.zeros();
  for (const quantization::Histogram::Bin& bin : differences.bins()) {
    counts[bar_of(bin.centre())] += bin.count;
  }
  const double decades = std::ceil(
      std::log10(1 + static_cast<double>(*std::max_element(counts.begin(), counts.end()))));

  const Frame frame{.width = 480, .height = 200};
  std::string svg = begin_plot(frame, "how often each difference occurred");
  const double step = std::max(1.0, std::floor(decades / 4));
  for (double decade = 0; decade <= decades; decade += step) {
    draw_tick_of_y(svg, frame, decade / decades, fmt::format("{:g}", std::pow(10.0, decade)));
  }
  auto out = std::back_inserter(svg);
  for (size_t i = 0; i < kBars; ++i) {
    if (counts[i] == 0) continue;
    const double from = -largest + static_cast<double>(i) * bar_width;
    const double share = std::max(std::log10(static_cast<double>(counts[i])) / decades, 0.03);
    const double left = frame.x(static_cast<double>(i) / static_cast<double>(kBars));
    const double width = (frame.x(1) - frame.x(0)) / static_cast<double>(kBars) - 1;
    fmt::format_to(out,
                   "<rect class=\"fill\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
                   "height=\"{:.1f}\"><title>{} between {:.3g} and {:.3g}</title></rect>",
                   left, frame.y(share), width, frame.y(0) - frame.y(share), counts[i], from,
                   from + bar_width);
  }
  for (const double share : {0.0, 0.5, 1.0}) {
    fmt::format_to(out, "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{:.3g}</text>",
                   frame.x(share), frame.y(0) + 15,
                   share == 0   ? "start"
                   : share == 1 ? "end"
                                : "middle",
                   -largest + 2 * largest * share);
  }
  draw_title_of_x(svg, frame, "difference B - A");
  return svg + "</svg>\n";
}

}  // namespace lockstep::tools
