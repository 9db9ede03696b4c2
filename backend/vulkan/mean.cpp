// MEAN over neighbouring axes.
#include <span>

#include "backend/vulkan/dispatch_building.h"
#include "backend/vulkan/kernel.h"

namespace lockstep::backend::vulkan {

Result<KernelPlan> plan_mean(const PlanContext& context, const graph::LoweredMean& op) {
  const TensorLayout input = context.layout(op.input);
  const TensorLayout output = context.layout(op.output);
  const bool rows = input.channels == op.inner && output.channels == op.inner;
  KernelPlan plan;
  Dispatch dispatch;
  dispatch.shader = rows ? "mean_rows" : "mean_elements";
  plan.variant = rows ? "mean of rows" : "mean of elements";
  const uint32_t words = static_cast<uint32_t>(output.rows) * row_words(output);
  dispatch.push_constants =
      push_constants(words, output.channels, row_words(output), stride_words(output),
                     input.channels, input.channel_stride, op.reduced, op.inner);
  dispatch.inputs = {tensor_binding(op.input),
                     add_constant(plan, std::span<const int32_t>(op.thresholds))};
  dispatch.output = tensor_binding(op.output);
  if (Status status = size_dispatch(context.capabilities, words, dispatch); !status) {
    return tl::unexpected(status.error());
  }
  plan.dispatches.push_back(std::move(dispatch));
  return plan;
}

}  // namespace lockstep::backend::vulkan
