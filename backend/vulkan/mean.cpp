// MEAN over neighbouring axes.
#include <span>

#include "backend/vulkan/dispatch_building.h"
#include "backend/vulkan/kernel.h"

namespace lockstep::backend::vulkan {
namespace {

Result<KernelPlan> plan_shader(const PlanContext& context, const graph::LoweredMean& op,
                               std::string shader) {
  const TensorLayout input = context.layout(op.input);
  const TensorLayout output = context.layout(op.output);
  KernelPlan plan;
  Dispatch dispatch;
  dispatch.shader = std::move(shader);
  const uint32_t words = static_cast<uint32_t>(output.rows) * row_words(output);
  dispatch.push_constants =
      push_constants(words, output.channels, row_words(output), stride_words(output),
                     input.channels, input.channel_stride, op.reduced, op.inner);
  dispatch.inputs = {tensor_binding(op.input),
                     add_constant(plan, std::span<const int32_t>(op.thresholds))};
  dispatch.output = tensor_binding(op.output);
  return with_dispatch(context, words, std::move(dispatch), std::move(plan));
}

}  // namespace

Result<KernelPlan> plan_mean(const PlanContext& context, const graph::LoweredMean& op) {
  std::vector<Alternative> alternatives;
  if (context.layout(op.input).channels == op.inner &&
      context.layout(op.output).channels == op.inner) {
    alternatives.push_back({.name = "mean of rows",
                            .plan = [&] { return plan_shader(context, op, "mean_rows"); },
                            .loop_iterations = op.reduced});
  }
  alternatives.push_back({.name = "mean of elements",
                          .plan = [&] { return plan_shader(context, op, "mean_elements"); },
                          .loop_iterations = int64_t{kWordBytes} * op.reduced});
  return plan_one_of(context, alternatives);
}

}  // namespace lockstep::backend::vulkan
