// What all kernels for CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED derive from an operator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "backend/vulkan/capabilities.h"
#include "backend/vulkan/dispatch_building.h"
#include "graph/lowered_graph.h"
#include "graph/status.h"

namespace lockstep::backend::vulkan {

// What kernels that multiply bytes as unsigned numbers have added to inputs and weights: see
// shaders/dot_product.glsl.
inline constexpr int32_t kUnsignedDomain = 128;

// What the weights of each output channel, less their zero point, come to.
struct WeightSums {
  std::vector<int64_t> sums;
  std::vector<int64_t> magnitudes;
};
WeightSums sum_weights(const graph::LoweredConvolution& op);
WeightSums sum_weights(const graph::LoweredDepthwiseConvolution& op);

// The folded bias of inputs x + domain (0 or kUnsignedDomain): accumulators wrap, and so does it.
//   folded_bias - domain * sum (w - weights_zero_point)
std::vector<int32_t> bias_in_domain(std::span<const int32_t> folded_bias, const WeightSums& weights,
                                    int32_t domain);

// No |accumulator| exceeds |bias| + max |x - input_zero_point| * sum |w - weights_zero_point|.
std::vector<int64_t> accumulator_bounds(std::span<const int32_t> bias, int32_t input_zero_point,
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

// Whether OpSDotAccSat cannot saturate over so many steps of 16 products: |x * w| <= 2^14.
bool saturating_sums_are_exact(int64_t steps);

// Specialization constants from 1 on: `end`, a constant of end_constant(), then those of
// epilogue.glsl and the kernel's own.
std::vector<uint32_t> specialization_of(const PlanContext& context, uint32_t end,
                                        std::initializer_list<uint32_t> own = {});

// Bindings 0 to 2 of convolution_operands.glsl, the right operand of epilogue.glsl and the output.
// An input that is a texel buffer has weights and parameters beside it that are some, too. The
// epilogue's parameters are put behind `parameters`, which are whole uvec4.
template <typename Weight>
void bind_operands(const PlanContext& context, int32_t input, Binding::View input_view,
                   std::span<const Weight> weights, std::vector<int32_t> parameters, int32_t output,
                   KernelPlan& plan, Dispatch& dispatch) {
  const Epilogue epilogue = context.ends();
  const std::vector<int32_t> behind = epilogue_parameters(epilogue);
  parameters.insert(parameters.end(), behind.begin(), behind.end());
  dispatch.inputs = {tensor_binding(input), add_constant(plan, weights),
                     add_constant(plan, std::span<const int32_t>(parameters))};
  if (input_view != Binding::View::kStorage) {
    dispatch.inputs[0].view = input_view;
    dispatch.inputs[1].view = Binding::View::kTexelUnits;
    dispatch.inputs[2].view = Binding::View::kTexelUnits;
  }
  dispatch.inputs.push_back(epilogue.adds() ? tensor_binding(epilogue.right)
                                            : dispatch.inputs.back());
  dispatch.inputs.back().view = Binding::View::kTexelWords;
  dispatch.output = tensor_binding(output);
}

// Whether texel buffers can hold an input of `input_texels`, and so many bytes of weights and of
// parameters, whatever the epilogue.
bool fits_texel_buffers(const Capabilities& capabilities, int64_t input_texels,
                        int64_t weights_bytes, int64_t parameters_bytes);

bool has_asymmetric_weights(const graph::LoweredConvolution& op);

// A 1x1 convolution of one group that skips no pixel: its rows are rows of a matrix.
bool is_matrix_product(const graph::LoweredConvolution& op);

// Output pixels of all images. The output has as many rows, which int32 counts: see check_tensor().
uint32_t positions_of(const graph::LoweredConvolution& op);

}  // namespace lockstep::backend::vulkan
