// CONV_2D: sums over windows and input channels, for each output channel.
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

WeightedCase convolution(std::string name, DataType type, graph::Shape input_shape,
                         int32_t output_channels, const WindowCorner& window, int32_t groups = 1) {
  WeightedCase result;
  result.name = std::move(name);
  result.type = type;
  result.attributes = graph::Conv2dAttributes{.padding = window.padding,
                                              .stride_height = window.stride_height,
                                              .stride_width = window.stride_width,
                                              .dilation_height = window.dilation_height,
                                              .dilation_width = window.dilation_width};
  result.weights_shape = {output_channels, window.kernel_height, window.kernel_width,
                          input_shape.at(3) / groups};
  result.input_shape = std::move(input_shape);
  return result;
}

constexpr WindowCorner kPointwise{};
constexpr WindowCorner k3x3{.kernel_height = 3, .kernel_width = 3};

// Channels and pixels around the widths of vectors and tiles, none of them twice the same pair.
Status add_tails(std::vector<WeightedCase>& cases) {
  constexpr size_t kCount = std::size(kTails);
  for (size_t i = 0; i < kCount; ++i) {
    const DataType type = i % 3 == 2 ? DataType::kUint8 : DataType::kInt8;
    const int32_t input_channels = kTails[i];
    const int32_t output_channels = kTails[(i * 5 + 3) % kCount];
    const int32_t pixels = kTails[(i * 8 + 6) % kCount];
    cases.push_back(convolution(
        fmt::format("tails {} to {} channels, {} pixels", input_channels, output_channels, pixels),
        type, {1, 1, pixels, input_channels}, output_channels, kPointwise));
    set_zero_points(cases.back(), i);
    if (Status status = fill_case(cases.back(), {.per_channel = type == DataType::kInt8});
        !status) {
      return status;
    }
    if (i % 2 == 0) {
      const int32_t channels = kTails[kCount - 1 - i];
      cases.push_back(
          convolution(fmt::format("tails {} to {} channels, 3x3", input_channels, channels), type,
                      {1, 4, 5, input_channels}, channels, k3x3));
      set_zero_points(cases.back(), i + 1);
      if (Status status = fill_case(cases.back(), {}); !status) {
        return status;
      }
    }
  }
  return {};
}

// As many rows (pixels) as products in each sum.
Status add_square(std::vector<WeightedCase>& cases) {
  cases.push_back(convolution("as many pixels as products", DataType::kInt8, {1, 6, 6, 4}, 8,
                              {.kernel_height = 3, .kernel_width = 3}));
  return fill_case(cases.back(), {.per_channel = true});
}

Status add_windows(std::vector<WeightedCase>& cases) {
  size_t index = 0;
  for (const WindowCorner& window : window_corners()) {
    const size_t i = index++;
    const DataType type = i % 3 == 1 ? DataType::kUint8 : DataType::kInt8;
    cases.push_back(convolution(
        window.name, type, {window.batch, window.image_height, window.image_width, window.channels},
        window.channels + 2, window));
    set_zero_points(cases.back(), i);
    if (Status status = fill_case(cases.back(), {.per_channel = i % 4 == 0 && i % 3 != 1});
        !status) {
      return status;
    }
  }
  return {};
}

Status add_contents(std::vector<WeightedCase>& cases) {
  for (const ContentsCorner& corner : contents_corners()) {
    cases.push_back(convolution(corner.name, corner.type, {1, 6, 6, 8}, 4, k3x3));
    set_zero_points(cases.back(), corner.zero_points);
    if (Status status = fill_case(cases.back(), corner.filling); !status) {
      return status;
    }
  }
  return {};
}

// TensorFlow Lite 2.9 refuses all of these.
Status add_groups(std::vector<WeightedCase>& cases) {
  struct Groups {
    int32_t input_channels;
    int32_t output_channels;
    int32_t groups;
    WindowCorner window;
  };
  constexpr Groups kGroups[] = {{4, 6, 2, k3x3},         {6, 6, 6, k3x3},  {15, 9, 3, kPointwise},
                                {32, 32, 2, kPointwise}, {34, 6, 2, k3x3}, {5, 10, 5, kPointwise}};
  size_t index = 0;
  for (const Groups& groups : kGroups) {
    const DataType type = index % 3 == 1 ? DataType::kUint8 : DataType::kInt8;
    cases.push_back(convolution(fmt::format("{} groups, {} to {} channels", groups.groups,
                                            groups.input_channels, groups.output_channels),
                                type, {1, 5, 4, groups.input_channels}, groups.output_channels,
                                groups.window, groups.groups));
    set_zero_points(cases.back(), index);
    if (Status status = fill_case(cases.back(), {.per_channel = index % 3 == 0}); !status) {
      return status;
    }
    ++index;
  }
  return {};
}

// Sums that come near the ends of int32, and past what float32 adds exactly.
std::vector<WeightedCase> extreme_sums() {
  std::vector<WeightedCase> cases;
  // 16 * 16 * 257 products of 255 * 128: 32,767 less than 2^31 - 1.
  const WindowCorner whole_image{
      .kernel_height = 16, .kernel_width = 16, .padding = Padding::kValid};
  for (const int32_t sign : {1, -1}) {
    cases.push_back(convolution(sign > 0 ? "sum near the largest" : "sum near the smallest",
                                DataType::kInt8, {1, 16, 16, 257}, 1, whole_image));
    fill_extreme_sum(cases.back(), sign);
  }
  for (const int32_t sign : {-1, 1}) {
    for (const DataType type : {DataType::kInt8, DataType::kUint8}) {
      cases.push_back(convolution(name_of_sums_beyond_float32(sign, type), type, {1, 2, 3, 1040}, 4,
                                  kPointwise));
      fill_sums_beyond_float32(cases.back(), sign);
    }
  }
  for (const int32_t sign : {1, -1}) {
    cases.push_back(convolution(sign > 0 ? "folded bias wraps above" : "folded bias wraps below",
                                DataType::kInt8, {1, 3, 3, 16}, 3, kPointwise));
    fill_wrapping_bias(cases.back(), sign);
  }
  return cases;
}

WeightedCase draw_convolution(DataType type, Random& random) {
  const WindowCorner window = draw_window(random);
  return convolution("", type,
                     {window.batch, window.image_height, window.image_width, window.channels},
                     random.between(1, 24), window);
}

std::vector<RequiredCoverage> required_coverage() {
  std::vector<RequiredCoverage> required = required_of_arithmetic(WeightedKind::kConv2d);
  for (RequiredCoverage& window : required_of_windows()) {
    required.push_back(std::move(window));
  }
  required.push_back({"groups", {"one", "some", "one a channel"}});
  return required;
}

Result<std::vector<Case>> generate(const GeneratorOptions& options) {
  constexpr Status (*kAdditions[])(std::vector<WeightedCase>&) = {
      add_tails, add_square, add_windows, add_contents, add_groups};
  return generate_weighted_family({.kind = WeightedKind::kConv2d,
                                   .additions = kAdditions,
                                   .extreme_sums = extreme_sums,
                                   .draw = draw_convolution,
                                   .required_coverage = required_coverage},
                                  options);
}

}  // namespace

Generator conv_2d_family() {
  return {.family = "conv_2d",
          .description = "CONV_2D: windows, strides, dilations, groups, every rounding tie",
          .generate = generate,
          .required_coverage = required_coverage};
}

}  // namespace lockstep::conformance
