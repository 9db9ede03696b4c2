// Where a program's tensors live in its arena.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/lowered_graph.h"

namespace lockstep::backend::cpu {

struct MemoryPlan {
  // By tensor: another name of which tensor it is (itself, unless a RESHAPE made it).
  std::vector<int32_t> roots;
  // By tensor: its place in the arena, its root's; -1 for constants and what nobody touches.
  std::vector<int64_t> offsets;
  std::vector<int64_t> bytes;  // by tensor
  // By tensor that is a root: operator i is step i + 1, runs begin with step 0.
  std::vector<int32_t> first_steps;
  std::vector<int32_t> last_steps;
  int64_t arena_bytes = 0;
  int64_t arena_lower_bound = 0;  // largest sum of simultaneously live tensors

  bool is_root(int32_t tensor) const { return roots[static_cast<size_t>(tensor)] == tensor; }
};

// Between tensors that live at the same time there are kReadSlack bytes: what kernels read beyond
// one is nobody's to write. `separate`: no tensor takes another's place, and RESHAPE copies.
MemoryPlan plan_memory(const graph::LoweredGraph& graph, bool separate);

}  // namespace lockstep::backend::cpu
