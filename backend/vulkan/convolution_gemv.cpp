#include "backend/vulkan/convolution_gemv.h"

#include <algorithm>

#include "backend/vulkan/convolution_parameters.h"

namespace lockstep::backend::vulkan {
namespace {

using graph::LoweredConvolution;

// The constants of the shader.
constexpr int32_t kInvocations = 64;
constexpr int32_t kTileChannels = 4;
constexpr int32_t kWorkgroupBlocks = 4;
constexpr int32_t kSlices = 16;
// Of ivec4 for each block, and one more word, for each slice.
constexpr uint32_t kSharedBytes = kSlices * (kWorkgroupBlocks * kUnitBytes + kWordBytes);

Steps steps_of(const LoweredConvolution& op) {
  Steps steps{};
  steps.unit_bytes = kUnitBytes;
  steps.group_units = divide_up(op.input_extent.channels, kUnitBytes);
  steps.count = steps.group_units;
  steps.tile_channels = kTileChannels;
  steps.group_blocks = divide_up(op.output_extent.channels, kTileChannels);
  return steps;
}

bool fits(const PlanContext& context, const LoweredConvolution& op) {
  const Capabilities& capabilities = context.capabilities;
  return positions_of(op) == 1 && is_matrix_product(op) && op.input_extent.channels > kWordBytes &&
         capabilities.max_workgroup_invocations >= kInvocations &&
         capabilities.max_workgroup_size[0] >= kInvocations &&
         capabilities.max_shared_memory >= kSharedBytes;
}

Result<KernelPlan> plan(const PlanContext& context, const LoweredConvolution& op,
                        bool uses_integer_dot_product) {
  const Steps steps = steps_of(op);
  if (Status status = check_packed_weights(context.capabilities, steps.weights_bytes(1)); !status) {
    return tl::unexpected(status.error());
  }
  KernelPlan plan;
  Dispatch dispatch;
  dispatch.shader = uses_integer_dot_product ? "convolution_gemv_int_dot" : "convolution_gemv";
  const WeightSums sums = sum_weights(op);
  dispatch.specialization = specialization_of(
      context,
      end_constant(op.output_stage, accumulator_bounds(op.bias, op.input_zero_point, sums)),
      {has_asymmetric_weights(op) ? 1u : 0u});
  dispatch.push_constants = push_constants(
      steps.group_blocks, op.input_extent.channels, steps.count, op.output_stage.zero_point,
      op.output_stage.activation_min, op.output_stage.activation_max);
  const int32_t domain = uses_integer_dot_product ? 0 : kUnsignedDomain;
  const std::vector<int8_t> weights = pack_weights(op, steps, domain);
  bind_operands(
      context, op.input, Binding::View::kStorage, std::span<const int8_t>(weights),
      channel_parameters(op, bias_in_domain(op.folded_bias, sums, domain), domain, kTileChannels),
      op.output, plan, dispatch);
  const uint64_t workgroups =
      static_cast<uint64_t>(divide_up(steps.group_blocks, kWorkgroupBlocks));
  return with_dispatch(context, workgroups * kInvocations, std::move(dispatch), std::move(plan));
}

}  // namespace

std::vector<Alternative> gemv_alternatives(const PlanContext& context,
                                           const LoweredConvolution& op) {
  std::vector<Alternative> alternatives;
  if (!fits(context, op)) {
    return alternatives;
  }
  const int64_t loop_iterations = divide_up(steps_of(op).count, int64_t{kSlices}) + 2 * kSlices;
  if (context.capabilities.integer_dot_product) {
    alternatives.push_back({.name = "convolution_gemv_int_dot",
                            .plan = [&context, &op] { return plan(context, op, true); },
                            .loop_iterations = loop_iterations});
  }
  alternatives.push_back({.name = "convolution_gemv",
                          .plan = [&context, &op] { return plan(context, op, false); },
                          .loop_iterations = loop_iterations});
  return alternatives;
}

bool prefers_gemv(const PlanContext& context) {
  return preferences_of(context.capabilities.device_class).split_depth;
}

}  // namespace lockstep::backend::vulkan
