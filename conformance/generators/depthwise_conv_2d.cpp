// DEPTHWISE_CONV_2D: sums over windows, each input channel for itself.
#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "conformance/generators/families.h"
#include "conformance/generators/weighted_corners.h"
#include "conformance/generators/weighted_coverage.h"
#include "conformance/generators/weighted_family.h"
#include "conformance/generators/weighted_filling.h"
#include "conformance/generators/weighted_requirements.h"
#include "conformance/generators/window_corners.h"

namespace lockstep::conformance {
namespace {

using graph::DataType;
using graph::Padding;

WeightedCase depthwise(std::string name, DataType type, graph::Shape input_shape,
                       int32_t depth_multiplier, const WindowCorner& window) {
  WeightedCase result;
  result.name = std::move(name);
  result.type = type;
  result.attributes = graph::DepthwiseConv2dAttributes{.padding = window.padding,
                                                       .stride_height = window.stride_height,
                                                       .stride_width = window.stride_width,
                                                       .dilation_height = window.dilation_height,
                                                       .dilation_width = window.dilation_width,
                                                       .depth_multiplier = depth_multiplier};
  result.weights_shape = {1, window.kernel_height, window.kernel_width,
                          input_shape.at(3) * depth_multiplier};
  result.input_shape = std::move(input_shape);
  return result;
}

constexpr WindowCorner k3x3{.kernel_height = 3, .kernel_width = 3};

// Channels around the widths of vectors, with every number of pixels.
Status add_tails(std::vector<WeightedCase>& cases) {
  constexpr size_t kCount = std::size(kTails);
  for (size_t i = 0; i < kCount; ++i) {
    const DataType type = i % 3 == 2 ? DataType::kUint8 : DataType::kInt8;
    const int32_t channels = kTails[i];
    const int32_t pixels = kTails[(i * 5 + 3) % kCount];
    cases.push_back(depthwise(fmt::format("tails {} channels, {} pixels", channels, pixels), type,
                              {1, 1, pixels, channels}, 1, k3x3));
    set_zero_points(cases.back(), i);
    if (Status status = fill_case(cases.back(), {.per_channel = type == DataType::kInt8});
        !status) {
      return status;
    }
  }
  return {};
}

Status add_multipliers(std::vector<WeightedCase>& cases) {
  struct Multiplier {
    int32_t channels;
    int32_t depth_multiplier;
  };
  constexpr Multiplier kMultipliers[] = {{1, 2}, {3, 3}, {4, 2}, {5, 3}, {16, 2}, {1, 33}, {3, 8}};
  size_t index = 0;
  for (const Multiplier& multiplier : kMultipliers) {
    const DataType type = index % 2 == 1 ? DataType::kUint8 : DataType::kInt8;
    cases.push_back(depthwise(
        fmt::format("{} channels times {}", multiplier.channels, multiplier.depth_multiplier), type,
        {1, 4, 5, multiplier.channels}, multiplier.depth_multiplier, k3x3));
    set_zero_points(cases.back(), index);
    if (Status status = fill_case(cases.back(), {.per_channel = type == DataType::kInt8});
        !status) {
      return status;
    }
    ++index;
  }
  return {};
}

Status add_windows(std::vector<WeightedCase>& cases) {
  size_t index = 0;
  for (const WindowCorner& window : window_corners()) {
    const size_t i = index++;
    const DataType type = i % 3 == 2 ? DataType::kUint8 : DataType::kInt8;
    cases.push_back(depthwise(
        window.name, type, {window.batch, window.image_height, window.image_width, window.channels},
        i % 5 == 4 ? 2 : 1, window));
    set_zero_points(cases.back(), i);
    if (Status status = fill_case(cases.back(), {.per_channel = i % 4 == 0 && i % 3 != 2});
        !status) {
      return status;
    }
  }
  return {};
}

Status add_contents(std::vector<WeightedCase>& cases) {
  for (const ContentsCorner& corner : contents_corners()) {
    cases.push_back(depthwise(corner.name, corner.type, {1, 6, 6, 32}, 1, k3x3));
    set_zero_points(cases.back(), corner.zero_points);
    if (Status status = fill_case(cases.back(), corner.filling); !status) {
      return status;
    }
  }
  return {};
}

// Sums past what float32 adds exactly: 23 * 23 products of 255 * 128.
std::vector<WeightedCase> extreme_sums() {
  std::vector<WeightedCase> cases;
  const WindowCorner whole_image{
      .kernel_height = 23, .kernel_width = 23, .padding = Padding::kValid};
  for (const int32_t sign : {-1, 1}) {
    for (const DataType type : {DataType::kInt8, DataType::kUint8}) {
      cases.push_back(
          depthwise(name_of_sums_beyond_float32(sign, type), type, {1, 23, 23, 4}, 1, whole_image));
      fill_sums_beyond_float32(cases.back(), sign);
    }
  }
  for (const int32_t sign : {1, -1}) {
    cases.push_back(depthwise(sign > 0 ? "folded bias wraps above" : "folded bias wraps below",
                              DataType::kInt8, {1, 3, 3, 5}, 1, k3x3));
    fill_wrapping_bias(cases.back(), sign);
  }
  return cases;
}

WeightedCase draw_depthwise(DataType type, Random& random) {
  const WindowCorner window = draw_window(random);
  return depthwise("", type,
                   {window.batch, window.image_height, window.image_width, window.channels},
                   random.between(1, 3), window);
}

std::vector<RequiredCoverage> required_coverage() {
  std::vector<RequiredCoverage> required = required_of_arithmetic(WeightedKind::kDepthwiseConv2d);
  for (RequiredCoverage& window : required_of_windows()) {
    required.push_back(std::move(window));
  }
  required.push_back({"depth multiplier", {"1", "2", "3", "8", "33"}});
  return required;
}

Result<std::vector<Case>> generate(const GeneratorOptions& options) {
  constexpr Status (*kAdditions[])(std::vector<WeightedCase>&) = {add_tails, add_multipliers,
                                                                  add_windows, add_contents};
  return generate_weighted_family({.kind = WeightedKind::kDepthwiseConv2d,
                                   .additions = kAdditions,
                                   .extreme_sums = extreme_sums,
                                   .draw = draw_depthwise,
                                   .required_coverage = required_coverage},
                                  options);
}

}  // namespace

Generator depthwise_conv_2d_family() {
  return {.family = "depthwise_conv_2d",
          .description = "DEPTHWISE_CONV_2D: windows, depth multipliers, every rounding tie",
          .generate = generate,
          .required_coverage = required_coverage};
}

}  // namespace lockstep::conformance
