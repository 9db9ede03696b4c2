// The constants behind the weights of operators.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "quantization/model_editing.h"

namespace lockstep::quantization {

struct WeightConstant {
  int32_t tensor = 0;       // the constant itself
  size_t op = 0;            // position of the first operator that has it as weights
  size_t channel_axis = 0;  // dimension that counts that operator's output channels
  bool is_depthwise = false;
};

// The constant that a tensor holds, or is made of by DEQUANTIZE and DENSIFY, which keep the shape;
// -1 where it is computed.
int32_t constant_behind(const schema::ModelT& model, const schema::SubGraphT& subgraph,
                        const TensorUses& uses, int32_t tensor);

// Those of convolutions, depthwise and transposed ones too, and fully connected layers, each once,
// in order of execution.
std::vector<WeightConstant> find_weight_constants(const schema::ModelT& model,
                                                  const schema::SubGraphT& subgraph);

}  // namespace lockstep::quantization
