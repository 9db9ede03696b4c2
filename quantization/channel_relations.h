// What each operator says about indices that hang together (channel_indices.h).
//
// A convolution makes each of its output channels from weights of their own, so that any of them
// may go, and reads each input channel with weights of their own. An element-wise operator joins
// the same index of inputs and output; concatenation joins those of a piece with those further on
// in the whole; what mixes indices (SOFTMAX over them, an operator that nobody knows) fixes them.
#pragma once

#include "quantization/channel_indices.h"
#include "quantization/model_editing.h"

namespace lockstep::quantization {

// Relates the dimensions of everything that one operator reads and writes. What it does not speak
// of stays as it is, whole.
void relate_indices(const schema::ModelT& model, const schema::SubGraphT& subgraph,
                    const schema::OperatorT& op, ChannelIndices& indices);

}  // namespace lockstep::quantization
