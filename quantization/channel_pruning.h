// Whole output channels removed from a network, with everything that only they reach.
//
// Which channels hang together is found first (channel_indices.h): a residual ADD joins those of
// all convolutions that it adds, a depthwise convolution its input's with its output's, a flattened
// image the channel at every pixel with as many columns of the matrix behind it. Classes that go
// through the same dimensions make a group; of each group the given share goes, least first by
//   sum over the layers that make them of |w|^2 / mean |w|^2
// where |w| is the norm of the weights of one output channel, and the mean is that of the layer.
// Channels of graph inputs and outputs stay, and so does what an operator needs whole.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "graph/status.h"
#include "quantization/model_editing.h"

namespace lockstep::quantization {

// An operator that makes channels from weights.
struct PrunedLayer {
  size_t op = 0;       // position
  std::string name;    // of the operator
  std::string output;  // name of its output
  size_t channels_before = 0;
  size_t channels = 0;
  std::string reason;  // why none has gone; empty where some have
};

struct ChannelPruningReport {
  std::vector<PrunedLayer> layers;
  size_t weights_before = 0;  // elements of the constants of the first subgraph
  size_t weights = 0;
};

// Prunes the first subgraph; others stay. `fraction` is at least 0 and below 1. kInvalidArgument
// for other fractions, kUnsupported where constants are stored in the sparse encoding,
// kInvalidModel where a constant contradicts itself.
Result<ChannelPruningReport> prune_channels(schema::ModelT& model, double fraction);

}  // namespace lockstep::quantization
