// Operators that factors of channels go through.
#pragma once

#include "quantization/model_editing.h"

namespace lockstep::quantization {

// f(s x) = s f(x) for s > 0, channel by channel, as far as the operator itself is concerned: not a
// fused activation, nor constants among its operands. Layers with weights are not among them.
bool is_homogeneous(schema::BuiltinOperator code);

// Whether the operator computes an element from those of several operands, broadcast to one shape.
bool combines_operands(schema::BuiltinOperator code);

}  // namespace lockstep::quantization
