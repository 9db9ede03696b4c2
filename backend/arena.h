// Memory planning: where in one arena each activation lives, so that tensors which are alive at the
// same time never overlap.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::backend {

// A tensor's need: `bytes` from step `first` (when it is written) to step `last` (its last read),
// both inclusive.
struct Lifetime {
  int64_t bytes = 0;
  int32_t first = 0;
  int32_t last = 0;
};

struct ArenaPlan {
  std::vector<int64_t> offsets;  // one for each lifetime, multiples of the alignment
  int64_t bytes = 0;             // size of the arena
  int64_t lower_bound = 0;       // largest sum of (aligned) sizes alive at one step
};

// Greedy: one tensor after another into the lowest gap that its lifetime leaves, in several orders
// (large ones first, in execution order, long-lived ones first, ...) until one reaches the lower
// bound; the smallest arena wins. `alignment` is a power of two.
ArenaPlan plan_arena(std::span<const Lifetime> lifetimes, int64_t alignment);

}  // namespace lockstep::backend
