#include "backend/vulkan/program_planning.h"

#include <map>
#include <optional>
#include <tuple>

namespace lockstep::backend::vulkan {
namespace {

std::optional<PlannedTensor::Memory> memory_of(TensorPlace::Memory memory) {
  switch (memory) {
    case TensorPlace::Memory::kArena:
      return PlannedTensor::Memory::kArena;
    case TensorPlace::Memory::kBorder:
      return PlannedTensor::Memory::kBorder;
    case TensorPlace::Memory::kConstants:
      return PlannedTensor::Memory::kConstants;
    case TensorPlace::Memory::kNone:
      break;
  }
  return std::nullopt;
}

// Of the graph that was given to compile(): what happens in a step of the planned one is seen when
// the last of its operators is computed.
int32_t given_step(const PlannedGraph& planned, int32_t step) {
  if (step == 0) {
    return 0;
  }
  const auto index = static_cast<size_t>(step) - 1;
  const size_t given =
      index < planned.plans.size() ? planned.last_given_operator(index) : planned.given_operators();
  return static_cast<int32_t>(given) + 1;
}

}  // namespace

ProgramPlan describe_program(const PlannedGraph& planned, const MemoryPlan& memory,
                             std::span<const ChosenBy> chosen_by) {
  ProgramPlan plan;
  plan.arena_bytes = memory.activations.arena_bytes;
  plan.arena_lower_bound = memory.activations.arena_lower_bound;
  plan.border_bytes = memory.activations.border_bytes;
  plan.staging_bytes = memory.upload_bytes + memory.download_bytes;
  plan.constant_bytes = memory.constant_bytes;
  plan.operators.resize(planned.given_operators());
  if (planned.fused != nullptr) {
    const std::vector<OperatorPlacement> placements = placements_of(*planned.fused, planned.plans);
    for (size_t i = 0; i < placements.size(); ++i) {
      plan.operators[i].source_operator = placements[i].source_operator;
      plan.operators[i].kernel = placements[i].variant;
    }
  }
  for (size_t i = 0; i < planned.plans.size(); ++i) {
    const KernelPlan& kernel = planned.plans[i];
    PlannedOperator& op = plan.operators[planned.given_operator(i)];
    op.source_operator = planned.graph.operators[i].source_operator;
    op.kernel = kernel.variant;
    op.chosen_by = chosen_by[i];
    op.dispatches = static_cast<int64_t>(kernel.dispatches.size());
    for (const ConstantBlock& block : memory.constant_blocks[i]) {
      op.constant_bytes += block.bytes;
    }
  }
  // Sorted by where they are; several tensors with one root are one piece.
  using Where = std::tuple<PlannedTensor::Memory, int64_t, int32_t>;
  std::map<Where, PlannedTensor> pieces;
  for (size_t tensor = 0; tensor < memory.activations.places.size(); ++tensor) {
    const TensorPlace& place = memory.activations.places[tensor];
    const auto kind = memory_of(place.memory);
    if (!kind) {
      continue;
    }
    const TensorPlace& root = memory.place(place.root);
    PlannedTensor& piece = pieces[{*kind, root.offset, place.root}];
    const bool is_part = place.offset != root.offset || place.bytes != root.bytes;
    (is_part ? piece.parts : piece.tensors).push_back(static_cast<int32_t>(tensor));
    piece.memory = *kind;
    piece.offset = root.offset;
    piece.bytes = root.bytes;
    piece.first = given_step(planned, place.first);
    piece.last = given_step(planned, place.last);
  }
  for (auto& [where, piece] : pieces) {
    plan.tensors.push_back(std::move(piece));
  }
  return plan;
}

}  // namespace lockstep::backend::vulkan
