// Tensors of a .tflite file and of one that is being edited.
#pragma once

#include <cstdint>
#include <string_view>

#include "graph/tensor.h"
#include "graph/tflite_file.h"

namespace lockstep::graph {

DataType data_type_from_file(schema::TensorType type);
schema::TensorType data_type_to_file(DataType type);  // kOther has no counterpart and must not come

// Tensor `index` of the first subgraph. Its data points into the file. Checks what cannot be said
// in a Tensor; validate() checks the rest. `file_name` is for messages.
Result<Tensor> read_tensor(const schema::Model& model, size_t index, std::string_view file_name);

// The same for a tensor of an edited network, whose data point into its buffer, and with the checks
// that concern it alone. The error names it.
Result<Tensor> read_tensor(const schema::ModelT& model, const schema::TensorT& source);

}  // namespace lockstep::graph
