// FULLY_CONNECTED: a matrix times the weights.
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

WeightedCase fully_connected(std::string name, DataType type, graph::Shape input_shape,
                             graph::Shape weights_shape, bool keep_num_dims = false) {
  WeightedCase result;
  result.name = std::move(name);
  result.type = type;
  result.attributes = graph::FullyConnectedAttributes{.keep_num_dims = keep_num_dims};
  result.input_shape = std::move(input_shape);
  result.weights_shape = std::move(weights_shape);
  return result;
}

// Rows, input and output channels around the widths of vectors and tiles.
Status add_tails(std::vector<WeightedCase>& cases) {
  constexpr size_t kCount = std::size(kTails);
  for (size_t i = 0; i < kCount; ++i) {
    const DataType type = i % 3 == 2 ? DataType::kUint8 : DataType::kInt8;
    const int32_t input_channels = kTails[i];
    const int32_t output_channels = kTails[(i * 5 + 3) % kCount];
    const int32_t rows = kTails[(i * 8 + 6) % kCount];
    cases.push_back(fully_connected(
        fmt::format("tails {} rows, {} to {} channels", rows, input_channels, output_channels),
        type, {rows, input_channels}, {output_channels, input_channels}));
    set_zero_points(cases.back(), i);
    if (Status status = fill_case(cases.back(), {}); !status) {
      return status;
    }
  }
  return {};
}

Status add_shapes(std::vector<WeightedCase>& cases) {
  struct ShapeCorner {
    const char* name;
    graph::Shape input;
    int32_t input_channels;
    int32_t output_channels;
    bool keep_num_dims;
    bool per_channel;
  };
  const std::vector<ShapeCorner> corners = {
      {"one row", {1, 100}, 100, 10, false, false},
      {"one row, one output", {1, 128}, 128, 1, false, false},
      {"one row, many outputs", {1, 7}, 7, 1001, false, false},
      {"one row, long", {1, 1027}, 1027, 6, false, false},
      {"one by one", {1, 1}, 1, 1, false, false},
      {"as many rows as channels", {16, 16}, 16, 16, false, false},
      {"many rows", {300, 9}, 9, 5, false, false},
      {"rank 3, dimensions kept", {2, 3, 20}, 20, 6, true, false},
      {"rank 4, dimensions kept", {2, 3, 2, 12}, 12, 5, true, false},
      {"rank 3, dimensions dropped", {2, 3, 20}, 20, 6, false, false},
      {"flattens an image", {1, 4, 5, 3}, 60, 7, false, false},
      {"flattens images", {3, 3, 3, 5}, 45, 8, false, false},
      {"flattens unevenly", {2, 3, 4}, 8, 3, false, false},
      {"two rows, dimensions kept", {2, 33}, 33, 17, true, false},
      {"per channel", {6, 40}, 40, 12, false, true},
      {"per channel, rank 3", {2, 2, 17}, 17, 9, true, true},
  };
  size_t index = 0;
  for (const ShapeCorner& corner : corners) {
    const DataType type =
        index % 2 == 1 && !corner.per_channel ? DataType::kUint8 : DataType::kInt8;
    cases.push_back(fully_connected(corner.name, type, corner.input,
                                    {corner.output_channels, corner.input_channels},
                                    corner.keep_num_dims));
    set_zero_points(cases.back(), index);
    if (Status status = fill_case(cases.back(), {.per_channel = corner.per_channel}); !status) {
      return status;
    }
    ++index;
  }
  return {};
}

Status add_contents(std::vector<WeightedCase>& cases) {
  for (const ContentsCorner& corner : contents_corners()) {
    cases.push_back(fully_connected(corner.name, corner.type, {5, 64}, {9, 64}));
    set_zero_points(cases.back(), corner.zero_points);
    if (Status status = fill_case(cases.back(), corner.filling); !status) {
      return status;
    }
  }
  return {};
}

// The integer contracts compute int8 weights with a zero point; engines differ.
Status add_asymmetric_int8(std::vector<WeightedCase>& cases) {
  for (const int32_t zero_point : {-128, 3, 127}) {
    cases.push_back(fully_connected(fmt::format("int8 weights with zero point {}", zero_point),
                                    DataType::kInt8, {3, 21}, {6, 21}));
    cases.back().weights_zero_point = zero_point;
    cases.back().input_zero_point = 11;
    if (Status status = fill_case(cases.back(), {}); !status) {
      return status;
    }
  }
  return {};
}

// Sums that come near the ends of int32, and past what float32 adds exactly.
std::vector<WeightedCase> extreme_sums() {
  std::vector<WeightedCase> cases;
  for (const int32_t sign : {1, -1}) {
    // 65,792 products of 255 * 128: 32,767 less than 2^31 - 1.
    cases.push_back(fully_connected(sign > 0 ? "sum near the largest" : "sum near the smallest",
                                    DataType::kInt8, {1, 65792}, {2, 65792}));
    fill_extreme_sum(cases.back(), sign);
  }
  for (const int32_t sign : {-1, 1}) {
    for (const DataType type : {DataType::kInt8, DataType::kUint8}) {
      cases.push_back(
          fully_connected(name_of_sums_beyond_float32(sign, type), type, {5, 1040}, {4, 1040}));
      fill_sums_beyond_float32(cases.back(), sign);
    }
  }
  for (const int32_t sign : {1, -1}) {
    cases.push_back(
        fully_connected(sign > 0 ? "folded bias wraps above" : "folded bias wraps below",
                        DataType::kInt8, {3, 16}, {3, 16}));
    fill_wrapping_bias(cases.back(), sign);
  }
  return cases;
}

WeightedCase draw_fully_connected(DataType type, Random& random) {
  const int32_t input_channels = random.between(1, 300);
  return fully_connected("", type, {random.between(1, 40), input_channels},
                         {random.between(1, 50), input_channels});
}

std::vector<RequiredCoverage> required_coverage() {
  std::vector<RequiredCoverage> required = required_of_arithmetic(WeightedKind::kFullyConnected);
  required.push_back({"input rank", {"2", "3", "4"}});
  required.push_back({"keep_num_dims", {"yes", "no"}});
  required.push_back({"flattening", {"several dimensions into one"}});
  return required;
}

Result<std::vector<Case>> generate(const GeneratorOptions& options) {
  constexpr Status (*kAdditions[])(std::vector<WeightedCase>&) = {
      add_tails, add_shapes, add_contents, add_asymmetric_int8};
  return generate_weighted_family({.kind = WeightedKind::kFullyConnected,
                                   .additions = kAdditions,
                                   .extreme_sums = extreme_sums,
                                   .draw = draw_fully_connected,
                                   .required_coverage = required_coverage},
                                  options);
}

}  // namespace

Generator fully_connected_family() {
  return {.family = "fully_connected",
          .description = "FULLY_CONNECTED: rows, channels, flattening, every rounding tie",
          .generate = generate,
          .required_coverage = required_coverage};
}

}  // namespace lockstep::conformance
