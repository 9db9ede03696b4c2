#include "backend/vulkan/convolution_staged.h"

#include <algorithm>

#include "backend/vulkan/convolution_parameters.h"

namespace lockstep::backend::vulkan {
namespace {

using graph::LoweredConvolution;

// The constants of the shader.
constexpr int32_t kInvocations = 64;
constexpr int32_t kTileChannels = 8;
constexpr int32_t kWorkgroupPositions = 32;
constexpr int32_t kWorkgroupChannels = 64;
constexpr int32_t kRoundUnits = 2;
constexpr uint32_t kSharedBytes =
    kRoundUnits * (kWorkgroupPositions + kWorkgroupChannels) * kUnitBytes;

enum class Form : uint8_t { kInteger, kIntDot, kIntDotSaturating };

std::string_view shader_name(Form form) {
  switch (form) {
    case Form::kIntDot:
      return "convolution_staged_int_dot";
    case Form::kIntDotSaturating:
      return "convolution_staged_int_dot_saturating";
    case Form::kInteger:
      break;
  }
  return "convolution_staged";
}

int32_t channel_workgroups_of(const LoweredConvolution& op) {
  return divide_up(op.output_extent.channels / op.groups, kWorkgroupChannels);
}

// Whole rounds, and whole workgroups of channels.
Steps steps_of(const LoweredConvolution& op) {
  const int64_t taps = int64_t{op.window.kernel_height} * op.window.kernel_width;
  Steps steps{};
  steps.unit_bytes = kUnitBytes;
  steps.group_units = divide_up(op.input_extent.channels / op.groups, kUnitBytes);
  steps.count = divide_up(taps * steps.group_units, int64_t{kRoundUnits}) * kRoundUnits;
  steps.tile_channels = kTileChannels;
  steps.group_blocks = channel_workgroups_of(op) * (kWorkgroupChannels / kTileChannels);
  return steps;
}

bool fits(const PlanContext& context, const LoweredConvolution& op) {
  const Capabilities& capabilities = context.capabilities;
  const bool groups_are_whole =
      op.groups == 1 || (op.input_extent.channels / op.groups % kUnitBytes == 0 &&
                         op.output_extent.channels / op.groups % kWorkgroupChannels == 0);
  return groups_are_whole && op.input_extent.channels > kWordBytes &&
         op.output_extent.channels > kWordBytes &&
         capabilities.max_workgroup_invocations >= kInvocations &&
         capabilities.max_workgroup_size[0] >= kInvocations &&
         capabilities.max_shared_memory >= kSharedBytes &&
         // Depths are numbered by uint32, which divide() takes to 2^31.
         steps_of(op).count < (int64_t{1} << 31);
}

bool form_fits(const PlanContext& context, const LoweredConvolution& op, Form form) {
  if (form == Form::kInteger) {
    return true;
  }
  return context.capabilities.integer_dot_product &&
         (form == Form::kIntDot || saturating_sums_are_exact(steps_of(op).count));
}

Result<KernelPlan> plan(const PlanContext& context, const LoweredConvolution& op, Form form) {
  const Steps steps = steps_of(op);
  if (Status status = check_packed_weights(context.capabilities, steps.weights_bytes(op.groups));
      !status) {
    return tl::unexpected(status.error());
  }
  KernelPlan plan;
  Dispatch dispatch;
  dispatch.shader = shader_name(form);
  const WeightSums sums = sum_weights(op);
  dispatch.specialization = specialization_of(
      context,
      end_constant(op.output_stage, accumulator_bounds(op.bias, op.input_zero_point, sums)),
      {has_asymmetric_weights(op) ? 1u : 0u});
  const graph::Window2d& window = op.window;
  const int32_t channel_workgroups = channel_workgroups_of(op);
  const int32_t group_tiles = divide_up(op.output_extent.channels / op.groups, kTileChannels);
  const auto multiplier = [](int32_t divisor) {
    return division_multiplier(static_cast<uint32_t>(divisor));
  };
  dispatch.push_constants = push_constants(
      positions_of(op), channel_workgroups, group_tiles,
      context.layout(op.input).channel_stride / kUnitBytes, stride_words(context.layout(op.output)),
      steps.group_units, op.input_extent.channels / op.groups, steps.count / kRoundUnits,
      op.input_extent.height, op.input_extent.width, op.output_extent.height,
      op.output_extent.width, window.kernel_height, window.kernel_width, window.stride_height,
      window.stride_width, window.dilation_height, window.dilation_width, window.padding_top,
      window.padding_left, replicate(op.input_zero_point), op.output_stage.zero_point,
      op.output_stage.activation_min, op.output_stage.activation_max, op.groups,
      multiplier(channel_workgroups), multiplier(op.groups), multiplier(op.output_extent.width),
      multiplier(op.output_extent.height), multiplier(steps.group_units),
      multiplier(window.kernel_width));
  const int32_t domain = form == Form::kInteger ? kUnsignedDomain : 0;
  const std::vector<int8_t> weights = pack_weights(op, steps, domain);
  bind_operands(context, op.input, Binding::View::kStorage, std::span<const int8_t>(weights),
                channel_parameters(op, bias_in_domain(op.folded_bias, sums, domain), domain,
                                   kWorkgroupChannels),
                op.output, plan, dispatch);
  const uint64_t workgroups = divide_up(uint64_t{positions_of(op)}, uint64_t{kWorkgroupPositions}) *
                              static_cast<uint64_t>(channel_workgroups) *
                              static_cast<uint64_t>(op.groups);
  return with_dispatch(context, workgroups * kInvocations, std::move(dispatch), std::move(plan));
}

}  // namespace

std::vector<Alternative> staged_alternatives(const PlanContext& context,
                                             const LoweredConvolution& op) {
  std::vector<Alternative> alternatives;
  if (!fits(context, op)) {
    return alternatives;
  }
  for (const Form form : {Form::kIntDot, Form::kInteger, Form::kIntDotSaturating}) {
    if (form_fits(context, op, form)) {
      alternatives.push_back({.name = std::string(shader_name(form)),
                              .plan = [&context, &op, form] { return plan(context, op, form); },
                              .loop_iterations = steps_of(op).count / kRoundUnits});
    }
  }
  return alternatives;
}

bool prefers_staging(const PlanContext& context, const LoweredConvolution& op) {
  return preferences_of(context.capabilities.device_class).shared_memory_staging &&
         positions_of(op) >= kWorkgroupPositions &&
         op.output_extent.channels / op.groups >= kWorkgroupChannels;
}

}  // namespace lockstep::backend::vulkan
