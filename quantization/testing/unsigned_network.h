// int8 networks as the uint8 ones that quantization-aware training makes, for tests.
#pragma once

#include "quantization/model_editing.h"

namespace lockstep::quantization::testing {

// Every quantized int8 tensor becomes uint8: 128 more, in value and zero point. Weights that have a
// scale for every channel take the first one for all, and so do their biases: uint8 kernels have
// one.
void make_unsigned(schema::ModelT& model);

}  // namespace lockstep::quantization::testing
