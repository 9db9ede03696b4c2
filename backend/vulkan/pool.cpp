// AVERAGE_POOL_2D and MAX_POOL_2D.
#include <algorithm>
#include <span>

#include "backend/vulkan/dispatch_building.h"
#include "backend/vulkan/kernel.h"

namespace lockstep::backend::vulkan {

namespace {

bool is_maximum(const graph::LoweredPool& op) { return op.kind == graph::PoolKind::kMax; }

Result<KernelPlan> plan_shader(const PlanContext& context, const graph::LoweredPool& op) {
  const TensorLayout output = context.layout(op.output);
  KernelPlan plan;
  Dispatch dispatch;
  dispatch.shader = "pool";
  dispatch.specialization = {is_maximum(op) ? 1u : 0u};
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
  return with_dispatch(context, uint64_t{positions} * row_words(output), std::move(dispatch),
                       std::move(plan));
}

}  // namespace

Result<KernelPlan> plan_pool(const PlanContext& context, const graph::LoweredPool& op) {
  if (context.layout(op.input).channels != context.layout(op.output).channels) {
    return make_error(ErrorCode::kUnsupported, "its input and output have different channels");
  }
  // Taps outside the image cost nothing.
  const int64_t rows = std::min(op.window.kernel_height, op.input_extent.height);
  const int64_t columns = std::min(op.window.kernel_width, op.input_extent.width);
  const Alternative only{.name = is_maximum(op) ? "maximum pool" : "average pool",
                         .plan = [&] { return plan_shader(context, op); },
                         .loop_iterations = rows * (1 + columns)};
  return plan_one_of(context, std::span(&only, 1));
}

}  // namespace lockstep::backend::vulkan
