// Networks whose constants are stored in TFLite's sparse encoding, and networks without it.
#pragma once

#include <cstdint>
#include <span>

#include "graph/status.h"
#include "quantization/model_editing.h"

namespace lockstep::quantization {

// Stores every sparse constant densely. What a DENSIFY operator makes of one becomes a constant of
// its own name, and the operator goes. Computes the same bits, except where FULLY_CONNECTED read a
// sparse float matrix as it was: it adds in another order then. The error names the tensor.
Status densify(schema::ModelT& model);

// Stores a dense constant sparsely, in blocks of these extents, and returns whether it did: not
// where the file would not become smaller by it. TFLite 2.9 must be able to run the network then,
// which decides what stands behind the constant (measured):
//   FULLY_CONNECTED with float32 inputs reads float32 matrices in single elements or blocks of 1x4,
//   and int8 ones in blocks of 1x16, as they are; given anything else it fails, crashes or takes
//   the stored elements for dense ones; a DENSIFY operator makes float32, float16 and int8 of any
//   blocks dense for all others.
// Other types are kUnsupported. kInvalidArgument where the shape is not made of such blocks.
Result<bool> store_sparsely(schema::ModelT& model, schema::SubGraphT& subgraph, int32_t tensor,
                            std::span<const int32_t> block);

}  // namespace lockstep::quantization
