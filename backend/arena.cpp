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

}  // namespace

ArenaPlan plan_arena(std::span<const Lifetime> lifetimes, int64_t alignment) {
  ArenaPlan plan;
  plan.offsets.assign(lifetimes.size(), 0);
  plan.lower_bound = largest_live_sum(lifetimes, alignment);

  std::vector<size_t> by_size(lifetimes.size());
  std::iota(by_size.begin(), by_size.end(), size_t{0});
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](size_t a, size_t b) { return lifetimes[a].bytes > lifetimes[b].bytes; });

  std::vector<size_t> placed_by_offset;
  for (const size_t current : by_size) {
    const int64_t bytes = align_up(lifetimes[current].bytes, alignment);
    int64_t offset = 0;
    for (const size_t other : placed_by_offset) {
      if (!overlap_in_time(lifetimes[current], lifetimes[other])) {
        continue;
      }
      if (offset + bytes <= plan.offsets[other]) {
        break;
      }
      offset = std::max(offset, plan.offsets[other] + align_up(lifetimes[other].bytes, alignment));
    }
    plan.offsets[current] = offset;
    plan.bytes = std::max(plan.bytes, offset + bytes);
    const auto position =
        std::upper_bound(placed_by_offset.begin(), placed_by_offset.end(), offset,
                         [&](int64_t value, size_t other) { return value < plan.offsets[other]; });
    placed_by_offset.insert(position, current);
  }
  return plan;
}

}  // namespace lockstep::backend
