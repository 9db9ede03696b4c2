#include "backend/vulkan/memory_plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "backend/vulkan/host_layout.h"
#include "backend/vulkan/program_checks.h"

namespace lockstep::backend::vulkan {
namespace {

using Memory = TensorPlace::Memory;

int64_t align_up(int64_t value, int64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

ConstantBlock reserve_constant(MemoryPlan& plan, int64_t bytes) {
  const PlacementRules& rules = plan.rules;
  const ConstantBlock block{std::max(plan.constant_bytes, rules.guard_bytes), bound_bytes(bytes)};
  plan.constant_bytes = block.offset + align_up(block.bytes, rules.alignment) + rules.guard_bytes;
  return block;
}

void lay_out_constants(std::span<const KernelPlan> plans, MemoryPlan& plan) {
  for (const KernelPlan& kernel : plans) {
    auto& blocks = plan.constant_blocks.emplace_back();
    for (const std::vector<std::byte>& constant : kernel.constants) {
      blocks.push_back(reserve_constant(plan, static_cast<int64_t>(constant.size())));
    }
  }
  std::map<int32_t, int64_t> offset_of_root;
  for (TensorPlace& place : plan.activations.places) {
    if (place.memory != Memory::kConstants) {
      continue;
    }
    const auto [found, is_new] = offset_of_root.try_emplace(place.root, 0);
    if (is_new) {
      found->second = reserve_constant(plan, place.bytes).offset;
    }
    place.offset = found->second;
  }
}

// Gives every distinct non-constant border tensor a place in a staging buffer; its size.
int64_t lay_out_staging(const std::vector<int32_t>& tensors, const MemoryPlan& plan,
                        std::vector<Transfer>& transfers) {
  int64_t bytes = 0;
  std::set<int32_t> seen;
  for (const int32_t tensor : tensors) {
    const TensorPlace& place = plan.place(tensor);
    if (place.memory == Memory::kArena && seen.insert(place.root).second) {
      transfers.push_back({place.root, bytes});
      bytes += align_up(plan.place(place.root).bytes, plan.rules.alignment);
    }
  }
  return bytes;
}

// The tensors that have memory of their own there, by offset.
std::map<int64_t, int32_t> roots_in(const MemoryPlan& plan, Memory memory) {
  std::map<int64_t, int32_t> roots;
  for (const TensorPlace& place : plan.activations.places) {
    if (place.memory == memory) {
      roots.emplace(plan.place(place.root).offset, place.root);
    }
  }
  return roots;
}

}  // namespace

std::string PlannedGraph::tensor_name(int32_t tensor) const {
  return fmt::format("tensor '{}'",
                     graph::printable(graph.tensors[static_cast<size_t>(tensor)].name));
}

Result<MemoryPlan> plan_memory(const PlannedGraph& planned, const Capabilities& capabilities,
                               const CompileOptions& options) {
  MemoryPlan plan;
  plan.rules = placement_rules(capabilities, options);
  auto activations = plan_activations(planned.graph, planned.plans, plan.rules);
  if (!activations) {
    return tl::unexpected(activations.error());
  }
  plan.activations = std::move(*activations);
  for (size_t tensor = 0; tensor < plan.activations.places.size(); ++tensor) {
    if (plan.activations.places[tensor].memory == Memory::kNone) {
      continue;
    }
    if (Status status = check_tensor(planned.graph, static_cast<int32_t>(tensor), capabilities);
        !status) {
      return tl::unexpected(status.error());
    }
  }
  lay_out_constants(planned.plans, plan);
  if (!capabilities.unified_memory) {
    plan.upload_bytes = lay_out_staging(planned.graph.inputs, plan, plan.uploads);
    plan.download_bytes = lay_out_staging(planned.graph.outputs, plan, plan.downloads);
  }
  return plan;
}

void write_constants(const PlannedGraph& planned, const MemoryPlan& plan, std::byte* destination) {
  for (size_t op = 0; op < planned.plans.size(); ++op) {
    for (size_t i = 0; i < planned.plans[op].constants.size(); ++i) {
      std::ranges::copy(planned.plans[op].constants[i],
                        destination + plan.constant_blocks[op][i].offset);
    }
  }
  for (size_t tensor = 0; tensor < planned.graph.tensors.size(); ++tensor) {
    const graph::LoweredTensor& source = planned.graph.tensors[tensor];
    const TensorPlace& place = plan.activations.places[tensor];
    if (place.memory == Memory::kConstants && place.root == static_cast<int32_t>(tensor)) {
      // Constants are in the signed domain already, which is what int8 means here.
      copy_to_device_layout(graph::DataType::kInt8, layout_of(source), source.constant.data(),
                            destination + place.offset);
    }
  }
}

GuardedMemory guard_activations(const PlannedGraph& planned, const MemoryPlan& plan, Memory memory,
                                uint8_t fill) {
  GuardedMemory guarded(
      memory == Memory::kArena ? plan.activations.arena_bytes : plan.activations.border_bytes,
      fill);
  for (const auto& [offset, root] : roots_in(plan, memory)) {
    guarded.add_activation(planned.tensor_name(root), offset, plan.place(root).bytes);
  }
  return guarded;
}

GuardedMemory guard_constants(const PlannedGraph& planned, const MemoryPlan& plan, uint8_t fill) {
  GuardedMemory guarded(plan.constant_bytes, fill);
  for (size_t op = 0; op < planned.plans.size(); ++op) {
    for (size_t i = 0; i < plan.constant_blocks[op].size(); ++i) {
      const ConstantBlock& block = plan.constant_blocks[op][i];
      guarded.add_constant(
          fmt::format("constant {} of operator {} ({})", i,
                      planned.graph.operators[op].source_operator, planned.plans[op].variant),
          block.offset, block.bytes);
    }
  }
  for (const auto& [offset, root] : roots_in(plan, Memory::kConstants)) {
    guarded.add_constant(planned.tensor_name(root), offset, plan.place(root).bytes);
  }
  write_constants(planned, plan, guarded.image().data());
  return guarded;
}

}  // namespace lockstep::backend::vulkan
