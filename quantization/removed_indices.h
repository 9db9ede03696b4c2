// Removes indices of dimensions from a network: from shapes, constants, and the operands and
// options that speak of extents. Internal to channel_pruning.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "graph/status.h"
#include "quantization/channel_indices.h"
#include "quantization/model_editing.h"

namespace lockstep::quantization {

// Of the dimensions that lose some: whether each index stays.
using KeptIndices = std::map<TensorAxis, std::vector<bool>>;

// What is kept hangs together as relate_indices() says. kUnsupported for sparse constants,
// kInvalidModel for those that contradict themselves.
Status remove_indices(schema::ModelT& model, schema::SubGraphT& subgraph, const KeptIndices& kept);

}  // namespace lockstep::quantization
