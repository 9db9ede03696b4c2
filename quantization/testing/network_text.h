// A network as lines that a test compares.
#pragma once

#include <string>

#include "quantization/model_editing.h"

namespace lockstep::quantization::testing {

// One line for each operator of the first subgraph, without its constants, between those of the
// inputs and the outputs:
//
//   x:FLOAT32
//   x_int8:INT8 = QUANTIZE(x)
//   y:INT8 = SOFTMAX(x_int8)
//   -> y
std::string network_text(const schema::ModelT& model);

}  // namespace lockstep::quantization::testing
