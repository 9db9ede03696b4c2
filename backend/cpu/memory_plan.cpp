#include "backend/cpu/memory_plan.h"

#include <algorithm>
#include <variant>

#include "backend/arena.h"
#include "backend/cpu/operation.h"

namespace lockstep::backend::cpu {
namespace {

int64_t byte_size(const graph::LoweredTensor& tensor) {
  return graph::element_count(tensor.shape).value_or(0) *
         static_cast<int64_t>(graph::data_type_size(tensor.type));
}

constexpr int32_t kNever = -1;

}  // namespace

MemoryPlan plan_memory(const graph::LoweredGraph& graph, bool separate) {
  const size_t count = graph.tensors.size();
  MemoryPlan plan;
  plan.offsets.assign(count, -1);
  plan.first_steps.assign(count, kNever);
  plan.last_steps.assign(count, kNever);
  for (size_t i = 0; i < count; ++i) {
    plan.roots.push_back(static_cast<int32_t>(i));
    plan.bytes.push_back(byte_size(graph.tensors[i]));
  }
  const auto last_step = static_cast<int32_t>(graph.operators.size()) + 1;
  const auto root_of = [&](int32_t tensor) {
    return static_cast<size_t>(plan.roots[static_cast<size_t>(tensor)]);
  };
  const auto is_constant = [&](int32_t tensor) {
    return !graph.tensors[static_cast<size_t>(tensor)].constant.empty();
  };
  const auto write = [&](int32_t tensor, int32_t step) {
    const size_t root = root_of(tensor);
    if (plan.first_steps[root] == kNever) plan.first_steps[root] = step;
    plan.last_steps[root] = std::max(plan.last_steps[root], step);
  };
  const auto read = [&](int32_t tensor, int32_t step) {
    if (is_constant(tensor)) return;
    int32_t& last = plan.last_steps[root_of(tensor)];
    last = std::max(last, step);
  };
  for (const int32_t input : graph.inputs) write(input, 0);
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const graph::LoweredOperation& operation = graph.operators[i].operation;
    const int32_t output = graph::operation_output(operation);
    const auto step = static_cast<int32_t>(i) + 1;
    const auto* reshape = std::get_if<graph::LoweredReshape>(&operation);
    if (reshape != nullptr && !separate && !is_constant(reshape->input)) {
      plan.roots[static_cast<size_t>(output)] = plan.roots[static_cast<size_t>(reshape->input)];
    }
    for (const int32_t input : graph::operation_inputs(operation)) read(input, step);
    write(output, step);
  }
  for (const int32_t output : graph.outputs) read(output, last_step);

  std::vector<Lifetime> lifetimes;
  std::vector<size_t> owners;
  for (size_t i = 0; i < count; ++i) {
    if (plan.roots[i] != static_cast<int32_t>(i) || plan.first_steps[i] == kNever) continue;
    lifetimes.push_back({plan.bytes[i] + kReadSlack, separate ? 0 : plan.first_steps[i],
                         separate ? last_step : plan.last_steps[i]});
    owners.push_back(i);
  }
  const ArenaPlan arena = plan_arena(lifetimes, kAlignment);
  for (size_t i = 0; i < owners.size(); ++i) plan.offsets[owners[i]] = arena.offsets[i];
  for (size_t i = 0; i < count; ++i)
    plan.offsets[i] = plan.offsets[root_of(static_cast<int32_t>(i))];
  plan.arena_bytes = arena.bytes;
  plan.arena_lower_bound = arena.lower_bound;
  return plan;
}

}  // namespace lockstep::backend::cpu
