#include "graph/graph_builder.h"

#include <utility>

#include "graph/builtin_operators.h"

namespace lockstep::graph {

Quantization per_tensor(float scale, int32_t zero_point) {
  return Quantization{.scales = {scale}, .zero_points = {zero_point}, .axis = 0};
}

Quantization per_axis(std::vector<float> scales, int32_t axis, std::vector<int32_t> zero_points) {
  if (zero_points.empty()) zero_points.assign(scales.size(), 0);
  return Quantization{
      .scales = std::move(scales), .zero_points = std::move(zero_points), .axis = axis};
}

GraphBuilder::GraphBuilder(std::string name)
    : constants_(std::make_shared<std::deque<std::vector<std::byte>>>()) {
  graph_.name = std::move(name);
  graph_.storage = constants_;
}

const Tensor& GraphBuilder::tensor_at(int32_t index) const {
  return graph_.tensors.at(static_cast<size_t>(index));
}

int32_t GraphBuilder::tensor(Tensor tensor) {
  graph_.tensors.push_back(std::move(tensor));
  return static_cast<int32_t>(graph_.tensors.size() - 1);
}

int32_t GraphBuilder::input(std::string name, DataType type, Shape shape,
                            Quantization quantization) {
  Tensor input;
  input.name = std::move(name);
  input.type = type;
  input.shape = std::move(shape);
  input.quantization = std::move(quantization);
  graph_.inputs.push_back(tensor(std::move(input)));
  return graph_.inputs.back();
}

int32_t GraphBuilder::constant_bytes(std::string name, DataType type, Shape shape,
                                     std::span<const std::byte> bytes, Quantization quantization) {
  constants_->emplace_back(bytes.begin(), bytes.end());
  Tensor constant;
  constant.name = std::move(name);
  constant.type = type;
  constant.shape = std::move(shape);
  constant.quantization = std::move(quantization);
  constant.data = constants_->back();
  return tensor(std::move(constant));
}

int32_t GraphBuilder::int32_operand(std::string_view role, Shape shape,
                                    const std::vector<int32_t>& values) {
  return constant<int32_t>(fmt::format("{}{}", role, graph_.tensors.size()), std::move(shape),
                           values);
}

int32_t GraphBuilder::finish_operator(Operator op, DataType output_type, Shape output_shape,
                                      Quantization output) {
  Tensor result;
  result.name = fmt::format("{}_{}", op.name, graph_.operators.size());
  result.type = output_type;
  result.shape = std::move(output_shape);
  result.quantization = std::move(output);
  const int32_t index = tensor(std::move(result));
  op.outputs = {index};
  graph_.operators.push_back(std::move(op));
  return index;
}

int32_t GraphBuilder::apply(OperatorAttributes attributes, std::vector<int32_t> inputs,
                            DataType output_type, Quantization output) {
  Operator op;
  op.builtin_code = builtin_code_of(attributes, inputs.size());
  op.name = builtin_operator_name(op.builtin_code);
  op.version = first_version_of(attributes);
  op.attributes = std::move(attributes);
  op.inputs = std::move(inputs);
  Result<Shape> shape = infer_output_shape(graph_, op);
  if (!shape) {
    if (!error_) error_ = Error{shape.error().code, op.name + ": " + shape.error().message};
    shape = Shape{};
  }
  return finish_operator(std::move(op), output_type, std::move(*shape), std::move(output));
}

int32_t GraphBuilder::opaque(std::string name, std::vector<int32_t> inputs, DataType output_type,
                             Shape output_shape, Quantization output) {
  Operator op;
  op.builtin_code = builtin::kCustom;
  op.name = std::move(name);
  op.attributes = OpaqueAttributes{"custom operator"};
  op.inputs = std::move(inputs);
  return finish_operator(std::move(op), output_type, std::move(output_shape), std::move(output));
}

namespace {

std::vector<int32_t> with_bias(int32_t input, int32_t weights, int32_t bias) {
  std::vector<int32_t> inputs{input, weights};
  if (bias != kAbsentTensor) inputs.push_back(bias);
  return inputs;
}

}  // namespace

int32_t GraphBuilder::conv_2d(int32_t input, int32_t weights, int32_t bias, Quantization output,
                              Conv2dAttributes attributes) {
  return apply(attributes, with_bias(input, weights, bias), tensor_at(input).type,
               std::move(output));
}

int32_t GraphBuilder::depthwise_conv_2d(int32_t input, int32_t weights, int32_t bias,
                                        Quantization output, DepthwiseConv2dAttributes attributes) {
  const Shape& input_shape = tensor_at(input).shape;
  const Shape& weights_shape = tensor_at(weights).shape;
  if (input_shape.size() == 4 && weights_shape.size() == 4 && input_shape[3] > 0) {
    attributes.depth_multiplier = weights_shape[3] / input_shape[3];
  }
  return apply(attributes, with_bias(input, weights, bias), tensor_at(input).type,
               std::move(output));
}

int32_t GraphBuilder::fully_connected(int32_t input, int32_t weights, int32_t bias,
                                      Quantization output, FullyConnectedAttributes attributes) {
  return apply(attributes, with_bias(input, weights, bias), tensor_at(input).type,
               std::move(output));
}

int32_t GraphBuilder::add(int32_t left, int32_t right, Quantization output, Activation activation) {
  return apply(BinaryAttributes{BinaryKind::kAdd, activation}, {left, right}, tensor_at(left).type,
               std::move(output));
}

int32_t GraphBuilder::mul(int32_t left, int32_t right, Quantization output, Activation activation) {
  return apply(BinaryAttributes{BinaryKind::kMul, activation}, {left, right}, tensor_at(left).type,
               std::move(output));
}

int32_t GraphBuilder::pool_2d(int32_t input, Pool2dAttributes attributes, Quantization output) {
  return apply(attributes, {input}, tensor_at(input).type, std::move(output));
}

int32_t GraphBuilder::mean(int32_t input, const std::vector<int32_t>& axes, bool keep_dims,
                           Quantization output) {
  const int32_t operand = int32_operand("axes", {static_cast<int32_t>(axes.size())}, axes);
  return apply(MeanAttributes{keep_dims}, {input, operand}, tensor_at(input).type,
               std::move(output));
}

int32_t GraphBuilder::pad(int32_t input, const std::vector<int32_t>& amounts) {
  const int32_t operand =
      int32_operand("amounts", {static_cast<int32_t>(amounts.size() / 2), 2}, amounts);
  return apply(PadAttributes{}, {input, operand}, tensor_at(input).type,
               tensor_at(input).quantization);
}

int32_t GraphBuilder::pad_with(int32_t input, const std::vector<int32_t>& amounts, int32_t value) {
  const int32_t operand =
      int32_operand("amounts", {static_cast<int32_t>(amounts.size() / 2), 2}, amounts);
  return apply(PadAttributes{}, {input, operand, value}, tensor_at(input).type,
               tensor_at(input).quantization);
}

int32_t GraphBuilder::concatenation(const std::vector<int32_t>& inputs, int32_t axis,
                                    Quantization output, Activation activation) {
  return apply(ConcatenationAttributes{axis, activation}, inputs, tensor_at(inputs.at(0)).type,
               std::move(output));
}

int32_t GraphBuilder::reshape(int32_t input, const std::vector<int32_t>& new_shape) {
  const int32_t operand =
      int32_operand("shape", {static_cast<int32_t>(new_shape.size())}, new_shape);
  return apply(
      ReshapeAttributes{.kind = ReshapeKind::kReshape, .new_shape = new_shape, .squeezed_axes = {}},
      {input, operand}, tensor_at(input).type, tensor_at(input).quantization);
}

int32_t GraphBuilder::squeeze(int32_t input, const std::vector<int32_t>& axes) {
  return apply(
      ReshapeAttributes{.kind = ReshapeKind::kSqueeze, .new_shape = {}, .squeezed_axes = axes},
      {input}, tensor_at(input).type, tensor_at(input).quantization);
}

int32_t GraphBuilder::expand_dims(int32_t input, int32_t axis) {
  const int32_t operand = int32_operand("axis", {1}, {axis});
  return apply(
      ReshapeAttributes{.kind = ReshapeKind::kExpandDims, .new_shape = {}, .squeezed_axes = {}},
      {input, operand}, tensor_at(input).type, tensor_at(input).quantization);
}

int32_t GraphBuilder::resize(int32_t input, int32_t height, int32_t width,
                             ResizeAttributes attributes) {
  const int32_t operand = int32_operand("size", {2}, {height, width});
  return apply(attributes, {input, operand}, tensor_at(input).type, tensor_at(input).quantization);
}

int32_t GraphBuilder::depth_to_space(int32_t input, int32_t block_size) {
  return apply(PixelBlockAttributes{PixelBlockKind::kDepthToSpace, block_size}, {input},
               tensor_at(input).type, tensor_at(input).quantization);
}

int32_t GraphBuilder::space_to_depth(int32_t input, int32_t block_size) {
  return apply(PixelBlockAttributes{PixelBlockKind::kSpaceToDepth, block_size}, {input},
               tensor_at(input).type, tensor_at(input).quantization);
}

int32_t GraphBuilder::softmax(int32_t input, Quantization output, float beta) {
  return apply(SoftmaxAttributes{beta}, {input}, tensor_at(input).type, std::move(output));
}

int32_t GraphBuilder::unary(UnaryKind kind, int32_t input, Quantization output, float alpha) {
  return apply(UnaryAttributes{kind, alpha}, {input}, tensor_at(input).type, std::move(output));
}

int32_t GraphBuilder::quantize(int32_t input, DataType type, Quantization output) {
  return apply(QuantizeAttributes{}, {input}, type, std::move(output));
}

int32_t GraphBuilder::dequantize(int32_t input) {
  return apply(DequantizeAttributes{}, {input}, DataType::kFloat32, {});
}

Graph GraphBuilder::build_unchecked(std::vector<int32_t> outputs) const {
  Graph graph = graph_;
  graph.outputs = std::move(outputs);
  return graph;
}

Result<Graph> GraphBuilder::build(std::vector<int32_t> outputs) const {
  if (error_) return tl::unexpected(*error_);
  Graph graph = build_unchecked(std::move(outputs));
  if (const Status status = validate(graph); !status) return tl::unexpected(status.error());
  return graph;
}

}  // namespace lockstep::graph
