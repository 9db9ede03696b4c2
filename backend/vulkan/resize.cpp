// RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR.
#include <span>

#include "backend/vulkan/dispatch_building.h"
#include "backend/vulkan/kernel.h"

namespace lockstep::backend::vulkan {
namespace {

// Appends the only dispatch: of a shader that computes each word of the output's pixels from pixels
// of the input, which `rows` and `columns` name.
Result<KernelPlan> plan_pixels(const PlanContext& context, const auto& op, Dispatch dispatch) {
  const TensorLayout output = context.layout(op.output);
  const uint32_t words = static_cast<uint32_t>(output.rows) * row_words(output);
  KernelPlan plan;
  dispatch.push_constants =
      push_constants(words, row_words(output), stride_words(output), op.input_extent.height,
                     op.input_extent.width, op.output_extent.height, op.output_extent.width);
  for (const uint32_t divisor : {row_words(output), static_cast<uint32_t>(op.output_extent.width),
                                 static_cast<uint32_t>(op.output_extent.height)}) {
    dispatch.push_constants.push_back(division_multiplier(divisor));
  }
  dispatch.inputs = {tensor_binding(op.input), add_constant(plan, std::span(op.rows)),
                     add_constant(plan, std::span(op.columns))};
  dispatch.output = tensor_binding(op.output);
  return with_dispatch(context, words, std::move(dispatch), std::move(plan));
}

Dispatch bilinear_dispatch(const graph::LoweredResizeBilinear& op) {
  using graph::InterpolationArithmetic;
  Dispatch dispatch;
  if (op.arithmetic == InterpolationArithmetic::kFloat32) {
    dispatch.shader = "resize_bilinear_float32";
  } else {
    dispatch.shader = "resize_bilinear";
    dispatch.specialization = {2 * static_cast<uint32_t>(op.fraction_bits),
                               op.arithmetic == InterpolationArithmetic::kFixedPointTiesAway};
  }
  return dispatch;
}

}  // namespace

Result<KernelPlan> plan_resize_bilinear(const PlanContext& context,
                                        const graph::LoweredResizeBilinear& op) {
  static_assert(sizeof(graph::Interpolation) == 4 * sizeof(uint32_t));  // a uvec4 of the shader
  const bool in_float32 = op.arithmetic == graph::InterpolationArithmetic::kFloat32;
  const Alternative only{.name = in_float32 ? "bilinear resize in float32" : "bilinear resize",
                         .plan = [&] { return plan_pixels(context, op, bilinear_dispatch(op)); }};
  return plan_one_of(context, std::span(&only, 1));
}

Result<KernelPlan> plan_resize_nearest_neighbor(const PlanContext& context,
                                                const graph::LoweredResizeNearestNeighbor& op) {
  const Alternative only{.name = "nearest neighbor resize", .plan = [&] {
                           Dispatch dispatch;
                           dispatch.shader = "resize_nearest_neighbor";
                           return plan_pixels(context, op, std::move(dispatch));
                         }};
  return plan_one_of(context, std::span(&only, 1));
}

}  // namespace lockstep::backend::vulkan
