// DEPTH_TO_SPACE and SPACE_TO_DEPTH.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <variant>

#include "conformance/generators/case_collector.h"
#include "conformance/generators/families.h"
#include "conformance/generators/operand_contents.h"
#include "conformance/generators/random_cases.h"

namespace lockstep::conformance {
namespace {

using graph::DataType;
using graph::GraphBuilder;
using graph::Operator;
using graph::PixelBlockAttributes;
using graph::PixelBlockKind;
using graph::Quantization;
using graph::Shape;

// --- Generation --------------------------------------------------------------------------------

int32_t move_blocks(GraphBuilder& builder, PixelBlockKind kind, int32_t input, int32_t size) {
  return kind == PixelBlockKind::kDepthToSpace ? builder.depth_to_space(input, size)
                                               : builder.space_to_depth(input, size);
}

// The image whose blocks are `pixels` pixels with `channels` channels, as the operator takes it.
Shape input_shape(PixelBlockKind kind, const Shape& pixels, int32_t channels, int32_t size) {
  return kind == PixelBlockKind::kDepthToSpace
             ? Shape{pixels[0], pixels[1], pixels[2], channels * size * size}
             : Shape{pixels[0], pixels[1] * size, pixels[2] * size, channels};
}

// Twice in one graph: at the graph's border, and between two operators, whose tensors never leave
// the device. RELU with the lowest zero point keeps every byte.
void add_blocks(CaseCollector& cases, PixelBlockKind kind, DataType type, const Shape& pixels,
                int32_t channels, int32_t size) {
  GraphBuilder builder;
  const Quantization all = signed_quantization(type, 0.1f, -128);
  const Shape shape = input_shape(kind, pixels, channels, size);
  const int32_t input = builder.input("x", type, shape, all);
  const int32_t at_border = move_blocks(builder, kind, input, size);
  const int32_t before = builder.unary(graph::UnaryKind::kRelu, input, all);
  const int32_t inside = move_blocks(builder, kind, before, size);
  const int32_t after = builder.unary(graph::UnaryKind::kRelu, inside, all);
  cases.add(fmt::format("{} in blocks of {} {}", graph::shape_to_string(shape), size,
                        graph::data_type_name(type)),
            builder.build({at_border, after}), {every_byte(element_count_of(shape))});
}

void add_channel_tails(CaseCollector& cases, PixelBlockKind kind) {
  const DataType type = DataType::kInt8;
  GraphBuilder builder;
  std::vector<int32_t> results;
  std::vector<Bytes> inputs;
  for (const int32_t channels : kChannelTails) {
    for (const int32_t size : {2, 3}) {
      const Shape shape = input_shape(kind, {2, 1, 3, 1}, channels, size);
      const int32_t input = builder.input(fmt::format("x{} {}", channels, size), type, shape,
                                          signed_quantization(type, 0.1f, 5));
      results.push_back(move_blocks(builder, kind, input, size));
      inputs.push_back(every_byte(element_count_of(shape)));
    }
  }
  cases.add_quick("channel tails", builder.build(results), std::move(inputs));
}

// --- Measurement -------------------------------------------------------------------------------

void measure_blocks(const MeasuredGraph& measured, CoveragePoints& points) {
  for (const Operator& op : measured.graph().operators) {
    const auto* attributes = std::get_if<PixelBlockAttributes>(&op.attributes);
    if (attributes == nullptr) {
      continue;
    }
    const Shape& from = measured.tensor(op.inputs[0]).shape;
    const Shape& to = measured.tensor(op.outputs[0]).shape;
    points.add("block", std::to_string(attributes->block_size));
    points.add("channels of a pixel", std::to_string(std::min(from[3], to[3])));
    points.add("blocks", std::min(from[1], to[1]) == 1 ? "in one row" : "in rows");
  }
}

Result<std::vector<Case>> generate(const GeneratorOptions& options, PixelBlockKind kind,
                                   std::string_view family, RandomOperator random) {
  CaseCollector cases(family, measure_blocks);
  add_blocks(cases, kind, DataType::kInt8, {1, 3, 5, 1}, 1, 2);
  add_blocks(cases, kind, DataType::kInt8, {1, 6, 6, 1}, 16, 2);
  add_blocks(cases, kind, DataType::kInt8, {2, 2, 4, 1}, 5, 3);
  add_blocks(cases, kind, DataType::kInt8, {1, 1, 7, 1}, 4, 4);
  add_blocks(cases, kind, DataType::kInt8, {2, 3, 2, 1}, 17, 1);
  add_blocks(cases, kind, DataType::kUint8, {2, 3, 4, 1}, 12, 2);
  add_blocks(cases, kind, DataType::kUint8, {1, 4, 1, 1}, 3, 5);
  add_channel_tails(cases, kind);
  add_random_cases(cases, options, random);
  return std::move(cases).finish();
}

std::vector<RequiredCoverage> required_coverage() {
  return {{"type", {"int8", "uint8"}},
          {"batch", {"1", "more"}},
          {"channels of a pixel", tail_names()},
          {"block", {"1", "2", "3", "4", "5"}},
          {"blocks", {"in one row", "in rows"}}};
}

}  // namespace

Generator depth_to_space_family() {
  return {.family = "depth_to_space",
          .description = "DEPTH_TO_SPACE: blocks of every size, pixels of any channels",
          .generate =
              [](const GeneratorOptions& options) {
                return generate(options, PixelBlockKind::kDepthToSpace, "depth_to_space",
                                RandomOperator::kDepthToSpace);
              },
          .required_coverage = required_coverage};
}

Generator space_to_depth_family() {
  return {.family = "space_to_depth",
          .description = "SPACE_TO_DEPTH: blocks of every size, pixels of any channels",
          .generate =
              [](const GeneratorOptions& options) {
                return generate(options, PixelBlockKind::kSpaceToDepth, "space_to_depth",
                                RandomOperator::kSpaceToDepth);
              },
          .required_coverage = required_coverage};
}

}  // namespace lockstep::conformance
