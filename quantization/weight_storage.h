// How weights with many zeros are stored: sparsely where that is smaller and TFLite can run it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "graph/status.h"
#include "quantization/model_editing.h"
#include "quantization/pruning.h"

namespace lockstep::quantization {

struct StoredWeights {
  size_t dense_bytes = 0;
  size_t bytes = 0;    // as stored; a DENSIFY operator's own not counted
  std::string reason;  // why they are dense; empty: they are sparse
};

// Dense weights of the first subgraph, in the blocks that they were pruned in, where these divide
// the tensor's dimensions, or in single elements, whichever takes less. The error names the tensor.
Result<StoredWeights> store_weights_sparsely(schema::ModelT& model, int32_t tensor,
                                             size_t channel_axis, PruningBlock block);

// What is said of weights that nothing was done about.
StoredWeights weights_as_they_are(const schema::ModelT& model, int32_t tensor, std::string reason);

}  // namespace lockstep::quantization
