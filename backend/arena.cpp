#include "backend/arena.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace lockstep::backend {
namespace {

int64_t align_up(int64_t value, int64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

bool overlap_in_time(const Lifetime& a, const Lifetime& b) {
  return a.first <= b.last && b.first <= a.last;
}

// The most bytes that are alive at one step: sizes come in at `first` and leave after `last`.
int64_t largest_live_sum(std::span<const Lifetime> lifetimes, int64_t alignment) {
  std::map<int32_t, int64_t> change_at;
  for (const Lifetime& lifetime : lifetimes) {
    const int64_t bytes = align_up(lifetime.bytes, alignment);
    change_at[lifetime.first] += bytes;
    change_at[lifetime.last + 1] -= bytes;
  }
  int64_t live = 0;
  int64_t largest = 0;
  for (const auto& [step, change] : change_at) {
    live += change;
    largest = std::max(largest, live);
  }
  return largest;
}

struct Placement {
  std::vector<int64_t> offsets;
  int64_t bytes = 0;
};

// Puts the tensors, in the given order, each into the lowest gap between those that are placed and
// alive at the same time.
Placement place_in_order(std::span<const Lifetime> lifetimes, std::span<const size_t> order,
                         int64_t alignment) {
  Placement placement;
  placement.offsets.assign(lifetimes.size(), 0);
  std::vector<size_t> placed_by_offset;
  for (const size_t current : order) {
    const int64_t bytes = align_up(lifetimes[current].bytes, alignment);
    int64_t offset = 0;
    for (const size_t other : placed_by_offset) {
      if (!overlap_in_time(lifetimes[current], lifetimes[other])) {
        continue;
      }
      const int64_t other_offset = placement.offsets[other];
      if (offset + bytes <= other_offset) {
        break;
      }
      offset = std::max(offset, other_offset + align_up(lifetimes[other].bytes, alignment));
    }
    placement.offsets[current] = offset;
    placement.bytes = std::max(placement.bytes, offset + bytes);
    const auto position = std::upper_bound(
        placed_by_offset.begin(), placed_by_offset.end(), offset,
        [&](int64_t value, size_t other) { return value < placement.offsets[other]; });
    placed_by_offset.insert(position, current);
  }
  return placement;
}

}  // namespace

ArenaPlan plan_arena(std::span<const Lifetime> lifetimes, int64_t alignment) {
  std::vector<size_t> by_size(lifetimes.size());
  std::iota(by_size.begin(), by_size.end(), size_t{0});
  std::vector<size_t> by_execution = by_size;
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](size_t a, size_t b) { return lifetimes[a].bytes > lifetimes[b].bytes; });
  std::stable_sort(by_execution.begin(), by_execution.end(),
                   [&](size_t a, size_t b) { return lifetimes[a].first < lifetimes[b].first; });
  Placement best = place_in_order(lifetimes, by_size, alignment);
  Placement other = place_in_order(lifetimes, by_execution, alignment);
  if (other.bytes < best.bytes) {
    best = std::move(other);
  }
  return {std::move(best.offsets), best.bytes, largest_live_sum(lifetimes, alignment)};
}

}  // namespace lockstep::backend
