#include "quantization/fused_activation.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace lockstep::quantization {
namespace {

using schema::ActivationFunctionType;
using schema::BuiltinOperator;

BuiltinOperator code_of(const schema::ModelT& model, const schema::OperatorT& op) {
  return BuiltinOperator{builtin_code(model, op)};
}

ActivationFunctionType activation_of(BuiltinOperator code) {
  switch (code) {
    case BuiltinOperator::RELU:
      return ActivationFunctionType::RELU;
    case BuiltinOperator::RELU6:
      return ActivationFunctionType::RELU6;
    case BuiltinOperator::RELU_N1_TO_1:
      return ActivationFunctionType::RELU_N1_TO_1;
    default:
      return ActivationFunctionType::NONE;
  }
}

// Operators whose kernels of 2.9 do what the field says. Others have the field and ignore or refuse
// it: CONCATENATION, L2_NORMALIZATION, TRANSPOSE_CONV.
bool computes_fused_activation(BuiltinOperator code) {
  switch (code) {
    case BuiltinOperator::ADD:
    case BuiltinOperator::AVERAGE_POOL_2D:
    case BuiltinOperator::CONV_2D:
    case BuiltinOperator::DEPTHWISE_CONV_2D:
    case BuiltinOperator::FULLY_CONNECTED:
    case BuiltinOperator::MAX_POOL_2D:
    case BuiltinOperator::MUL:
    case BuiltinOperator::SUB:
      return true;
    default:
      return false;
  }
}

bool makes_one_of(const schema::OperatorT& op, const std::set<int32_t>& tensors) {
  return std::any_of(op.outputs.begin(), op.outputs.end(),
                     [&](int32_t output) { return tensors.contains(output); });
}

template <typename Field, typename Op>
Field* find_fused_activation(Op& op) {
  auto& options = op.builtin_options;
  const auto field = [](auto* table) -> Field* {
    return table == nullptr ? nullptr : &table->fused_activation_function;
  };
  switch (options.type) {
    case schema::BuiltinOptions::Conv2DOptions:
      return field(options.AsConv2DOptions());
    case schema::BuiltinOptions::DepthwiseConv2DOptions:
      return field(options.AsDepthwiseConv2DOptions());
    case schema::BuiltinOptions::FullyConnectedOptions:
      return field(options.AsFullyConnectedOptions());
    case schema::BuiltinOptions::Pool2DOptions:
      return field(options.AsPool2DOptions());
    case schema::BuiltinOptions::AddOptions:
      return field(options.AsAddOptions());
    case schema::BuiltinOptions::SubOptions:
      return field(options.AsSubOptions());
    case schema::BuiltinOptions::MulOptions:
      return field(options.AsMulOptions());
    case schema::BuiltinOptions::DivOptions:
      return field(options.AsDivOptions());
    case schema::BuiltinOptions::ConcatenationOptions:
      return field(options.AsConcatenationOptions());
    case schema::BuiltinOptions::L2NormOptions:
      return field(options.AsL2NormOptions());
    case schema::BuiltinOptions::TransposeConvOptions:
      return field(options.AsTransposeConvOptions());
    default:
      return nullptr;
  }
}

}  // namespace

ActivationFunctionType* fused_activation(schema::OperatorT& op) {
  return find_fused_activation<ActivationFunctionType>(op);
}

const ActivationFunctionType* fused_activation(const schema::OperatorT& op) {
  return find_fused_activation<const ActivationFunctionType>(op);
}

size_t fuse_activations(schema::ModelT& model, const std::set<int32_t>& kept_outputs) {
  schema::SubGraphT& subgraph = *model.subgraphs.front();
  const TensorUses uses = tensor_uses(subgraph);
  std::vector<bool> is_fused(subgraph.operators.size(), false);
  for (size_t i = 0; i < subgraph.operators.size(); ++i) {
    const schema::OperatorT& op = *subgraph.operators[i];
    const ActivationFunctionType activation = activation_of(code_of(model, op));
    if (activation == ActivationFunctionType::NONE || op.inputs.size() != 1 ||
        op.outputs.size() != 1 || op.inputs.front() < 0 || makes_one_of(op, kept_outputs)) {
      continue;
    }
    const auto input = static_cast<size_t>(op.inputs.front());
    if (uses.producers[input] < 0 || uses.consumers[input].size() != 1 || uses.is_output[input]) {
      continue;
    }
    schema::OperatorT& producer = *subgraph.operators[static_cast<size_t>(uses.producers[input])];
    ActivationFunctionType* field = fused_activation(producer);
    if (!computes_fused_activation(code_of(model, producer)) || field == nullptr ||
        *field != ActivationFunctionType::NONE || makes_one_of(producer, kept_outputs)) {
      continue;
    }
    *field = activation;
    producer.outputs = op.outputs;
    is_fused[i] = true;
  }
  size_t kept = 0;
  for (size_t i = 0; i < subgraph.operators.size(); ++i) {
    if (!is_fused[i]) subgraph.operators[kept++] = std::move(subgraph.operators[i]);
  }
  const size_t fused = subgraph.operators.size() - kept;
  subgraph.operators.resize(kept);
  return fused;
}

}  // namespace lockstep::quantization
