// Weights and bias of a convolution or fully connected layer, as its int8 kernel wants them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::quantization {

struct FloatLayer {
  std::span<const float> weights;
  std::span<const int32_t> shape;    // of the weights
  size_t channel_axis = 0;           // the dimension that counts output channels
  std::span<const float> bias = {};  // one for each output channel; empty: none
  bool per_channel = true;           // a weight scale for each output channel, or one for all
};

struct LayerParameters {
  std::vector<int8_t> weights;
  std::vector<float> weight_scales;
  std::vector<int32_t> bias;
  std::vector<float> bias_scales;
};

// A weight scale is the largest magnitude of its weights / 127, with two exceptions:
//  - It is at least |bias| / (input_scale * 2^30) for every bias it belongs to, so that the bias
//    fits int32 and leaves the accumulator as much room again.
//  - Weights that are all zero take any scale. That of theirs is output_scale / (256 *
//  input_scale):
//    then a step of the bias, which is all they compute, is a 256th of a step of the output.
// Preconditions: everything is finite, and the sizes belong together.
LayerParameters quantize_layer(const FloatLayer& layer, float input_scale, float output_scale);

}  // namespace lockstep::quantization
