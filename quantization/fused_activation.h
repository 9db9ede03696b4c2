// The activation function fused into an operator, and activations that become one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>

#include "quantization/model_editing.h"

namespace lockstep::quantization {

// The field that holds it; null where the operator's options have none.
schema::ActivationFunctionType* fused_activation(schema::OperatorT& op);
const schema::ActivationFunctionType* fused_activation(const schema::OperatorT& op);

// Lets every RELU, RELU6 and RELU_N1_TO_1 of the first subgraph become part of the operator in
// front of it, where that has no fused activation yet and nobody else sees what it makes. In float
// that changes no bit; in int8 it saves a rounding, and the range that is thrown away afterwards.
// Operators that make one of `kept_outputs` stay as they are. Returns how many were fused.
size_t fuse_activations(schema::ModelT& model, const std::set<int32_t>& kept_outputs);

}  // namespace lockstep::quantization
