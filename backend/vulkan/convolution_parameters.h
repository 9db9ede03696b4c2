// What kernels for CONV_2D and FULLY_CONNECTED need to know of an operator's channels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/vulkan/capabilities.h"
#include "graph/lowered_graph.h"
#include "graph/status.h"

namespace lockstep::backend::vulkan {

// What kernels that multiply bytes as unsigned numbers have added to inputs and weights: see
// shaders/dot_product.glsl.
inline constexpr int32_t kUnsignedDomain = 128;

// What the weights of each channel, less their zero point, come to.
struct WeightSums {
  std::vector<int64_t> sums;
  std::vector<int64_t> magnitudes;
};
WeightSums sum_weights(const graph::LoweredConvolution& op);

// The folded bias of inputs in the unsigned domain, x + 128: accumulators wrap, and so does it.
//   folded_bias - 128 * sum (w - weights_zero_point)
std::vector<int32_t> bias_for_unsigned_inputs(const graph::LoweredConvolution& op,
                                              const WeightSums& weights);

// No |accumulator| exceeds |bias| + max |x - input_zero_point| * sum |w - weights_zero_point|.
std::vector<int64_t> accumulator_bounds(const graph::LoweredConvolution& op,
                                        const WeightSums& weights);

// uvec4 (bias, multiplier, shift, weights_zero_point) for each output channel, whole blocks;
// `domain`: what is added to weights and so to their zero points.
std::vector<int32_t> channel_parameters(const graph::LoweredConvolution& op,
                                        std::span<const int32_t> bias, int32_t domain,
                                        size_t block_channels);

// How kernels walk through the taps, 16 bytes of a group at a time: see convolution.comp.
struct Steps {
  int32_t unit_bytes;   // what one load of the input brings
  int32_t group_units;  // loads for one tap of one group
  int64_t count;        // steps of 16 bytes over all taps
  int32_t tile_channels;
  int32_t group_blocks;  // of tile_channels output channels in a group

  int64_t weights_bytes(int32_t groups) const;
};

// uvec4 [group][step][block of tile_channels output channels][channel in block]. Bytes in between
// count as weights of zero: they hold the zero point of their channel. `domain`: what is added to
// every weight, modulo 256.
std::vector<int8_t> pack_weights(const graph::LoweredConvolution& op, const Steps& steps,
                                 int32_t domain);

// kUnsupported when packed weights do not fit one binding.
Status check_packed_weights(const Capabilities& capabilities, int64_t bytes);

bool has_asymmetric_weights(const graph::LoweredConvolution& op);

// A 1x1 convolution of one group that skips no pixel: its rows are rows of a matrix.
bool is_matrix_product(const graph::LoweredConvolution& op);

// Output pixels of all images. The output has as many rows, which int32 counts: see check_tensor().
uint32_t positions_of(const graph::LoweredConvolution& op);

}  // namespace lockstep::backend::vulkan
