// Where every tensor of a program lives on the device. Pure planning: no Vulkan object is touched.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/vulkan/kernel.h"
#include "graph/lowered_graph.h"
#include "graph/status.h"

namespace lockstep::backend::vulkan {

struct TensorPlace {
  enum class Memory : uint8_t {
    kNone,       // no operator touches the tensor
    kArena,      // shared in turn by tensors that are not alive at the same time
    kBorder,     // never shared; the host may write or read it between runs
    kConstants,  // contents fixed when the program is compiled
  };
  Memory memory = Memory::kNone;
  int64_t offset = 0;  // in bytes; of kConstants: left to whoever lays out the constants
  int64_t bytes = 0;   // a multiple of 16
  // The tensor whose memory this is: itself, or the one it is an alias of.
  int32_t root = 0;
};

struct ActivationPlan {
  std::vector<TensorPlace> places;  // by tensor
  int64_t arena_bytes = 0;
  int64_t arena_lower_bound = 0;
  int64_t border_bytes = 0;
};

// `plans` belong to graph.operators, one each. Offsets are multiples of `alignment`, a power of two
// and at least 16.
// With `separate_border` the graph's inputs and outputs (and their aliases) live in the border;
// without it in the arena, inputs from before the first operator and outputs until after the last.
// kInvalidArgument when the graph's structure is broken: an operator reads what nothing has
// written, a tensor has two writers, an index is out of range, an alias changes the layout.
Result<ActivationPlan> plan_activations(const graph::LoweredGraph& graph,
                                        std::span<const KernelPlan> plans, int64_t alignment,
                                        bool separate_border);

}  // namespace lockstep::backend::vulkan
