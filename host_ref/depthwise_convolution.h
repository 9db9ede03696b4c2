// DEPTHWISE_CONV_2D: the executable specification.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/lowered_graph.h"

namespace lockstep::host_ref {

// The int32 accumulators, NHWC like the output, bias included:
//   accumulator[o] = bias[o] + sum (x - input_zero_point) * (w - weights_zero_points[o])
// over the taps that lie in the image, x from input channel o / depth_multiplier; modulo 2^32.
std::vector<int32_t> depthwise_convolution_accumulators(
    const graph::LoweredDepthwiseConvolution& operation, std::span<const int8_t> input);

// output = clamp(zero_point + round(accumulator * scale[o])).
void depthwise_convolution(const graph::LoweredDepthwiseConvolution& operation,
                           std::span<const int8_t> input, std::span<int8_t> output);

}  // namespace lockstep::host_ref
