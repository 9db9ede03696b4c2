// The contents of a network's constants, whatever their encoding in the file.
#pragma once

#include <cstddef>
#include <vector>

#include "graph/editable_model.h"
#include "graph/status.h"
#include "graph/tensor.h"

namespace lockstep::quantization {

// A constant's bytes, dense. kInvalidModel or kUnsupported, naming the tensor, where its buffer,
// shape and encoding do not belong together.
Result<std::vector<std::byte>> dense_contents(const graph::schema::ModelT& model,
                                              const graph::schema::TensorT& tensor);

// The real numbers that a constant stands for (see real_values() of affine.h).
Result<std::vector<float>> real_contents(const graph::schema::ModelT& model,
                                         const graph::schema::TensorT& tensor);

}  // namespace lockstep::quantization
