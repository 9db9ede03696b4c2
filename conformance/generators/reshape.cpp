// RESHAPE, SQUEEZE and EXPAND_DIMS. The bytes stay, but devices that pad rows of channels move
// them.
#include <fmt/format.h>

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
using graph::Quantization;
using graph::ReshapeAttributes;
using graph::ReshapeKind;
using graph::Shape;

// --- Generation --------------------------------------------------------------------------------

// Twice in one graph: at the graph's border, and between two operators, whose tensors never leave
// the device. RELU with the lowest zero point keeps every byte.
template <typename Reshape>
void add_reshape(CaseCollector& cases, std::string_view what, DataType type, const Shape& from,
                 Reshape reshape, bool is_quick = false) {
  GraphBuilder builder;
  const Quantization all = signed_quantization(type, 0.1f, -128);
  const int32_t input = builder.input("x", type, from, all);
  const int32_t at_border = reshape(builder, input);
  const int32_t before = builder.unary(graph::UnaryKind::kRelu, input, all);
  const int32_t inside = reshape(builder, before);
  const int32_t after = builder.unary(graph::UnaryKind::kRelu, inside, all);
  const Result<graph::Graph> graph = builder.build({at_border, after});
  const std::string name = fmt::format("{} {}", what, graph::data_type_name(type));
  std::vector<Bytes> inputs = {every_byte(element_count_of(from))};
  if (is_quick) {
    cases.add_quick(name, graph, std::move(inputs));
  } else {
    cases.add(name, graph, std::move(inputs));
  }
}

void add_to_shape(CaseCollector& cases, DataType type, const Shape& from,
                  const std::vector<int32_t>& to, bool is_quick = false) {
  add_reshape(
      cases, fmt::format("{} to {}", graph::shape_to_string(from), graph::shape_to_string(to)),
      type, from, [&](GraphBuilder& builder, int32_t input) { return builder.reshape(input, to); },
      is_quick);
}

void add_shapes(CaseCollector& cases) {
  const DataType type = DataType::kInt8;
  add_to_shape(cases, type, {2, 3, 4, 5}, {2, 60}, true);
  add_to_shape(cases, type, {2, 3, 4, 5}, {120});
  add_to_shape(cases, type, {2, 3, 4, 5}, {6, 4, 5});
  add_to_shape(cases, type, {2, 3, 4, 5}, {5, 4, 3, 2});
  add_to_shape(cases, type, {2, 3, 4, 5}, {2, 12, -1});
  add_to_shape(cases, type, {1, 7, 7, 64}, {1, -1});
  add_to_shape(cases, type, {1, 3136}, {1, 7, 7, 64});
  add_to_shape(cases, type, {1, 1, 1, 33}, {33});
  add_to_shape(cases, type, {33}, {1, 33, 1, 1});
  add_to_shape(cases, type, {96}, {1, 2, 3, 16});
  add_to_shape(cases, type, {4, 6}, {2, 3, 4, 1});
  add_to_shape(cases, type, {3, 4, 5}, {3, 4, 5});
  add_to_shape(cases, type, {2, 3, 4, 5}, {1, 2, 3, 4, 5});
  add_to_shape(cases, type, {2, 2, 3, 4, 5}, {4, 3, 20});
  add_to_shape(cases, DataType::kUint8, {1, 5, 6, 3}, {1, 90}, true);
  add_to_shape(cases, DataType::kUint8, {90}, {3, 5, 6});
}

// From every tail to other ones. RELU between two of them keeps the middle one on the device.
void add_channel_tails(CaseCollector& cases) {
  const DataType type = DataType::kInt8;
  const Quantization all = signed_quantization(type, 0.1f, -128);
  GraphBuilder builder;
  std::vector<int32_t> results;
  std::vector<Bytes> inputs;
  for (const int32_t channels : kChannelTails) {
    const Shape shape = {2, 3, 4, channels};
    const int32_t input = builder.input(fmt::format("x{}", channels), type, shape, all);
    const int32_t wider = builder.reshape(input, {4, 3, 2 * channels});
    const int32_t inside = builder.unary(graph::UnaryKind::kRelu, wider, all);
    results.push_back(builder.reshape(inside, {3, channels, 8}));
    results.push_back(builder.reshape(inside, {1, 8, 3, channels}));
    inputs.push_back(every_byte(element_count_of(shape)));
  }
  cases.add("channel tails", builder.build(results), std::move(inputs));
}

void add_squeezes(CaseCollector& cases) {
  const auto squeeze = [](std::vector<int32_t> axes) {
    return [axes = std::move(axes)](GraphBuilder& builder, int32_t input) {
      return builder.squeeze(input, axes);
    };
  };
  const DataType type = DataType::kInt8;
  add_reshape(cases, "squeeze all of 1x1x1x17", type, {1, 1, 1, 17}, squeeze({}), true);
  add_reshape(cases, "squeeze 1,2 of 2x1x1x33", type, {2, 1, 1, 33}, squeeze({1, 2}));
  add_reshape(cases, "squeeze -1 of 3x5x1", DataType::kUint8, {3, 5, 1}, squeeze({-1}));
  add_reshape(cases, "squeeze 0 of 1x5x6x3", type, {1, 5, 6, 3}, squeeze({0}));
}

void add_expansions(CaseCollector& cases) {
  const auto expand = [](int32_t axis) {
    return
        [axis](GraphBuilder& builder, int32_t input) { return builder.expand_dims(input, axis); };
  };
  const DataType type = DataType::kInt8;
  add_reshape(cases, "expand 17 at 0", type, {17}, expand(0));
  add_reshape(cases, "expand 5x15 at -1", type, {5, 15}, expand(-1), true);
  add_reshape(cases, "expand 3x4x5 at 2", DataType::kUint8, {3, 4, 5}, expand(2));
  add_reshape(cases, "expand 3x4x5 at 0", type, {3, 4, 5}, expand(0));
}

// --- Measurement -------------------------------------------------------------------------------

std::string rank_of(const Shape& shape) { return std::to_string(shape.size()); }

void measure_reshape(const MeasuredGraph& measured, CoveragePoints& points) {
  for (const Operator& op : measured.graph().operators) {
    const auto* attributes = std::get_if<ReshapeAttributes>(&op.attributes);
    if (attributes == nullptr) {
      continue;
    }
    const Shape& from = measured.tensor(op.inputs[0]).shape;
    const Shape& to = measured.tensor(op.outputs[0]).shape;
    points.add("ranks", fmt::format("{} to {}", rank_of(from), rank_of(to)));
    if (from.empty() || to.empty()) {
      continue;
    }
    points.add("channels from", std::to_string(from.back()));
    points.add("innermost", from.back() == to.back()  ? "kept"
                            : from.back() < to.back() ? "grows"
                                                      : "shrinks");
    if (attributes->kind == ReshapeKind::kReshape) {
      for (const int32_t extent : attributes->new_shape) {
        if (extent == -1) points.add("new shape", "with -1");
      }
    }
  }
}

Result<std::vector<Case>> generate(const GeneratorOptions& options) {
  CaseCollector cases("reshape", measure_reshape);
  add_shapes(cases);
  add_channel_tails(cases);
  add_squeezes(cases);
  add_expansions(cases);
  add_random_cases(cases, options, RandomOperator::kReshape);
  return std::move(cases).finish();
}

std::vector<RequiredCoverage> required_coverage() {
  return {{"operator", {"RESHAPE", "SQUEEZE", "EXPAND_DIMS"}},
          {"type", {"int8", "uint8"}},
          {"batch", {"1", "more"}},
          {"channels", tail_names()},
          {"channels from", tail_names()},
          {"innermost", {"kept", "grows", "shrinks"}},
          {"new shape", {"with -1"}},
          {"ranks",
           {"4 to 2", "4 to 1", "4 to 3", "4 to 4", "2 to 4", "1 to 4", "3 to 3", "4 to 5",
            "5 to 3", "3 to 4", "2 to 3"}}};
}

}  // namespace

Generator reshape_family() {
  return {.family = "reshape",
          .description = "RESHAPE, SQUEEZE, EXPAND_DIMS: between ranks and rows of channels",
          .generate = generate,
          .required_coverage = required_coverage};
}

}  // namespace lockstep::conformance
