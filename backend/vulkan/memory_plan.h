// Where everything that a program keeps on the device lies. Pure planning: no Vulkan object is
// touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "backend/device.h"
#include "backend/vulkan/activation_plan.h"
#include "backend/vulkan/capabilities.h"
#include "backend/vulkan/fusion.h"
#include "backend/vulkan/guard_bands.h"
#include "backend/vulkan/kernel.h"
#include "graph/lowered_graph.h"
#include "graph/status.h"

namespace lockstep::backend::vulkan {

struct ConstantBlock {
  int64_t offset = 0;
  int64_t bytes = 0;
};

// A border tensor on its way through a staging buffer.
struct Transfer {
  int32_t tensor = 0;  // the root
  int64_t staging_offset = 0;
};

struct MemoryPlan {
  PlacementRules rules;
  ActivationPlan activations;
  std::vector<std::vector<ConstantBlock>> constant_blocks;  // by operator, constant of its plan
  int64_t constant_bytes = 0;
  std::vector<Transfer> uploads;    // empty with unified memory
  std::vector<Transfer> downloads;  // likewise
  int64_t upload_bytes = 0;
  int64_t download_bytes = 0;

  const TensorPlace& place(int32_t tensor) const {
    return activations.places[static_cast<size_t>(tensor)];
  }
};

// A graph with its plans, one for each of graph.operators. Does not own what it names.
struct PlannedGraph {
  const graph::LoweredGraph& graph;
  std::span<const KernelPlan> plans;
  const FusedGraph* fused = nullptr;  // what `graph` is part of; null: nothing was fused

  // In the graph that was given to compile(): the operator that one of `graph` is named after, and
  // the last one that it computes.
  size_t given_operator(size_t index) const { return fused ? fused->named_after[index] : index; }
  size_t last_given_operator(size_t index) const { return fused ? fused->last_of[index] : index; }
  size_t given_operators() const { return fused ? fused->given.size() : plans.size(); }
  std::string tensor_name(int32_t tensor) const;  // "tensor 'x'"
};

// Fails as plan_activations() and check_tensor() do.
Result<MemoryPlan> plan_memory(const PlannedGraph& planned, const Capabilities& capabilities,
                               const CompileOptions& options);

// Every constant to its place; `destination` has room for plan.constant_bytes.
void write_constants(const PlannedGraph& planned, const MemoryPlan& plan, std::byte* destination);

// What guards know of the arena (kArena) or the border (kBorder), and of the constants. `fill`: see
// CompileOptions.
GuardedMemory guard_activations(const PlannedGraph& planned, const MemoryPlan& plan,
                                TensorPlace::Memory memory, uint8_t fill);
GuardedMemory guard_constants(const PlannedGraph& planned, const MemoryPlan& plan, uint8_t fill);

}  // namespace lockstep::backend::vulkan
