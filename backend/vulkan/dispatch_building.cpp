#include "backend/vulkan/dispatch_building.h"

#include <algorithm>
#include <iterator>

namespace lockstep::backend::vulkan {

Binding add_table(KernelPlan& plan, std::span<const int8_t> table) {
  const std::vector<int32_t> words(table.begin(), table.end());
  return add_constant(plan, std::span<const int32_t>(words));
}

bool carries_out(const Capabilities& capabilities, int64_t loop_iterations) {
  constexpr int64_t kShortLoops = 256;
  return loop_iterations <= capabilities.max_loop_iterations - kShortLoops;
}

Result<KernelPlan> plan_one_of(const PlanContext& context,
                               std::span<const Alternative> all_alternatives) {
  std::vector<Alternative> alternatives;
  std::ranges::copy_if(all_alternatives, std::back_inserter(alternatives),
                       [&](const Alternative& alternative) {
                         return carries_out(context.capabilities, alternative.loop_iterations);
                       });
  if (alternatives.empty()) {
    return make_error(ErrorCode::kUnsupported,
                      "it is so large that this driver would end its loops too early, after {} "
                      "iterations",
                      context.capabilities.max_loop_iterations);
  }
  const auto named = std::ranges::find(alternatives, context.kernel, &Alternative::name);
  const Alternative& chosen = named == alternatives.end() ? alternatives.front() : *named;
  Result<KernelPlan> plan = chosen.plan();
  if (plan) {
    plan->variant = chosen.name;
    for (const Alternative& alternative : alternatives) {
      plan->kernels.push_back(alternative.name);
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

}  // namespace lockstep::backend::vulkan
