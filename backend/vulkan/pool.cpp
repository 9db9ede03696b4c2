// AVERAGE_POOL_2D and MAX_POOL_2D.
#include "backend/vulkan/dispatch_building.h"
#include "backend/vulkan/kernel.h"

namespace lockstep::backend::vulkan {

Result<KernelPlan> plan_pool(const PlanContext& context, const graph::LoweredPool& op) {
  const TensorLayout output = context.layout(op.output);
  if (context.layout(op.input).channels != output.channels) {
    return make_error(ErrorCode::kUnsupported, "its input and output have different channels");
  }
  const bool maximum = op.kind == graph::PoolKind::kMax;
  KernelPlan plan;
  plan.variant = maximum ? "maximum pool" : "average pool";
  Dispatch dispatch;
  dispatch.shader = "pool";
  dispatch.specialization = {maximum ? 1u : 0u};
  const auto positions = static_cast<uint32_t>(output.rows);
  const graph::Window2d& window = op.window;
  dispatch.push_constants = push_constants(
      positions, row_words(output), stride_words(output), op.input_extent.height,
      op.input_extent.width, op.output_extent.height, op.output_extent.width, window.kernel_height,
      window.kernel_width, window.stride_height, window.stride_width, window.dilation_height,
      window.dilation_width, window.padding_top, window.padding_left, op.accumulator_offset,
      op.activation_min, op.activation_max);
  dispatch.inputs = {tensor_binding(op.input)};
  dispatch.output = tensor_binding(op.output);
  if (Status status =
          size_dispatch(context.capabilities, uint64_t{positions} * row_words(output), dispatch);
      !status) {
    return tl::unexpected(status.error());
  }
  plan.dispatches.push_back(std::move(dispatch));
  return plan;
}

}  // namespace lockstep::backend::vulkan
