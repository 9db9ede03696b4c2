// Which tensors are not as an accelerator without zero points for weights wants them.
#pragma once

#include <string>
#include <vector>

#include "quantization/model_editing.h"

namespace lockstep::quantization {

struct Asymmetry {
  std::string name;     // of the tensor
  std::string op;       // of an operator that reads it as weights; empty for activations
  std::string problem;  // "zero point 122", "uint8", "7 values of -128"
};

// Quantized weights of convolutions and fully connected layers that are uint8, have a zero point or
// a value of -128, and uint8 activations of operators that have int8 kernels; each tensor once, in
// the order of the file.
std::vector<Asymmetry> find_asymmetries(const schema::ModelT& model);

}  // namespace lockstep::quantization
