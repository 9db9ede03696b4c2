// Where every tensor of a program lives on the device. Pure planning: no Vulkan object is touched.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/device.h"
#include "backend/vulkan/capabilities.h"
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
  // The tensor whose memory this is: itself, the one it is an alias of, or the one it is a part of
  // (KernelPlan::pieces_in_place), which begins where the memory does.
  int32_t root = 0;
  // Of that memory, the steps of the first and the last access: operator i is step i + 1, 0 comes
  // before all of them (the graph's inputs are written) and the number of operators + 1 after (its
  // outputs are read).
  int32_t first = 0;
  int32_t last = 0;
};

struct ActivationPlan {
  std::vector<TensorPlace> places;  // by tensor
  int64_t arena_bytes = 0;
  int64_t arena_lower_bound = 0;
  int64_t border_bytes = 0;
};

struct PlacementRules {
  int64_t alignment = kBindingUnit;  // of offsets: a power of two and at least 16
  // The graph's inputs and outputs (and their aliases) live in the border; otherwise in the arena,
  // inputs from before the first operator and outputs until after the last.
  bool separate_border = false;
  // Bytes, a multiple of the alignment, that stay free in front of every place and behind it. Where
  // there are any, places of the arena are not shared in turn: what is free must stay so.
  int64_t guard_bytes = 0;
};
PlacementRules placement_rules(const Capabilities& capabilities, const CompileOptions& options);

// `plans` belong to graph.operators, one each. kInvalidArgument when the graph's structure is
// broken: an operator reads what nothing has written, a tensor has two writers, an index is out of
// range, an alias changes the layout. kInternal when a piece cannot be where its plan wants it.
Result<ActivationPlan> plan_activations(const graph::LoweredGraph& graph,
                                        std::span<const KernelPlan> plans,
                                        const PlacementRules& rules);

}  // namespace lockstep::backend::vulkan
