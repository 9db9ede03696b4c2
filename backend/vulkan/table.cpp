// TABLE: any element-wise function of one tensor.
#include "backend/vulkan/dispatch_building.h"
#include "backend/vulkan/kernel.h"

namespace lockstep::backend::vulkan {

Result<KernelPlan> plan_table(const PlanContext& context, const graph::LoweredTable& op) {
  const TensorLayout layout = context.layout(op.output);
  if (context.layout(op.input) != layout) {
    return make_error(ErrorCode::kUnsupported, "its input and output have different shapes");
  }
  KernelPlan plan;
  Dispatch dispatch;
  dispatch.shader = "copy_rows_table";
  plan.variant = "table";
  // One block that holds every row.
  const auto rows = static_cast<uint32_t>(layout.rows);
  const uint32_t words = rows * row_words(layout);
  dispatch.push_constants = push_constants(words, row_words(layout), rows, stride_words(layout),
                                           stride_words(layout), 0, 0);
  dispatch.inputs = {tensor_binding(op.input), add_table(plan, op.table)};
  dispatch.output = tensor_binding(op.output);
  return with_dispatch(context, words, std::move(dispatch), std::move(plan));
}

}  // namespace lockstep::backend::vulkan
