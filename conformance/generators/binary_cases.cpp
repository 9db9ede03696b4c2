#include "conformance/generators/binary_cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cmath>
#include <string>
#include <utility>
#include <variant>

#include "conformance/generators/operand_contents.h"
#include "graph/lowering.h"

namespace lockstep::conformance {
namespace {

using graph::Activation;
using graph::BinaryAttributes;
using graph::BinaryKind;
using graph::DataType;
using graph::GraphBuilder;
using graph::Operator;
using graph::Quantization;
using graph::Shape;
using graph::Tensor;

int32_t apply(GraphBuilder& builder, BinaryKind kind, int32_t left, int32_t right,
              Quantization output, Activation activation = Activation::kNone) {
  return kind == BinaryKind::kAdd ? builder.add(left, right, std::move(output), activation)
                                  : builder.mul(left, right, std::move(output), activation);
}

// --- Generation --------------------------------------------------------------------------------

// Every left value beside every right one: a column times a row.
void add_all_pairs(CaseCollector& cases, BinaryKind kind, const OperandScales& scales,
                   DataType type) {
  GraphBuilder builder;
  const int32_t left = builder.input(
      "left", type, {1, 256, 1, 1}, signed_quantization(type, scales.left, scales.left_zero_point));
  const int32_t right =
      builder.input("right", type, {1, 1, 256, 1},
                    signed_quantization(type, scales.right, scales.right_zero_point));
  const int32_t result = apply(builder, kind, left, right,
                               signed_quantization(type, scales.output, scales.output_zero_point));
  const std::string name = fmt::format("all pairs {} {}", scales.name, graph::data_type_name(type));
  const Result<graph::Graph> graph = builder.build({result});
  if (scales.is_quick && type == DataType::kInt8) {
    cases.add_quick(name, graph, {counting_bytes(256), counting_bytes(256)});
  } else {
    cases.add(name, graph, {counting_bytes(256), counting_bytes(256)});
  }
}

// The same without broadcasting, for kernels that walk both operands side by side.
void add_all_pairs_side_by_side(CaseCollector& cases, BinaryKind kind,
                                const OperandScales& scales) {
  constexpr size_t kPairs = 65536;
  Bytes left_bytes(kPairs);
  Bytes right_bytes(kPairs);
  for (size_t i = 0; i < kPairs; ++i) {
    left_bytes[i] = static_cast<std::byte>(i / 256);
    right_bytes[i] = static_cast<std::byte>(i % 256);
  }
  GraphBuilder builder;
  const Shape shape = {1, 64, 32, 32};
  const DataType type = DataType::kInt8;
  const int32_t left = builder.input(
      "left", type, shape, signed_quantization(type, scales.left, scales.left_zero_point));
  const int32_t right = builder.input(
      "right", type, shape, signed_quantization(type, scales.right, scales.right_zero_point));
  const int32_t result = apply(builder, kind, left, right,
                               signed_quantization(type, scales.output, scales.output_zero_point));
  cases.add("all pairs side by side", builder.build({result}),
            {std::move(left_bytes), std::move(right_bytes)});
}

struct BroadcastShapes {
  const char* name;
  Shape left;
  Shape right;
  bool is_quick = false;
};

std::vector<BroadcastShapes> broadcast_shapes() {
  const Shape image = {2, 3, 4, 5};
  return {{"right scalar", image, {1}, true},
          {"left scalar", {1, 1, 1, 1}, image},
          {"right of rank 0", image, {}},
          {"right channels", image, {5}, true},
          {"left channels", {1, 1, 1, 5}, image},
          {"right channels of each image", image, {2, 1, 1, 5}},
          {"left of every pixel", {2, 3, 4, 1}, image},
          {"right of every pixel", image, {2, 3, 4, 1}},
          {"right one image", image, {1, 3, 4, 5}},
          {"left one image without its batch", {3, 4, 5}, image},
          {"right one row", image, {2, 1, 4, 5}},
          {"right one column", image, {2, 3, 1, 5}},
          {"both sides", {2, 1, 4, 1}, {1, 3, 1, 5}, true},
          {"both sides of other ranks", {2, 1, 4, 1}, {3, 1, 5}},
          {"column and row", {3, 1}, {1, 4}},
          {"vectors", {7}, {7}},
          {"one element each", {1}, {1}},
          {"five dimensions", {2, 1, 3, 2, 5}, {2, 1, 3, 2, 5}},
          {"channels over five dimensions", {2, 1, 3, 2, 5}, {5}}};
}

// Scales of the cases that are about shapes: ordinary ones, whose results saturate at both ends.
Quantization left_quantization(DataType type) { return signed_quantization(type, 0.1f, 3); }
Quantization right_quantization(DataType type) { return signed_quantization(type, 0.07f, -9); }
Quantization output_quantization(DataType type, BinaryKind kind) {
  return signed_quantization(type, kind == BinaryKind::kAdd ? 0.06f : 0.3f, 1);
}

void add_broadcasts(CaseCollector& cases, BinaryKind kind) {
  size_t index = 0;
  for (const BroadcastShapes& shapes : broadcast_shapes()) {
    // Types alternate: neither of them changes how shapes are walked.
    const DataType type = k8BitTypes[index++ % 3 == 2 ? 1 : 0];
    GraphBuilder builder;
    const int32_t left = builder.input("left", type, shapes.left, left_quantization(type));
    const int32_t right = builder.input("right", type, shapes.right, right_quantization(type));
    const Result<graph::Graph> graph =
        builder.build({apply(builder, kind, left, right, output_quantization(type, kind))});
    std::vector<Bytes> inputs = {every_byte(element_count_of(shapes.left)),
                                 every_byte(element_count_of(shapes.right), 101)};
    const std::string name =
        fmt::format("broadcast {} {}", shapes.name, graph::data_type_name(type));
    if (shapes.is_quick) {
      cases.add_quick(name, graph, std::move(inputs));
    } else {
      cases.add(name, graph, std::move(inputs));
    }
  }
}

void add_operand_kinds(CaseCollector& cases, BinaryKind kind) {
  const DataType type = DataType::kInt8;
  const Shape shape = {1, 4, 16, 8};
  {
    GraphBuilder builder;
    const int32_t input = builder.input("x", type, shape, left_quantization(type));
    cases.add("same tensor twice",
              builder.build({apply(builder, kind, input, input, output_quantization(type, kind))}),
              {every_byte(element_count_of(shape))});
  }
  for (const auto& [constant_shape, constant_is_left] :
       {std::pair<Shape, bool>{{1, 4, 16, 8}, false}, {{8}, true}, {{1}, false}}) {
    GraphBuilder builder;
    const int32_t input = builder.input("x", type, shape, left_quantization(type));
    const int32_t constant = builder.constant_bytes(
        "constant", type, constant_shape, every_byte(element_count_of(constant_shape), 59),
        right_quantization(type));
    const int32_t result =
        constant_is_left ? apply(builder, kind, constant, input, output_quantization(type, kind))
                         : apply(builder, kind, input, constant, output_quantization(type, kind));
    cases.add(fmt::format("constant {} {}", constant_is_left ? "left" : "right",
                          graph::shape_to_string(constant_shape)),
              builder.build({result}), {every_byte(element_count_of(shape))});
  }
}

// Every tail side by side, and with channels repeated.
void add_channel_tails(CaseCollector& cases, BinaryKind kind) {
  const DataType type = DataType::kInt8;
  GraphBuilder builder;
  std::vector<int32_t> results;
  std::vector<Bytes> inputs;
  for (const int32_t channels : kChannelTails) {
    const Shape shape = {2, 3, 2, channels};
    const int32_t left =
        builder.input(fmt::format("left{}", channels), type, shape, left_quantization(type));
    const int32_t right =
        builder.input(fmt::format("right{}", channels), type, shape, right_quantization(type));
    const int32_t vector = builder.input(fmt::format("vector{}", channels), type, {channels},
                                         right_quantization(type));
    results.push_back(apply(builder, kind, left, right, output_quantization(type, kind)));
    results.push_back(apply(builder, kind, left, vector, output_quantization(type, kind)));
    inputs.push_back(every_byte(element_count_of(shape)));
    inputs.push_back(every_byte(element_count_of(shape), 101));
    inputs.push_back(every_byte(static_cast<size_t>(channels), 59));
  }
  cases.add("channel tails", builder.build(results), std::move(inputs));
}

// The right operand is the operation's neutral element, so that the output is the left operand and
// activation_contents() says what is clipped: nothing, some, all.
void add_activation_case(CaseCollector& cases, BinaryKind kind, DataType type,
                         Activation activation) {
  constexpr size_t kElements = 4 * 64;
  GraphBuilder builder;
  const int32_t right =
      builder.input("neutral", type, {1}, signed_quantization(type, 1.0f / 16.0f, 0));
  std::vector<int32_t> results;
  std::vector<Bytes> inputs = {stored_bytes(type, {kind == BinaryKind::kAdd ? 0 : 16})};
  for (const ClippedShare share : kAllShares) {
    const int32_t left = builder.input(fmt::format("left{}", results.size()), type, {4, 64},
                                       activation_quantization(type));
    results.push_back(apply(builder, kind, left, right, activation_quantization(type), activation));
    inputs.push_back(activation_contents(type, activation, share, kElements));
  }
  const std::string name =
      fmt::format("{} {}", activation_name(activation), graph::data_type_name(type));
  if (type == DataType::kInt8) {
    cases.add_quick(name, builder.build(results), std::move(inputs));
  } else {
    cases.add(name, builder.build(results), std::move(inputs));
  }
}

// Bounds that fall half way between two integers, where engines part.
void add_activation_bounds(CaseCollector& cases, BinaryKind kind, DataType type) {
  struct Bound {
    float output_scale;
    int32_t zero_point;
    Activation activation;
  };
  constexpr std::array kBounds = {
      Bound{4.0f, 0, Activation::kRelu6}, Bound{4.0f, 1, Activation::kRelu6},
      Bound{0.4f, -126, Activation::kReluN1To1}, Bound{0.4f, 125, Activation::kReluN1To1}};
  GraphBuilder builder;
  std::vector<int32_t> results;
  std::vector<Bytes> inputs;
  for (const Bound& bound : kBounds) {
    const Quantization operand = signed_quantization(type, bound.output_scale * 0.25f, 0);
    const int32_t left = builder.input(fmt::format("left{}", results.size()), type, {256}, operand);
    const int32_t right =
        builder.input(fmt::format("right{}", results.size()), type, {256}, operand);
    results.push_back(apply(builder, kind, left, right,
                            signed_quantization(type, bound.output_scale, bound.zero_point),
                            bound.activation));
    inputs.push_back(counting_bytes(256));
    inputs.push_back(every_byte(256));
  }
  cases.add(fmt::format("activation bounds on ties {}", graph::data_type_name(type)),
            builder.build(results), std::move(inputs));
}

// A range of one value, which XNNPACK leaves to the builtin kernel.
void add_activation_of_one_value(CaseCollector& cases, BinaryKind kind) {
  const DataType type = DataType::kInt8;
  GraphBuilder builder;
  const int32_t left = builder.input("left", type, {256}, signed_quantization(type, 0.1f, 0));
  const int32_t right = builder.input("right", type, {256}, signed_quantization(type, 0.1f, 3));
  const int32_t result =
      apply(builder, kind, left, right, signed_quantization(type, 0.5f, 127), Activation::kRelu);
  cases.add("activation of one value", builder.build({result}),
            {counting_bytes(256), every_byte(256)});
}

// --- Measurement -------------------------------------------------------------------------------

// How one operand is repeated to give the output's shape.
std::vector<std::string> repetitions(const Shape& operand, const Shape& output) {
  const size_t rank = output.size();
  std::vector<bool> repeated(rank);
  for (size_t i = 0; i < rank; ++i) {
    const size_t missing = rank - operand.size();
    const int32_t extent = i < missing ? 1 : operand[i - missing];
    repeated[i] = extent != output[i];
  }
  if (std::ranges::none_of(repeated, std::identity())) {
    return {};
  }
  const bool is_scalar = element_count_of(operand) == 1;
  const bool is_channels =
      !is_scalar && element_count_of(operand) == static_cast<size_t>(output.back());
  if (is_scalar) return {"scalar"};
  if (is_channels && !repeated.back()) return {"channels"};
  std::vector<std::string> kinds;
  if (repeated.front()) kinds.emplace_back("outer");
  if (repeated.back()) kinds.emplace_back("inner");
  for (size_t i = 1; i + 1 < rank; ++i) {
    if (repeated[i]) {
      kinds.emplace_back("middle");
      break;
    }
  }
  return kinds;
}

// Calls visit(left element index, right element index) for every element of the output.
template <typename Visit>
void for_each_pair(const Shape& left, const Shape& right, const Shape& output, Visit visit) {
  const auto element_of = [&](const Shape& operand, const std::vector<int32_t>& position) {
    size_t index = 0;
    const size_t missing = output.size() - operand.size();
    for (size_t i = 0; i < operand.size(); ++i) {
      const int32_t coordinate = operand[i] == 1 ? 0 : position[i + missing];
      index = index * static_cast<size_t>(operand[i]) + static_cast<size_t>(coordinate);
    }
    return index;
  };
  std::vector<int32_t> position(output.size(), 0);
  const size_t count = element_count_of(output);
  for (size_t element = 0; element < count; ++element) {
    visit(element_of(left, position), element_of(right, position));
    for (size_t i = output.size(); i-- > 0;) {
      if (++position[i] < output[i]) break;
      position[i] = 0;
    }
  }
}

void measure_values(const MeasuredGraph& measured, const Operator& op, BinaryKind kind,
                    CoveragePoints& points) {
  const Tensor& left = measured.tensor(op.inputs[0]);
  const Tensor& right = measured.tensor(op.inputs[1]);
  const Tensor& output = measured.tensor(op.outputs[0]);
  const std::vector<int32_t> left_values = measured.values(op.inputs[0]);
  const std::vector<int32_t> right_values = measured.values(op.inputs[1]);
  std::bitset<65536> pairs;
  RoundingWatch watch(output);
  const double product_scale = double{scale_of(left) * scale_of(right) / scale_of(output)};
  for_each_pair(left.shape, right.shape, output.shape, [&](size_t l, size_t r) {
    const int32_t left_value = left_values[l];
    const int32_t right_value = right_values[r];
    pairs.set(static_cast<size_t>(left_value & 0xff) * 256 +
              static_cast<size_t>(right_value & 0xff));
    const double left_centered = left_value - zero_point_of(left);
    const double right_centered = right_value - zero_point_of(right);
    if (kind == BinaryKind::kAdd) {
      watch.see(left_centered * double{scale_of(left)} + right_centered * double{scale_of(right)},
                double{scale_of(output)});
    } else {
      watch.see(left_centered * right_centered * product_scale, 1.0);
    }
  });
  watch.report(points);
  if (pairs.all()) {
    points.add("operands", "all 65536 pairs");
  }
}

void measure_shapes(const MeasuredGraph& measured, const Operator& op, CoveragePoints& points) {
  const Tensor& left = measured.tensor(op.inputs[0]);
  const Tensor& right = measured.tensor(op.inputs[1]);
  const Shape& output = measured.tensor(op.outputs[0]).shape;
  const std::vector<std::string> left_kinds = repetitions(left.shape, output);
  const std::vector<std::string> right_kinds = repetitions(right.shape, output);
  for (const std::string& kind : left_kinds) points.add("broadcast", "left " + kind);
  for (const std::string& kind : right_kinds) points.add("broadcast", "right " + kind);
  if (left_kinds.empty() && right_kinds.empty()) points.add("broadcast", "none");
  if (!left_kinds.empty() && !right_kinds.empty()) points.add("broadcast", "both sides");
  if (left.shape.size() != right.shape.size()) points.add("broadcast", "ranks differ");
  if (op.inputs[0] == op.inputs[1]) points.add("operands", "same tensor twice");
  if (left.is_constant()) points.add("operands", "left constant");
  if (right.is_constant()) points.add("operands", "right constant");
}

// Whose arithmetic the lowering takes under litert.
void measure_litert_arithmetic(const MeasuredGraph& measured, size_t operator_index,
                               CoveragePoints& points) {
  const Result<graph::LoweredOperator> lowered =
      graph::lower_operator(measured.graph(), operator_index, numerics::Contract::kLitert);
  if (!lowered) {
    return;
  }
  bool is_xnnpack = false;
  if (const auto* add = std::get_if<graph::LoweredAdd>(&lowered->operation)) {
    is_xnnpack = add->arithmetic == graph::AddArithmetic::kSharedShift;
  } else if (const auto* mul = std::get_if<graph::LoweredMul>(&lowered->operation)) {
    is_xnnpack = mul->output_stage.rounding == numerics::Rounding::kFloat32TiesEven;
  }
  points.add("litert arithmetic", is_xnnpack ? "XNNPACK's" : "builtin");
}

void measure_activation_bounds(const Tensor& output, Activation activation,
                               CoveragePoints& points) {
  const float bound = activation == Activation::kRelu6       ? 6.0f
                      : activation == Activation::kReluN1To1 ? 1.0f
                                                             : 0.0f;
  const float quotient = bound / scale_of(output);
  if (quotient - std::floor(quotient) == 0.5f) {
    points.add("activation bound",
               zero_point_of(output) % 2 == 0 ? "half, even zero point" : "half, odd zero point");
  }
}

}  // namespace

void add_binary_cases(CaseCollector& cases, BinaryKind kind,
                      std::span<const OperandScales> scales) {
  for (const OperandScales& relation : scales) {
    add_all_pairs(cases, kind, relation, DataType::kInt8);
    if (relation.also_uint8) {
      add_all_pairs(cases, kind, relation, DataType::kUint8);
    }
  }
  add_all_pairs_side_by_side(cases, kind, scales.front());
  add_broadcasts(cases, kind);
  add_operand_kinds(cases, kind);
  add_channel_tails(cases, kind);
  for (const Activation activation : kFusedActivations) {
    add_activation_case(cases, kind, DataType::kInt8, activation);
  }
  add_activation_case(cases, kind, DataType::kUint8, Activation::kRelu6);
  for (const DataType type : k8BitTypes) {
    add_activation_bounds(cases, kind, type);
  }
  add_activation_of_one_value(cases, kind);
}

void measure_binary(const MeasuredGraph& measured, CoveragePoints& points) {
  for (size_t i = 0; i < measured.graph().operators.size(); ++i) {
    const Operator& op = measured.graph().operators[i];
    const auto* attributes = std::get_if<BinaryAttributes>(&op.attributes);
    if (attributes == nullptr) {
      continue;
    }
    measure_values(measured, op, attributes->kind, points);
    measure_shapes(measured, op, points);
    measure_litert_arithmetic(measured, i, points);
    measure_activation_bounds(measured.tensor(op.outputs[0]), attributes->activation, points);
  }
}

std::vector<RequiredCoverage> required_binary_coverage() {
  return {{"type", {"int8", "uint8"}},
          {"rank", {"1", "2", "4", "5"}},
          {"batch", {"1", "more"}},
          {"channels", tail_names()},
          {"input zero_point", {"lowest", "middle", "highest", "other"}},
          {"output zero_point", {"lowest", "middle", "highest", "other"}},
          {"activation", {"none", "relu", "relu6", "relu_n1_to_1"}},
          {"activation bound", {"half, even zero point", "half, odd zero point"}},
          {"clipping", clipping_names()},
          {"tie", {"positive", "negative"}},
          {"saturation", {"lowest", "highest"}},
          {"litert arithmetic", {"XNNPACK's", "builtin"}},
          {"operands", {"all 65536 pairs", "same tensor twice", "left constant", "right constant"}},
          {"broadcast",
           {"none", "left scalar", "right scalar", "left channels", "right channels", "left outer",
            "right outer", "left inner", "right inner", "left middle", "right middle", "both sides",
            "ranks differ"}}};
}

}  // namespace lockstep::conformance
