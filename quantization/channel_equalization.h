// Gives the channels of an activation about the same range, so that the one scale which an int8
// activation has serves all of them: cross-layer equalization (Nagel et al., "Data-Free
// Quantization Through Weight Equalization and Bias Correction", 2019), with ranges that were
// observed.
//
// Where a layer makes channel c and everything up to the next layers is positively homogeneous,
//   f(s x) = s f(x)   for s > 0:   RELU, ADD, MAX_POOL_2D, PAD with zeros, ...
// the layer's weights and bias of output channel c may be multiplied by s[c], and the next layers'
// weights of input channel c divided by it: the network computes the same. Convolutions have a
// weight scale for each output channel, which takes up s[c] without loss. What a layer loses whose
// weights are divided is weighed against what it gains by finer steps of its input.
//
// Every s[c] is a power of two. Float arithmetic commutes with those, so the float network with
// equalized channels has the very outputs of the one without, to the last bit (as long as nothing
// is subnormal). Activations that change are renamed (kEqualizedSuffix).
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "graph/status.h"
#include "quantization/calibration.h"
#include "quantization/equalized_channels.h"
#include "quantization/model_editing.h"

namespace lockstep::quantization {

// Channels that have their factors together, since a residual ADD or the like joins them.
struct EqualizedGroup {
  std::string tensor;  // the first activation, by its new name
  size_t activations = 0;
  size_t channels = 0;
  int largest_exponent = 0;  // the largest factor is 2 to this
  // By how much the noise of the layers that read the channels was predicted to shrink, in dB.
  double predicted_gain = 0;
};

struct EqualizationReport {
  std::vector<EqualizedGroup> groups;
};

enum class Equalization : uint8_t {
  kOff,
  // Channels grow up to one half of the tensor's range. What was observed is a sample: where every
  // channel fills the range, each that goes beyond on another input is cut off, which costs more
  // than the last bit of its steps is worth.
  kCautious,
  // Channels fill the range: for data that are all that the network will see, or for ranges that
  // cut off what is rare anyway.
  kFull,
};

// Equalizes the first subgraph of a plain float network. `calibration`: of this network.
// `untouched`: tensors whose values shall stay what they are, such as those whose ranges are known
// from training. Graph inputs and outputs stay in any case. Precondition: not kOff.
// kInvalidArgument where a constant is not finite.
Result<EqualizationReport> equalize_channels(schema::ModelT& model, const Calibration& calibration,
                                             const std::set<int32_t>& untouched,
                                             Equalization equalization);

}  // namespace lockstep::quantization
