// CONV_2D and FULLY_CONNECTED: which variant computes a shape, and how its weights are packed.
#include <algorithm>

#include "backend/vulkan/dispatch_building.h"
#include "backend/vulkan/kernel.h"

namespace lockstep::backend::vulkan {
namespace {

using graph::LoweredConvolution;

// From the most special to the most general; all but the last are variants of convolution.comp.
enum class Variant : uint8_t {
  kRow,        // a matrix of one row
  kPointwise,  // 1x1: rows of a matrix
  kUnits,      // 16 channels of a tap at a time
  kWords,      // 4 channels of four taps at a time
  kDirect,     // byte by byte
};

std::string_view shader_name(Variant variant) {
  switch (variant) {
    case Variant::kRow:
      return "convolution_row";
    case Variant::kPointwise:
      return "convolution_pointwise";
    case Variant::kUnits:
      return "convolution";
    case Variant::kWords:
      return "convolution_words";
    case Variant::kDirect:
      break;
  }
  return "convolution_direct";
}

uint32_t positions_of(const LoweredConvolution& op) {
  return static_cast<uint32_t>(op.output_extent.batch * op.output_extent.height *
                               op.output_extent.width);
}

bool is_matrix_product(const LoweredConvolution& op) {
  const graph::Window2d& window = op.window;
  return op.groups == 1 && window.kernel_height == 1 && window.kernel_width == 1 &&
         window.stride_height == 1 && window.stride_width == 1 && window.padding_top == 0 &&
         window.padding_left == 0 && op.input_extent.height == op.output_extent.height &&
         op.input_extent.width == op.output_extent.width;
}

Variant choose_variant(const LoweredConvolution& op) {
  const int32_t group_channels = op.input_extent.channels / op.groups;
  const int32_t group_outputs = op.output_extent.channels / op.groups;
  const bool reads_units = op.input_extent.channels > kWordBytes;
  if (op.groups > 1 && (group_channels % kWordBytes != 0 || group_outputs % kWordBytes != 0)) {
    return Variant::kDirect;
  }
  if (!reads_units || (op.groups > 1 && group_channels % kUnitBytes != 0)) {
    return Variant::kWords;
  }
  if (!is_matrix_product(op)) {
    return Variant::kUnits;
  }
  return positions_of(op) == 1 ? Variant::kRow : Variant::kPointwise;
}

// How the fast variants walk through the taps: see convolution.comp.
struct Steps {
  int32_t unit_bytes;    // what one load of the input brings
  int32_t group_units;   // loads for one tap of one group
  int32_t count;         // steps of 16 bytes over all taps
  int32_t group_blocks;  // blocks of 4 output channels in a group
};

Steps steps_of(const LoweredConvolution& op, Variant variant) {
  const int32_t taps = op.window.kernel_height * op.window.kernel_width;
  const int32_t group_channels = op.input_extent.channels / op.groups;
  Steps steps{};
  steps.unit_bytes = variant == Variant::kWords ? kWordBytes : kUnitBytes;
  steps.group_units = divide_up(group_channels, steps.unit_bytes);
  steps.count = divide_up(taps * steps.group_units * steps.unit_bytes, kUnitBytes);
  steps.group_blocks = divide_up(op.output_extent.channels / op.groups, kWordBytes);
  return steps;
}

// uvec4 [group][step][block of 4 output channels][channel in block], zeros in between.
std::vector<int8_t> pack_weights(const LoweredConvolution& op, const Steps& steps) {
  const int32_t taps = op.window.kernel_height * op.window.kernel_width;
  const int32_t group_channels = op.input_extent.channels / op.groups;
  const int32_t group_outputs = op.output_extent.channels / op.groups;
  const auto step_bytes = static_cast<size_t>(steps.group_blocks * kWordBytes * kUnitBytes);
  std::vector<int8_t> packed(static_cast<size_t>(op.groups * steps.count) * step_bytes);
  auto weight = op.weights.begin();
  for (int32_t output = 0; output < op.output_extent.channels; ++output) {
    const auto first_step = static_cast<size_t>(output / group_outputs * steps.count);
    const auto channel_bytes = static_cast<size_t>(output % group_outputs * kUnitBytes);
    for (int32_t tap = 0; tap < taps; ++tap) {
      for (int32_t channel = 0; channel < group_channels; ++channel) {
        const int32_t place = tap * steps.group_units * steps.unit_bytes + channel;
        const size_t step = first_step + static_cast<size_t>(place / kUnitBytes);
        packed[step * step_bytes + channel_bytes + static_cast<size_t>(place % kUnitBytes)] =
            *weight++;
      }
    }
  }
  return packed;
}

// uvec4 (bias, multiplier, shift, weights_zero_point) for each output channel, whole blocks of 4.
std::vector<int32_t> channel_parameters(const LoweredConvolution& op,
                                        std::span<const int32_t> bias) {
  const auto channels = static_cast<size_t>(op.output_extent.channels);
  std::vector<int32_t> parameters(divide_up(channels, size_t{4}) * 16);
  for (size_t channel = 0; channel < channels; ++channel) {
    const numerics::ChannelScale scale = op.output_stage.scales[channel];
    const std::array<int32_t, 4> words{bias[channel], scale.multiplier, scale.shift,
                                       op.weights_zero_points[channel]};
    std::ranges::copy(words, parameters.begin() + static_cast<std::ptrdiff_t>(channel * 4));
  }
  return parameters;
}

Result<KernelPlan> plan_fast(const PlanContext& context, const LoweredConvolution& op,
                             Variant variant) {
  const Steps steps = steps_of(op, variant);
  const TensorLayout input = context.layout(op.input);
  const TensorLayout output = context.layout(op.output);
  const bool asymmetric = std::ranges::any_of(op.weights_zero_points,
                                              [](int32_t zero_point) { return zero_point != 0; });
  KernelPlan plan;
  Dispatch dispatch;
  dispatch.shader = shader_name(variant);
  if (context.capabilities.integer_dot_product) {
    dispatch.shader += "_int_dot";
  }
  plan.variant = dispatch.shader;
  dispatch.specialization = {static_cast<uint32_t>(op.output_stage.rounding), asymmetric ? 1u : 0u};
  const graph::Window2d& window = op.window;
  const int32_t channel_blocks = steps.group_blocks * op.groups;
  dispatch.push_constants = push_constants(
      positions_of(op), channel_blocks, steps.group_blocks, input.channel_stride / steps.unit_bytes,
      stride_words(output), steps.group_units, op.input_extent.channels / op.groups, steps.count,
      op.input_extent.height, op.input_extent.width, op.output_extent.height,
      op.output_extent.width, window.kernel_height, window.kernel_width, window.stride_height,
      window.stride_width, window.dilation_height, window.dilation_width, window.padding_top,
      window.padding_left, replicate(op.input_zero_point), op.output_stage.zero_point,
      op.output_stage.activation_min, op.output_stage.activation_max);
  const std::vector<int8_t> weights = pack_weights(op, steps);
  const std::vector<int32_t> parameters = channel_parameters(op, op.folded_bias);
  dispatch.inputs = {tensor_binding(op.input), add_constant(plan, std::span(weights)),
                     add_constant(plan, std::span(parameters))};
  dispatch.output = tensor_binding(op.output);
  const uint64_t tile_positions = variant == Variant::kRow ? 1 : 4;
  const uint64_t tiles = divide_up(uint64_t{positions_of(op)}, tile_positions);
  if (Status status = size_dispatch(context.capabilities,
                                    tiles * static_cast<uint64_t>(channel_blocks), dispatch);
      !status) {
    return tl::unexpected(status.error());
  }
  plan.dispatches.push_back(std::move(dispatch));
  return plan;
}

Result<KernelPlan> plan_direct(const PlanContext& context, const LoweredConvolution& op) {
  const TensorLayout output = context.layout(op.output);
  KernelPlan plan;
  Dispatch dispatch;
  dispatch.shader = shader_name(Variant::kDirect);
  plan.variant = dispatch.shader;
  dispatch.specialization = {static_cast<uint32_t>(op.output_stage.rounding)};
  const graph::Window2d& window = op.window;
  dispatch.push_constants = push_constants(
      positions_of(op), op.output_extent.channels, op.output_extent.channels / op.groups,
      op.input_extent.channels / op.groups, context.layout(op.input).channel_stride,
      stride_words(output), op.input_extent.height, op.input_extent.width, op.output_extent.height,
      op.output_extent.width, window.kernel_height, window.kernel_width, window.stride_height,
      window.stride_width, window.dilation_height, window.dilation_width, window.padding_top,
      window.padding_left, op.input_zero_point, op.output_stage.zero_point,
      op.output_stage.activation_min, op.output_stage.activation_max);
  std::vector<int8_t> weights = op.weights;
  weights.resize(divide_up(weights.size(), size_t{kWordBytes}) * kWordBytes);
  const std::vector<int32_t> parameters = channel_parameters(op, op.bias);
  dispatch.inputs = {tensor_binding(op.input), add_constant(plan, std::span<const int8_t>(weights)),
                     add_constant(plan, std::span(parameters))};
  dispatch.output = tensor_binding(op.output);
  if (Status status = size_dispatch(context.capabilities,
                                    uint64_t{positions_of(op)} * row_words(output), dispatch);
      !status) {
    return tl::unexpected(status.error());
  }
  plan.dispatches.push_back(std::move(dispatch));
  return plan;
}

// A fully connected layer may flatten its input: one of its rows is then several rows of the
// tensor, [pixels][channels]. That is a convolution whose kernel covers all of the pixels; its
// weights are already in that order.
Result<LoweredConvolution> unflatten(const LoweredConvolution& op, const TensorLayout& input) {
  const int32_t flat_channels = op.input_extent.channels;
  if (input.channels == flat_channels) {
    return op;
  }
  const bool is_fully_connected =
      op.input_extent.height == 1 && op.input_extent.width == 1 && is_matrix_product(op);
  if (!is_fully_connected || flat_channels % input.channels != 0) {
    return make_error(ErrorCode::kUnsupported,
                      "it reads rows of {} channels from a tensor whose rows have {}",
                      flat_channels, input.channels);
  }
  LoweredConvolution unflattened = op;
  unflattened.input_extent.height = flat_channels / input.channels;
  unflattened.input_extent.channels = input.channels;
  unflattened.window.kernel_height = unflattened.input_extent.height;
  return unflattened;
}

}  // namespace

Result<KernelPlan> plan_convolution(const PlanContext& context, const LoweredConvolution& op) {
  const TensorLayout output = context.layout(op.output);
  if (output.channels != op.output_extent.channels) {
    return make_error(ErrorCode::kUnsupported,
                      "it writes rows of {} channels to a tensor whose rows have {}",
                      op.output_extent.channels, output.channels);
  }
  const Result<LoweredConvolution> addressable = unflatten(op, context.layout(op.input));
  if (!addressable) {
    return tl::unexpected(addressable.error());
  }
  const Variant variant = choose_variant(*addressable);
  return variant == Variant::kDirect ? plan_direct(context, *addressable)
                                     : plan_fast(context, *addressable, variant);
}

}  // namespace lockstep::backend::vulkan
