#include "backend/vulkan/dispatch_building.h"

#include <algorithm>

namespace lockstep::backend::vulkan {

Binding add_table(KernelPlan& plan, std::span<const int8_t> table) {
  const std::vector<int32_t> words(table.begin(), table.end());
  return add_constant(plan, std::span<const int32_t>(words));
}

uint32_t end_constant(const graph::OutputStage& stage, std::span<const int64_t> bounds) {
  bool narrow = !stage.stores_accumulators;
  for (size_t channel = 0; narrow && channel < bounds.size(); ++channel) {
    narrow = numerics::is_narrow(stage.scales[channel], stage.rounding, bounds[channel]);
  }
  return end_constant(stage) + (narrow ? kNarrow : 0);
}

bool carries_out(const Capabilities& capabilities, int64_t loop_iterations) {
  constexpr int64_t kShortLoops = 256;
  return loop_iterations <= capabilities.max_loop_iterations - kShortLoops;
}

const Alternative* choose(const PlanContext& context, std::span<const Alternative> alternatives) {
  const Alternative* first = nullptr;
  for (const Alternative& alternative : alternatives) {
    if (!carries_out(context.capabilities, alternative.loop_iterations)) {
      continue;
    }
    if (alternative.name == context.kernel) {
      return &alternative;
    }
    first = first == nullptr ? &alternative : first;
  }
  return first;
}

Result<KernelPlan> plan_one_of(const PlanContext& context,
                               std::span<const Alternative> alternatives) {
  const Alternative* chosen = choose(context, alternatives);
  if (chosen == nullptr) {
    return make_error(ErrorCode::kUnsupported,
                      "it is so large that this driver would end its loops too early, after {} "
                      "iterations",
                      context.capabilities.max_loop_iterations);
  }
  Result<KernelPlan> plan = chosen->plan();
  if (plan) {
    plan->variant = chosen->name;
    for (const Alternative& alternative : alternatives) {
      if (carries_out(context.capabilities, alternative.loop_iterations)) {
        plan->kernels.push_back(alternative.name);
      }
    }
  }
  return plan;
}

Status size_dispatch(const Capabilities& capabilities, uint64_t invocations, Dispatch& dispatch) {
  constexpr uint32_t kPreferredLocalSize = 64;
  const uint32_t local_size = std::min({kPreferredLocalSize, capabilities.max_workgroup_size[0],
                                        capabilities.max_workgroup_invocations});
  const uint64_t workgroups = divide_up(invocations, uint64_t{local_size});
  const uint64_t columns = std::min<uint64_t>(workgroups, capabilities.max_workgroup_count[0]);
  const uint64_t rows = divide_up(workgroups, columns);
  if (rows > capabilities.max_workgroup_count[1]) {
    return make_error(ErrorCode::kUnsupported, "{} workgroups; the device allows {} x {}",
                      workgroups, capabilities.max_workgroup_count[0],
                      capabilities.max_workgroup_count[1]);
  }
  dispatch.workgroups = {static_cast<uint32_t>(columns), static_cast<uint32_t>(rows), 1};
  dispatch.specialization.insert(dispatch.specialization.begin(), local_size);
  return {};
}

Status add_dispatch(const PlanContext& context, uint64_t invocations, Dispatch dispatch,
                    KernelPlan& plan) {
  if (Status status = size_dispatch(context.capabilities, invocations, dispatch); !status) {
    return status;
  }
  plan.dispatches.push_back(std::move(dispatch));
  return {};
}

Result<KernelPlan> with_dispatch(const PlanContext& context, uint64_t invocations,
                                 Dispatch dispatch, KernelPlan plan) {
  if (Status status = add_dispatch(context, invocations, std::move(dispatch), plan); !status) {
    return tl::unexpected(status.error());
  }
  return plan;
}

}  // namespace lockstep::backend::vulkan
