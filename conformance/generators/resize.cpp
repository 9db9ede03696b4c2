// RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <variant>

#include "conformance/generators/case_collector.h"
#include "conformance/generators/families.h"
#include "conformance/generators/operand_contents.h"
#include "conformance/generators/random_cases.h"
#include "graph/lowering.h"
#include "numerics/contract.h"

namespace lockstep::conformance {
namespace {

using graph::DataType;
using graph::GraphBuilder;
using graph::Interpolation;
using graph::InterpolationArithmetic;
using graph::LoweredResizeBilinear;
using graph::Operator;
using graph::Quantization;
using graph::ResizeAttributes;
using graph::ResizeKind;
using graph::Shape;
using numerics::Contract;

// --- Generation --------------------------------------------------------------------------------

// Where pixels lie.
struct Placement {
  const char* name;
  bool align_corners;
  bool half_pixel_centers;
};

constexpr Placement kEdges = {"edges", false, false};
constexpr Placement kCorners = {"corners aligned", true, false};
constexpr Placement kHalfPixels = {"half pixels", false, true};
// Engines take both options at once of nearest neighbours alone.
constexpr Placement kBoth = {"corners aligned and half pixels", true, true};

constexpr std::array kBilinearPlacements = {kEdges, kCorners, kHalfPixels};
constexpr std::array kAllPlacements = {kEdges, kCorners, kHalfPixels, kBoth};

ResizeAttributes attributes_of(ResizeKind kind, const Placement& placement) {
  return {.kind = kind,
          .align_corners = placement.align_corners,
          .half_pixel_centers = placement.half_pixel_centers};
}

struct ResizeCase {
  const char* name;
  Shape from;
  int32_t height;
  int32_t width;
};

// Twofold is what networks do; thirds are no binary fractions.
std::vector<ResizeCase> resize_cases() {
  return {{"twofold", {2, 5, 6, 8}, 10, 12},
          {"half", {1, 8, 12, 16}, 4, 6},
          {"threefold", {1, 4, 5, 5}, 12, 15},
          {"a third", {1, 9, 12, 4}, 3, 4},
          {"higher and narrower", {1, 5, 12, 7}, 13, 8},
          {"lower and wider", {1, 11, 4, 16}, 7, 9},
          {"of one pixel", {2, 1, 1, 17}, 3, 4},
          {"to one pixel", {2, 5, 4, 17}, 1, 1},
          {"as it was", {1, 4, 3, 5}, 4, 3}};
}

void add_resize(CaseCollector& cases, std::string_view what, DataType type, const Shape& from,
                int32_t height, int32_t width, const ResizeAttributes& attributes, Bytes contents,
                bool is_quick = false) {
  GraphBuilder builder;
  const int32_t input = builder.input("x", type, from, signed_quantization(type, 0.1f, 11));
  cases.add_either(is_quick, fmt::format("{} {}", what, graph::data_type_name(type)),
                   builder.build({builder.resize(input, height, width, attributes)}),
                   {std::move(contents)});
}

// Types in turn: an odd number of ratios meets either of them under one placement or another.
void add_ratios(CaseCollector& cases, ResizeKind kind, std::span<const Placement> placements) {
  size_t index = 0;
  for (const Placement& placement : placements) {
    for (const ResizeCase& c : resize_cases()) {
      add_resize(cases, fmt::format("{} {}", c.name, placement.name), k8BitTypes[index++ % 2],
                 c.from, c.height, c.width, attributes_of(kind, placement),
                 every_byte(element_count_of(c.from)));
    }
  }
}

// Every neighbour from one end of the values to the other: whatever is weighed wrongly is seen.
void add_extremes(CaseCollector& cases) {
  const Shape shape = {1, 5, 5, 5};  // an odd number of elements in every row
  for (const DataType type : k8BitTypes) {
    for (const Placement& placement : kBilinearPlacements) {
      Bytes contents(element_count_of(shape));
      for (size_t i = 0; i < contents.size(); ++i) {
        contents[i] = stored_byte(type, i % 2 == 0 ? -128 : 127);
      }
      add_resize(cases, fmt::format("extremes {}", placement.name), type, shape, 8, 11,
                 attributes_of(ResizeKind::kBilinear, placement), std::move(contents));
    }
  }
}

// Between operators, so that neither side is at the graph's border. RELU with the lowest zero point
// keeps every byte.
void add_channel_tails(CaseCollector& cases, ResizeKind kind) {
  const DataType type = DataType::kInt8;
  const Quantization all = signed_quantization(type, 0.1f, -128);
  GraphBuilder builder;
  std::vector<int32_t> results;
  std::vector<Bytes> inputs;
  for (const int32_t channels : kChannelTails) {
    const Shape shape = {2, 3, 4, channels};
    const int32_t input = builder.input(fmt::format("x{}", channels), type, shape, all);
    const int32_t before = builder.unary(graph::UnaryKind::kRelu, input, all);
    const int32_t resized = builder.resize(before, 5, 3, attributes_of(kind, kHalfPixels));
    results.push_back(builder.unary(graph::UnaryKind::kRelu, resized, all));
    inputs.push_back(every_byte(element_count_of(shape)));
  }
  cases.add_quick("channel tails", builder.build(results), std::move(inputs));
}

// Rows of all bytes over rows of them in another order. Twofold every second sum is a tie; between
// thirds float32 decides what its rounding makes of a tie.
void add_ties(CaseCollector& cases) {
  const Shape rows = {1, 2, 8, 256};
  const Shape squares = {1, 2, 2, 1024};
  const ResizeAttributes half_pixels = attributes_of(ResizeKind::kBilinear, kHalfPixels);
  for (const DataType type : k8BitTypes) {
    const auto contents = [](const Shape& shape) {
      Bytes bytes = counting_bytes(element_count_of(shape) / 2);
      const Bytes below = every_byte(bytes.size());
      bytes.insert(bytes.end(), below.begin(), below.end());
      return bytes;
    };
    add_resize(cases, "twofold rows of pairs", type, rows, 4, 8, half_pixels, contents(rows));
    add_resize(cases, "thirds of rows of pairs", type, rows, 3, 8, half_pixels, contents(rows));
    add_resize(cases, "thirds of squares", type, squares, 3, 3, half_pixels, contents(squares),
               type == DataType::kUint8);
  }
}

// Many rows of few, whose positions float32 and 16 bits below the point round to different rows.
void add_many_rows(CaseCollector& cases) {
  for (const DataType type : k8BitTypes) {
    add_resize(cases, "82 rows of 2", type, {1, 2, 3, 5}, 82, 123,
               attributes_of(ResizeKind::kNearestNeighbor, kEdges), every_byte(30));
  }
}

// Engines move bytes whatever they mean; XNNPACK does not.
void add_other_quantization(CaseCollector& cases, ResizeKind kind) {
  for (const DataType type : k8BitTypes) {
    GraphBuilder builder;
    const int32_t input =
        builder.input("x", type, {1, 3, 4, 5}, signed_quantization(type, 0.1f, -17));
    const int32_t size = builder.constant<int32_t>("size", {2}, {5, 7});
    const int32_t result = builder.apply(attributes_of(kind, kHalfPixels), {input, size}, type,
                                         signed_quantization(type, 0.2f, 33));
    cases.add(fmt::format("between quantizations {}", graph::data_type_name(type)),
              builder.build({result}), {every_byte(60)});
  }
}

// --- Measurement -------------------------------------------------------------------------------

std::string_view ratio_name(int32_t from, int32_t to) {
  if (from == to) return "1";
  if (from < to) return to % from == 0 ? "up, whole" : "up";
  return from % to == 0 ? "down, whole" : "down";
}

std::string_view placement_name(const ResizeAttributes& attributes) {
  for (const Placement& placement : kAllPlacements) {
    if (placement.align_corners == attributes.align_corners &&
        placement.half_pixel_centers == attributes.half_pixel_centers) {
      return placement.name;
    }
  }
  return "";
}

std::string arithmetic_name(const LoweredResizeBilinear& lowered) {
  return lowered.arithmetic == InterpolationArithmetic::kFloat32
             ? "float32"
             : fmt::format("{} bits", lowered.fraction_bits);
}

void measure_interpolations(std::string_view direction, const std::vector<Interpolation>& all,
                            CoveragePoints& points) {
  for (const Interpolation& each : all) {
    const bool between = each.first != each.second && each.second_weight != 0;
    points.add(direction, between ? "between two" : "of one");
  }
}

// Sums in fixed point that lie exactly half way.
void measure_ties(const LoweredResizeBilinear& lowered, const std::vector<int32_t>& values,
                  CoveragePoints& points) {
  const graph::Extent4d& in = lowered.input_extent;
  const int32_t bits = 2 * lowered.fraction_bits;
  const auto value = [&](int32_t n, int32_t y, int32_t x, int32_t channel) {
    return values[static_cast<size_t>(((n * in.height + y) * in.width + x) * in.channels +
                                      channel)];
  };
  for (int32_t n = 0; n < in.batch; ++n) {
    for (const Interpolation& row : lowered.rows) {
      for (const Interpolation& column : lowered.columns) {
        for (int32_t channel = 0; channel < in.channels; ++channel) {
          const auto across = [&](int32_t y) {
            return value(n, y, column.first, channel) * column.first_weight +
                   value(n, y, column.second, channel) * column.second_weight;
          };
          const int32_t sum =
              across(row.first) * row.first_weight + across(row.second) * row.second_weight;
          if ((sum & ((1 << bits) - 1)) == 1 << (bits - 1)) {
            points.add("tie", sum > 0 ? "positive" : "negative");
          }
        }
      }
    }
  }
}

void measure_bilinear(const MeasuredGraph& measured, size_t op, CoveragePoints& points) {
  for (const Contract contract : {Contract::kTflite, Contract::kLitert}) {
    const auto lowered = graph::lower_operator(measured.graph(), op, contract);
    if (!lowered) continue;
    const auto& bilinear = std::get<LoweredResizeBilinear>(lowered->operation);
    points.add("arithmetic", arithmetic_name(bilinear));
    measure_interpolations("rows", bilinear.rows, points);
    measure_interpolations("columns", bilinear.columns, points);
    if (bilinear.arithmetic == InterpolationArithmetic::kFixedPointTiesAway) {
      measure_ties(bilinear, measured.values(bilinear.input), points);
    }
  }
}

void measure_resize(const MeasuredGraph& measured, CoveragePoints& points) {
  for (size_t i = 0; i < measured.graph().operators.size(); ++i) {
    const Operator& op = measured.graph().operators[i];
    const auto* attributes = std::get_if<ResizeAttributes>(&op.attributes);
    if (attributes == nullptr) {
      continue;
    }
    const graph::Tensor& input = measured.tensor(op.inputs[0]);
    const Shape& output = measured.tensor(op.outputs[0]).shape;
    points.add("placement", placement_name(*attributes));
    points.add("height", ratio_name(input.shape[1], output[1]));
    points.add("width", ratio_name(input.shape[2], output[2]));
    if (input.shape[1] * input.shape[2] == 1) points.add("pixels", "from one");
    if (output[1] * output[2] == 1) points.add("pixels", "to one");
    if (input.quantization != measured.tensor(op.outputs[0]).quantization) {
      points.add("quantization", "changes");
    }
    if (attributes->kind == ResizeKind::kBilinear) measure_bilinear(measured, i, points);
  }
}

Result<std::vector<Case>> generate_bilinear(const GeneratorOptions& options) {
  CaseCollector cases("resize_bilinear", measure_resize);
  add_ratios(cases, ResizeKind::kBilinear, kBilinearPlacements);
  add_extremes(cases);
  add_channel_tails(cases, ResizeKind::kBilinear);
  add_ties(cases);
  add_other_quantization(cases, ResizeKind::kBilinear);
  add_random_cases(cases, options, RandomOperator::kResizeBilinear);
  return std::move(cases).finish();
}

Result<std::vector<Case>> generate_nearest_neighbor(const GeneratorOptions& options) {
  CaseCollector cases("resize_nearest_neighbor", measure_resize);
  add_ratios(cases, ResizeKind::kNearestNeighbor, kAllPlacements);
  add_channel_tails(cases, ResizeKind::kNearestNeighbor);
  add_many_rows(cases);
  add_other_quantization(cases, ResizeKind::kNearestNeighbor);
  add_random_cases(cases, options, RandomOperator::kResizeNearestNeighbor);
  return std::move(cases).finish();
}

std::vector<RequiredCoverage> required_coverage() {
  std::vector<std::string> ratios = {"1", "up", "up, whole", "down", "down, whole"};
  return {{"type", {"int8", "uint8"}},
          {"batch", {"1", "more"}},
          {"channels", tail_names()},
          {"placement", {kEdges.name, kCorners.name, kHalfPixels.name}},
          {"height", ratios},
          {"width", ratios},
          {"pixels", {"from one", "to one"}},
          {"quantization", {"changes"}}};
}

std::vector<RequiredCoverage> required_bilinear_coverage() {
  std::vector<RequiredCoverage> required = required_coverage();
  required.push_back({"arithmetic", {"7 bits", "10 bits", "11 bits", "float32"}});
  required.push_back({"rows", {"between two", "of one"}});
  required.push_back({"columns", {"between two", "of one"}});
  required.push_back({"tie", {"positive", "negative"}});
  return required;
}

std::vector<RequiredCoverage> required_nearest_neighbor_coverage() {
  std::vector<RequiredCoverage> required = required_coverage();
  required.push_back({"placement", {kBoth.name}});
  return required;
}

}  // namespace

Generator resize_bilinear_family() {
  return {.family = "resize_bilinear",
          .description = "RESIZE_BILINEAR: every ratio and placement, ties, shares in float32",
          .generate = generate_bilinear,
          .required_coverage = required_bilinear_coverage};
}

Generator resize_nearest_neighbor_family() {
  return {.family = "resize_nearest_neighbor",
          .description = "RESIZE_NEAREST_NEIGHBOR: every ratio and placement",
          .generate = generate_nearest_neighbor,
          .required_coverage = required_nearest_neighbor_coverage};
}

}  // namespace lockstep::conformance
