#include "quantization/weight_constants.h"

#include <set>

#include "graph/operators.h"
#include "quantization/weight_places.h"

namespace lockstep::quantization {

using schema::BuiltinOperator;

int32_t constant_behind(const schema::ModelT& model, const schema::SubGraphT& subgraph,
                        const TensorUses& uses, int32_t tensor) {
  // As many steps as there are operators: a file may say that they go round in a circle.
  for (size_t step = 0; step <= subgraph.operators.size(); ++step) {
    const auto index = static_cast<size_t>(tensor);
    if (is_constant(model, *subgraph.tensors[index])) return tensor;
    if (uses.producers[index] < 0) return graph::kAbsentTensor;
    const auto& op = *subgraph.operators[static_cast<size_t>(uses.producers[index])];
    const BuiltinOperator code{builtin_code(model, op)};
    const bool only_converts =
        code == BuiltinOperator::DEQUANTIZE || code == BuiltinOperator::DENSIFY;
    if (!only_converts || input_at(op, 0) == graph::kAbsentTensor) return graph::kAbsentTensor;
    tensor = op.inputs.front();
  }
  return graph::kAbsentTensor;
}

std::vector<WeightConstant> find_weight_constants(const schema::ModelT& model,
                                                  const schema::SubGraphT& subgraph) {
  const TensorUses uses = tensor_uses(subgraph);
  std::vector<WeightConstant> constants;
  std::set<int32_t> found;
  for (size_t i = 0; i < subgraph.operators.size(); ++i) {
    const BuiltinOperator code{builtin_code(model, *subgraph.operators[i])};
    const auto places = weight_places(code);
    if (!places) continue;
    const int32_t weights = input_at(*subgraph.operators[i], places->weights);
    if (weights == graph::kAbsentTensor) continue;
    const int32_t constant = constant_behind(model, subgraph, uses, weights);
    if (constant == graph::kAbsentTensor || !found.insert(constant).second) continue;
    if (subgraph.tensors[static_cast<size_t>(constant)]->shape.size() <= places->channel_axis) {
      continue;
    }
    constants.push_back({.tensor = constant,
                         .op = i,
                         .channel_axis = places->channel_axis,
                         .is_depthwise = code == BuiltinOperator::DEPTHWISE_CONV_2D});
  }
  return constants;
}

}  // namespace lockstep::quantization
