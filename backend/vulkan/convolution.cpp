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

// The output has as many rows, which int32 counts: see check_tensor().
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

// Every variant that computes the operator, best first. A group must begin and end with what a
// variant loads (units, words) and stores (words).
std::vector<Variant> applicable_variants(const LoweredConvolution& op) {
  const int32_t group_channels = op.input_extent.channels / op.groups;
  const int32_t group_outputs = op.output_extent.channels / op.groups;
  const auto groups_are_whole = [&](int32_t loaded_bytes) {
    return op.groups == 1 ||
           (group_channels % loaded_bytes == 0 && group_outputs % kWordBytes == 0);
  };
  const bool has_units = op.input_extent.channels > kWordBytes;
  std::vector<Variant> variants;
  if (has_units && is_matrix_product(op)) {
    variants = {Variant::kPointwise, Variant::kRow};
    if (positions_of(op) == 1) {
      std::ranges::reverse(variants);
    }
  }
  if (has_units && groups_are_whole(kUnitBytes)) {
    variants.push_back(Variant::kUnits);
  }
  if (groups_are_whole(kWordBytes)) {
    variants.push_back(Variant::kWords);
  }
  variants.push_back(Variant::kDirect);
  return variants;
}

// A variant as shaders/CMakeLists.txt compiles it.
struct Kernel {
  Variant variant;
  bool uses_integer_dot_product = false;

  std::string name() const {
    return fmt::format("{}{}", shader_name(variant), uses_integer_dot_product ? "_int_dot" : "");
  }
};

// How the fast variants walk through the taps: see convolution.comp.
struct Steps {
  int32_t unit_bytes;    // what one load of the input brings
  int32_t group_units;   // loads for one tap of one group
  int64_t count;         // steps of 16 bytes over all taps
  int32_t group_blocks;  // blocks of 4 output channels in a group

  int64_t weights_bytes(int32_t groups) const {
    return groups * count * group_blocks * kWordBytes * kUnitBytes;
  }
};

Steps steps_of(const LoweredConvolution& op, Variant variant) {
  const int64_t taps = int64_t{op.window.kernel_height} * op.window.kernel_width;
  const int32_t group_channels = op.input_extent.channels / op.groups;
  Steps steps{};
  steps.unit_bytes = variant == Variant::kWords ? kWordBytes : kUnitBytes;
  steps.group_units = divide_up(group_channels, steps.unit_bytes);
  steps.count = divide_up(taps * steps.group_units * steps.unit_bytes, int64_t{kUnitBytes});
  steps.group_blocks = divide_up(op.output_extent.channels / op.groups, kWordBytes);
  return steps;
}

// Of one invocation; see Alternative.
int64_t loop_iterations(const LoweredConvolution& op, Variant variant) {
  const int64_t rows = op.window.kernel_height;
  const int64_t taps = rows * op.window.kernel_width;
  const int64_t group_channels = op.input_extent.channels / op.groups;
  switch (variant) {
    case Variant::kRow:
    case Variant::kPointwise:
    case Variant::kWords:
      return steps_of(op, variant).count;
    case Variant::kUnits:
      return rows + taps * (1 + divide_up(group_channels, int64_t{kUnitBytes}));
    case Variant::kDirect:
      break;
  }
  return kWordBytes * (1 + rows + taps * (1 + group_channels));
}

std::vector<Kernel> applicable_kernels(const PlanContext& context, const LoweredConvolution& op) {
  std::vector<Kernel> kernels;
  for (const Variant variant : applicable_variants(op)) {
    if (variant != Variant::kDirect && context.capabilities.integer_dot_product) {
      kernels.push_back({variant, true});
    }
    kernels.push_back({variant, false});
  }
  return kernels;
}

// uvec4 [group][step][block of 4 output channels][channel in block], zeros in between.
std::vector<int8_t> pack_weights(const LoweredConvolution& op, const Steps& steps) {
  const int32_t taps = op.window.kernel_height * op.window.kernel_width;
  const int32_t group_channels = op.input_extent.channels / op.groups;
  const int32_t group_outputs = op.output_extent.channels / op.groups;
  const auto step_bytes = static_cast<size_t>(steps.group_blocks) * kWordBytes * kUnitBytes;
  std::vector<int8_t> packed(static_cast<size_t>(steps.weights_bytes(op.groups)));
  auto weight = op.weights.begin();
  for (int32_t output = 0; output < op.output_extent.channels; ++output) {
    const auto first_step = static_cast<size_t>(output / group_outputs * steps.count);
    const auto channel_bytes = static_cast<size_t>(output % group_outputs) * kUnitBytes;
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
    const numerics::ChannelScale scale = scale_of(op.output_stage, channel);
    const std::array<int32_t, 4> words{bias[channel], scale.multiplier, scale.shift,
                                       op.weights_zero_points[channel]};
    std::ranges::copy(words, parameters.begin() + static_cast<std::ptrdiff_t>(channel * 4));
  }
  return parameters;
}

Result<KernelPlan> plan_fast(const PlanContext& context, const LoweredConvolution& op,
                             const Kernel& kernel) {
  const Steps steps = steps_of(op, kernel.variant);
  const int64_t weights_bytes = steps.weights_bytes(op.groups);
  if (static_cast<uint64_t>(weights_bytes) > context.capabilities.max_storage_buffer_range) {
    return make_error(ErrorCode::kUnsupported,
                      "its weights take {} bytes; the device binds at most {} at once",
                      weights_bytes, context.capabilities.max_storage_buffer_range);
  }
  const TensorLayout input = context.layout(op.input);
  const TensorLayout output = context.layout(op.output);
  const bool asymmetric = std::ranges::any_of(op.weights_zero_points,
                                              [](int32_t zero_point) { return zero_point != 0; });
  KernelPlan plan;
  Dispatch dispatch;
  dispatch.shader = kernel.name();
  dispatch.specialization = {rounding_constant(op.output_stage), asymmetric ? 1u : 0u};
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
  const uint64_t tile_positions = kernel.variant == Variant::kRow ? 1 : 4;
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
  dispatch.specialization = {rounding_constant(op.output_stage)};
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
  std::vector<Alternative> alternatives;
  for (const Kernel& kernel : applicable_kernels(context, *addressable)) {
    alternatives.push_back({.name = kernel.name(),
                            .plan =
                                [&context, &addressable, kernel] {
                                  return kernel.variant == Variant::kDirect
                                             ? plan_direct(context, *addressable)
                                             : plan_fast(context, *addressable, kernel);
                                },
                            .loop_iterations = loop_iterations(*addressable, kernel.variant)});
  }
  return plan_one_of(context, alternatives);
}

std::vector<std::string> convolution_kernels(const PlanContext& context,
                                             const LoweredConvolution& op) {
  std::vector<std::string> names;
  for (const Kernel& kernel : applicable_kernels(context, op)) {
    if (carries_out(context.capabilities, loop_iterations(op, kernel.variant))) {
      names.push_back(kernel.name());
    }
  }
  return names;
}

}  // namespace lockstep::backend::vulkan
