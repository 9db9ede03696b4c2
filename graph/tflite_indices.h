// Whether the indices in the objects of a .tflite file lead anywhere. Internal to graph/.
#pragma once

#include <string_view>

#include "graph/status.h"
#include "graph/tflite_schema_generated.h"

namespace lockstep::graph {

// kInvalidModel, naming the place, where an index of an operator code, tensor, buffer or subgraph
// is out of range. `name` is what the message calls the file.
Status check_indices(const schema::ModelT& model, std::string_view name);

}  // namespace lockstep::graph
