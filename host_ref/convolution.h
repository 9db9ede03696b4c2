// CONV_2D and FULLY_CONNECTED: the executable specification.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/lowered_graph.h"

namespace lockstep::host_ref {

// The int32 accumulators, NHWC like the output, bias included:
//   accumulator[o] = bias[o] + sum (x - input_zero_point) * (w - weights_zero_points[o])
// over the taps that lie in the image and the input channels of o's group, modulo 2^32.
// `input` has operation.input_extent.elements() values.
std::vector<int32_t> convolution_accumulators(const graph::LoweredConvolution& operation,
                                              std::span<const int8_t> input);

// output = clamp(zero_point + round(accumulator * scale[o])).
void convolution(const graph::LoweredConvolution& operation, std::span<const int8_t> input,
                 std::span<int8_t> output);

}  // namespace lockstep::host_ref
