#include "graph/lowering.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "graph/lowering_internal.h"

namespace lockstep::graph {
namespace {

// Sends each kind of operator to its family.
struct Lower {
  const LoweringContext& context;

  Result<LoweredOperation> operator()(const Conv2dAttributes& attributes) const {
    return lower_convolution(context, attributes);
  }
  Result<LoweredOperation> operator()(const DepthwiseConv2dAttributes& attributes) const {
    return lower_depthwise_convolution(context, attributes);
  }
  Result<LoweredOperation> operator()(const FullyConnectedAttributes& attributes) const {
    return lower_fully_connected(context, attributes);
  }
  Result<LoweredOperation> operator()(const BinaryAttributes& attributes) const {
    return lower_binary(context, attributes);
  }
  Result<LoweredOperation> operator()(const Pool2dAttributes& attributes) const {
    return lower_pool(context, attributes);
  }
  Result<LoweredOperation> operator()(const MeanAttributes& attributes) const {
    return lower_mean(context, attributes);
  }
  Result<LoweredOperation> operator()(const PadAttributes&) const { return lower_pad(context); }
  Result<LoweredOperation> operator()(const ConcatenationAttributes& attributes) const {
    return lower_concatenation(context, attributes);
  }
  Result<LoweredOperation> operator()(const ReshapeAttributes&) const {
    return lower_reshape(context);
  }
  Result<LoweredOperation> operator()(const ResizeAttributes& attributes) const {
    return lower_resize(context, attributes);
  }
  Result<LoweredOperation> operator()(const PixelBlockAttributes& attributes) const {
    return lower_pixel_blocks(context, attributes);
  }
  Result<LoweredOperation> operator()(const SoftmaxAttributes& attributes) const {
    return lower_softmax(context, attributes);
  }
  Result<LoweredOperation> operator()(const UnaryAttributes& attributes) const {
    return lower_unary(context, attributes);
  }
  Result<LoweredOperation> operator()(const QuantizeAttributes&) const {
    return lower_quantize(context);
  }
  Result<LoweredOperation> operator()(const DequantizeAttributes&) const {
    return lower_dequantize(context);
  }
  Result<LoweredOperation> operator()(const OpaqueAttributes& attributes) const {
    return refuse(context, attributes.reason);
  }
};

LoweredTensor describe_tensor(const Tensor& tensor) {
  return {.name = tensor.name, .type = tensor.type, .shape = tensor.shape, .constant = {}};
}

// The stored-domain contents of a constant operand.
std::vector<std::byte> stored_constant(const Tensor& tensor) {
  std::vector<std::byte> bytes(tensor.data.size());
  to_stored(tensor.type, tensor.data.data(), bytes.data(), bytes.size());
  return bytes;
}

Status check_tensor_indices(const Graph& graph, std::span<const int32_t> tensors) {
  for (const int32_t tensor : tensors) {
    if (tensor < 0 || static_cast<size_t>(tensor) >= graph.tensors.size()) {
      return make_error(ErrorCode::kInvalidArgument, "{}: there is no tensor {}", graph.name,
                        tensor);
    }
  }
  return {};
}

}  // namespace

Result<LoweredOperator> lower_operator(const Graph& graph, size_t operator_index,
                                       numerics::Contract contract) {
  if (operator_index >= graph.operators.size()) {
    return make_error(ErrorCode::kInvalidArgument, "{}: there is no operator {}", graph.name,
                      operator_index);
  }
  const Operator& op = graph.operators[operator_index];
  const LoweringContext context{graph, op, operator_index, contract};
  Result<LoweredOperation> operation = std::visit(Lower{context}, op.attributes);
  if (!operation) {
    return tl::unexpected(operation.error());
  }
  return LoweredOperator{.name = op.name,
                         .source_operator = static_cast<int32_t>(operator_index),
                         .operation = *std::move(operation)};
}

Result<LoweredGraph> lower(const Graph& graph, std::span<const size_t> operator_indices,
                           std::span<const int32_t> inputs, std::span<const int32_t> outputs,
                           numerics::Contract contract) {
  for (const std::span<const int32_t> border : {inputs, outputs}) {
    if (Status status = check_tensor_indices(graph, border); !status) {
      return tl::unexpected(status.error());
    }
  }
  LoweredGraph lowered;
  lowered.name = graph.name;
  lowered.contract = contract;
  lowered.inputs.assign(inputs.begin(), inputs.end());
  lowered.outputs.assign(outputs.begin(), outputs.end());
  std::transform(graph.tensors.begin(), graph.tensors.end(), std::back_inserter(lowered.tensors),
                 describe_tensor);
  for (const size_t index : operator_indices) {
    Result<LoweredOperator> op = lower_operator(graph, index, contract);
    if (!op) {
      return tl::unexpected(op.error());
    }
    for (const int32_t input : operation_inputs(op->operation)) {
      const Tensor& tensor = graph.tensors[static_cast<size_t>(input)];
      LoweredTensor& operand = lowered.tensors[static_cast<size_t>(input)];
      if (tensor.is_constant() && operand.constant.empty()) {
        operand.constant = stored_constant(tensor);
      }
    }
    lowered.operators.push_back(*std::move(op));
  }
  return lowered;
}

Result<LoweredGraph> lower(const Graph& graph, numerics::Contract contract) {
  std::vector<size_t> all(graph.operators.size());
  std::iota(all.begin(), all.end(), size_t{0});
  return lower(graph, all, graph.inputs, graph.outputs, contract);
}

}  // namespace lockstep::graph
