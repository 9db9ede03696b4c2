#include "quantization/fully_connected_as_convolution.h"

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "graph/operators.h"
#include "graph/tensor.h"

namespace lockstep::quantization {
namespace {

using schema::BuiltinOperator;

class Replacer {
 public:
  Replacer(schema::ModelT& model, Ranges& ranges, const std::set<int32_t>& kept_outputs)
      : model_(model),
        subgraph_(*model.subgraphs.front()),
        ranges_(ranges),
        kept_outputs_(kept_outputs) {}

  size_t replace_all() {
    size_t replaced = 0;
    auto operators = std::exchange(subgraph_.operators, {});
    for (auto& op : operators) {
      if (is_replaceable(*op)) {
        replace(*op);
        ++replaced;
      } else {
        subgraph_.operators.push_back(std::move(op));
      }
    }
    return replaced;
  }

 private:
  schema::TensorT& tensor(int32_t index) { return *subgraph_.tensors[static_cast<size_t>(index)]; }

  bool is_replaceable(const schema::OperatorT& op) {
    if (builtin_code(model_, op) != static_cast<int32_t>(BuiltinOperator::FULLY_CONNECTED) ||
        op.inputs.size() < 2 || op.outputs.size() != 1 || kept_outputs_.contains(op.outputs[0])) {
      return false;
    }
    const auto* options = op.builtin_options.AsFullyConnectedOptions();
    if (options != nullptr &&
        options->weights_format != schema::FullyConnectedOptionsWeightsFormat::DEFAULT) {
      return false;
    }
    const schema::TensorT& weights = tensor(op.inputs[1]);
    if (weights.type != schema::TensorType::FLOAT32 || !is_constant(model_, weights) ||
        weights.shape.size() != 2 || weights.shape[0] < 1 || weights.shape[1] < 1) {
      return false;
    }
    const auto elements = graph::element_count(tensor(op.inputs[0]).shape);
    return elements && *elements % weights.shape[1] == 0;
  }

  void replace(const schema::OperatorT& op) {
    const int32_t input = op.inputs[0];
    const int32_t output = op.outputs[0];
    const int32_t channels = tensor(op.inputs[1]).shape[0];
    const int32_t inputs = tensor(op.inputs[1]).shape[1];
    const auto rows = static_cast<int32_t>(*graph::element_count(tensor(input).shape) / inputs);

    const int32_t pixels = add_pixels(input, {rows, 1, 1, inputs});
    const int32_t convolved = add_pixels(output, {rows, 1, 1, channels});
    add_reshape(input, pixels, {-1, 1, 1, inputs});
    add_convolution(op, pixels, convolved);
    // As many rows as there are, where the file gives a shape that may be resized.
    std::vector<int32_t> shape = tensor(output).shape;
    if (!shape.empty()) shape.front() = -1;
    add_reshape(convolved, output, std::move(shape));
  }

  // A tensor with the elements of another.
  int32_t add_pixels(int32_t source, std::vector<int32_t> shape) {
    schema::TensorT pixels;
    pixels.name = tensor(source).name + "_pixels";
    pixels.type = schema::TensorType::FLOAT32;
    if (!tensor(source).shape_signature.empty()) {
      pixels.shape_signature = shape;
      pixels.shape_signature.front() = -1;
    }
    pixels.shape = std::move(shape);
    const int32_t index = add_tensor(subgraph_, std::move(pixels));
    const auto range = ranges_.find(source);
    if (range != ranges_.end()) ranges_[index] = range->second;
    return index;
  }

  void add_reshape(int32_t input, int32_t output, std::vector<int32_t> shape) {
    schema::TensorT operand;
    operand.name = tensor(output).name + "_shape";
    operand.type = schema::TensorType::INT32;
    operand.shape = {static_cast<int32_t>(shape.size())};
    set_contents(model_, operand, std::as_bytes(std::span(shape)));
    schema::ReshapeOptionsT options;
    options.new_shape = std::move(shape);
    auto op = std::make_unique<schema::OperatorT>();
    op->opcode_index = find_or_add_operator_code(model_, BuiltinOperator::RESHAPE, 1);
    op->builtin_options.Set(std::move(options));
    op->inputs = {input, add_tensor(subgraph_, std::move(operand))};
    op->outputs = {output};
    subgraph_.operators.push_back(std::move(op));
  }

  void add_convolution(const schema::OperatorT& op, int32_t pixels, int32_t convolved) {
    const schema::TensorT& weights = tensor(op.inputs[1]);
    schema::TensorT window;  // the same bytes in four dimensions
    window.name = weights.name;
    window.type = weights.type;
    window.shape = {weights.shape[0], 1, 1, weights.shape[1]};
    window.buffer = weights.buffer;
    const int32_t bias = op.inputs.size() > 2 ? op.inputs[2] : graph::kAbsentTensor;
    schema::Conv2DOptionsT options;
    options.padding = schema::Padding::VALID;
    options.stride_w = options.stride_h = 1;
    if (const auto* connected = op.builtin_options.AsFullyConnectedOptions()) {
      options.fused_activation_function = connected->fused_activation_function;
    }
    auto convolution = std::make_unique<schema::OperatorT>();
    convolution->opcode_index = find_or_add_operator_code(model_, BuiltinOperator::CONV_2D, 1);
    convolution->builtin_options.Set(std::move(options));
    convolution->inputs = {pixels, add_tensor(subgraph_, std::move(window)), bias};
    convolution->outputs = {convolved};
    subgraph_.operators.push_back(std::move(convolution));
  }

  schema::ModelT& model_;
  schema::SubGraphT& subgraph_;
  Ranges& ranges_;
  const std::set<int32_t>& kept_outputs_;
};

}  // namespace

size_t convolve_fully_connected(schema::ModelT& model, Ranges& ranges,
                                const std::set<int32_t>& kept_outputs) {
  return Replacer(model, ranges, kept_outputs).replace_all();
}

}  // namespace lockstep::quantization
