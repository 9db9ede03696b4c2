// Constants that can be quantized.
#pragma once

#include <vector>

#include "graph/status.h"
#include "quantization/model_editing.h"

namespace lockstep::quantization {

// The values of a float32 constant. kInvalidArgument names the tensor and the first element that is
// not a finite number: no scale fits it.
Result<std::vector<float>> finite_values(const schema::ModelT& model,
                                         const schema::TensorT& tensor);

}  // namespace lockstep::quantization
