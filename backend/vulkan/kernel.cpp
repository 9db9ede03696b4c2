// From an operator to its family.
#include "backend/vulkan/kernel.h"

#include "backend/vulkan/dispatch_building.h"

namespace lockstep::backend::vulkan {
namespace {

using PlanResult = Result<KernelPlan>;

PlanResult refuse_float(std::string_view what) {
  return make_error(ErrorCode::kUnsupported, "{} needs float arithmetic, which stays on the host",
                    what);
}

struct Planner {
  const PlanContext& context;

  PlanResult operator()(const graph::LoweredConvolution& op) const {
    return plan_convolution(context, op);
  }
  PlanResult operator()(const graph::LoweredDepthwiseConvolution& op) const {
    return plan_depthwise_convolution(context, op);
  }
  PlanResult operator()(const graph::LoweredAdd& op) const { return plan_add(context, op); }
  PlanResult operator()(const graph::LoweredMul& op) const { return plan_mul(context, op); }
  PlanResult operator()(const graph::LoweredPool& op) const { return plan_pool(context, op); }
  PlanResult operator()(const graph::LoweredMean& op) const { return plan_mean(context, op); }
  PlanResult operator()(const graph::LoweredPad& op) const { return plan_pad(context, op); }
  PlanResult operator()(const graph::LoweredConcatenation& op) const {
    return plan_concatenation(context, op);
  }
  PlanResult operator()(const graph::LoweredReshape& op) const { return plan_reshape(context, op); }
  PlanResult operator()(const graph::LoweredTransposition& op) const {
    return plan_transposition(context, op);
  }
  PlanResult operator()(const graph::LoweredResizeNearestNeighbor& op) const {
    return plan_resize_nearest_neighbor(context, op);
  }
  PlanResult operator()(const graph::LoweredResizeBilinear& op) const {
    return plan_resize_bilinear(context, op);
  }
  PlanResult operator()(const graph::LoweredTable& op) const { return plan_table(context, op); }
  PlanResult operator()(const graph::LoweredSoftmax&) const { return refuse_float("SOFTMAX"); }
  PlanResult operator()(const graph::LoweredQuantize&) const {
    return refuse_float("QUANTIZE of float32");
  }
  PlanResult operator()(const graph::LoweredDequantize&) const {
    return refuse_float("DEQUANTIZE");
  }
};

struct EpilogueTaker {
  const PlanContext& context;
  const Epilogue& epilogue;

  bool operator()(const graph::LoweredConvolution& op) const { return follows(op.output_stage); }
  bool operator()(const graph::LoweredDepthwiseConvolution& op) const {
    return follows(op.output_stage);
  }
  // Its table is the fourth storage buffer.
  bool operator()(const graph::LoweredAdd&) const { return !epilogue.adds(); }
  bool operator()(const auto&) const { return false; }

 private:
  // The right operand comes through a texel buffer.
  bool follows(const graph::OutputStage& stage) const {
    return !stage.stores_accumulators &&
           (!epilogue.adds() || context.layout(epilogue.right).bytes() / kWordBytes <=
                                    context.capabilities.max_texel_buffer_elements);
  }
};

}  // namespace

Result<KernelPlan> plan_operator(const PlanContext& context, const graph::LoweredOperator& op) {
  PlanResult plan = std::visit(Planner{context}, op.operation);
  if (!plan) {
    return make_error(plan.error().code, "operator {} ({}): {}", op.source_operator, op.name,
                      plan.error().message);
  }
  if (plan->kernels.empty()) {
    plan->kernels = {plan->variant};
  }
  return plan;
}

bool takes_epilogue(const PlanContext& context, const graph::LoweredOperator& op,
                    const Epilogue& epilogue) {
  return std::visit(EpilogueTaker{context, epilogue}, op.operation);
}

}  // namespace lockstep::backend::vulkan
