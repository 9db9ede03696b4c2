// DEPTHWISE_CONV_2D: one kernel of its own, and the cases that are ordinary convolutions.
#include <algorithm>

#include "backend/vulkan/convolution_parameters.h"
#include "backend/vulkan/dispatch_building.h"
#include "backend/vulkan/kernel.h"

namespace lockstep::backend::vulkan {
namespace {

using graph::LoweredConvolution;
using graph::LoweredDepthwiseConvolution;

// The kernel as shaders/CMakeLists.txt compiles it.
struct Tile {
  std::string_view shader;
  int32_t columns;
  bool reads_texels = false;
  // Of the windows that it is made for; 0: any.
  int32_t kernel_width = 0;
  int32_t stride_width = 0;

  bool takes(const graph::Window2d& window) const {
    return kernel_width == 0 || (window.kernel_width == kernel_width &&
                                 window.stride_width == stride_width && window.dilation_width == 1);
  }
};

// Best first. Where a driver runs on a processor a load costs much more than the registers that a
// larger tile spills. Elsewhere registers are what a tile may not exceed.
std::vector<Tile> tiles_for(const Capabilities& capabilities) {
  constexpr Tile kTexelStride1{"depthwise_convolution_texel_width_3_stride_1", 4, true, 3, 1};
  constexpr Tile kTexelStride2{"depthwise_convolution_texel_width_3_stride_2", 4, true, 3, 2};
  constexpr Tile kTexelWide{"depthwise_convolution_texel_wide", 4, true};
  constexpr Tile kWide{"depthwise_convolution_wide", 4};
  constexpr Tile kNarrow{"depthwise_convolution", 2};
  if (capabilities.device_class == DeviceClass::kCpuLike) {
    return {kTexelStride1, kTexelStride2, kTexelWide, kWide, kNarrow};
  }
  return {kNarrow, kWide, kTexelWide, kTexelStride1, kTexelStride2};
}

int32_t taps_of(const LoweredDepthwiseConvolution& op) {
  return op.window.kernel_height * op.window.kernel_width;
}

// int16 [tap][channel unit][16]: the weights minus their zero points.
std::vector<int16_t> pack_weights(const LoweredDepthwiseConvolution& op, int32_t channel_units) {
  const auto channels = static_cast<size_t>(op.output_extent.channels);
  const auto tap_values = static_cast<size_t>(channel_units * kUnitBytes);
  std::vector<int16_t> packed(static_cast<size_t>(taps_of(op)) * tap_values);
  for (size_t tap = 0; tap < static_cast<size_t>(taps_of(op)); ++tap) {
    for (size_t channel = 0; channel < channels; ++channel) {
      packed[tap * tap_values + channel] = static_cast<int16_t>(
          op.weights[tap * channels + channel] - op.weights_zero_points[channel]);
    }
  }
  return packed;
}

// [channel unit][3][16]: bias for unsigned inputs, multiplier, shift.
std::vector<int32_t> pack_channel_parameters(const LoweredDepthwiseConvolution& op,
                                             std::span<const int32_t> bias, int32_t channel_units) {
  constexpr size_t kUnit = kUnitBytes;
  std::vector<int32_t> packed(static_cast<size_t>(channel_units) * 3 * kUnit);
  for (size_t channel = 0; channel < bias.size(); ++channel) {
    const size_t first = channel / kUnit * 3 * kUnit + channel % kUnit;
    packed[first] = bias[channel];
    packed[first + kUnit] = scale_of(op.output_stage, channel).multiplier;
    packed[first + 2 * kUnit] = scale_of(op.output_stage, channel).shift;
  }
  return packed;
}

// One group for each input channel. The weights are left out.
LoweredConvolution grouped_shape(const LoweredDepthwiseConvolution& op) {
  return {.input = op.input,
          .output = op.output,
          .input_extent = op.input_extent,
          .output_extent = op.output_extent,
          .window = op.window,
          .groups = op.input_extent.channels,
          .input_zero_point = op.input_zero_point,
          .weights = {},
          .weights_zero_points = op.weights_zero_points,
          .bias = op.bias,
          .folded_bias = op.folded_bias,
          .output_stage = op.output_stage};
}

// With its weights: HWO become O[HW]1.
LoweredConvolution as_grouped_convolution(const LoweredDepthwiseConvolution& op) {
  LoweredConvolution grouped = grouped_shape(op);
  const auto taps = static_cast<size_t>(taps_of(op));
  const auto channels = static_cast<size_t>(op.output_extent.channels);
  grouped.weights.reserve(taps * channels);
  for (size_t channel = 0; channel < channels; ++channel) {
    for (size_t tap = 0; tap < taps; ++tap) {
      grouped.weights.push_back(op.weights[tap * channels + channel]);
    }
  }
  return grouped;
}

// Of a convolution with one output channel for each input channel, in rows of whole units.
Result<KernelPlan> plan_tiled(const PlanContext& context, const LoweredDepthwiseConvolution& op,
                              const Tile& tile) {
  const auto channel_units =
      static_cast<int32_t>(channel_stride_for(op.output_extent.channels) / kUnitBytes);
  const int32_t output_rows = op.output_extent.batch * op.output_extent.height;
  const int32_t column_tiles = divide_up(op.output_extent.width, tile.columns);
  KernelPlan plan;
  Dispatch dispatch;
  dispatch.shader = tile.shader;
  const graph::Window2d& window = op.window;
  dispatch.push_constants = push_constants(
      output_rows, column_tiles, channel_units, op.input_extent.height, op.input_extent.width,
      op.output_extent.height, op.output_extent.width, window.kernel_height, window.kernel_width,
      window.stride_height, window.stride_width, window.dilation_height, window.dilation_width,
      window.padding_top, window.padding_left, replicate(op.input_zero_point),
      op.output_stage.zero_point, op.output_stage.activation_min, op.output_stage.activation_max,
      division_multiplier(static_cast<uint32_t>(channel_units)),
      division_multiplier(static_cast<uint32_t>(column_tiles)),
      division_multiplier(static_cast<uint32_t>(op.output_extent.height)));
  const std::vector<int16_t> weights = pack_weights(op, channel_units);
  const WeightSums sums = sum_weights(op);
  dispatch.specialization = specialization_of(
      context,
      end_constant(op.output_stage, accumulator_bounds(op.bias, op.input_zero_point, sums)));
  bind_operands(context, op.input,
                tile.reads_texels ? Binding::View::kTexelUnits : Binding::View::kStorage,
                std::span<const int16_t>(weights),
                pack_channel_parameters(op, bias_in_domain(op.folded_bias, sums, kUnsignedDomain),
                                        channel_units),
                op.output, plan, dispatch);
  const auto invocations = static_cast<uint64_t>(output_rows) *
                           static_cast<uint64_t>(column_tiles) *
                           static_cast<uint64_t>(channel_units);
  return with_dispatch(context, invocations, std::move(dispatch), std::move(plan));
}

bool fits_texels(const PlanContext& context, const LoweredDepthwiseConvolution& op) {
  const int64_t channels = context.layout(op.output).channel_stride;
  return fits_texel_buffers(context.capabilities, context.layout(op.input).bytes() / kUnitBytes,
                            taps_of(op) * channels * int64_t{sizeof(int16_t)},
                            channels * 3 * int64_t{sizeof(int32_t)});
}

}  // namespace

Result<KernelPlan> plan_depthwise_convolution(const PlanContext& context,
                                              const LoweredDepthwiseConvolution& op) {
  std::vector<Alternative> alternatives;
  if (op.depth_multiplier == 1 && context.layout(op.output).channels > kWordBytes) {
    for (const Tile& tile : tiles_for(context.capabilities)) {
      if (!tile.takes(op.window) || (tile.reads_texels && !fits_texels(context, op))) {
        continue;
      }
      alternatives.push_back(
          {.name = std::string(tile.shader),
           .plan = [&context, &op, tile] { return plan_tiled(context, op, tile); },
           .loop_iterations = op.window.kernel_height + int64_t{taps_of(op)}});
    }
  }
  for (const std::string& name : convolution_kernels(context, grouped_shape(op))) {
    alternatives.push_back({name, [&context, &op, name] {
                              return plan_convolution(
                                  {context.graph, context.capabilities, name, context.epilogue},
                                  as_grouped_convolution(op));
                            }});
  }
  return plan_one_of(context, alternatives);
}

}  // namespace lockstep::backend::vulkan
