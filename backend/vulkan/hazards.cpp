#include "backend/vulkan/hazards.h"

#include <algorithm>

namespace lockstep::backend::vulkan {

bool overlap(const MemoryRange& a, const MemoryRange& b) {
  return a.buffer == b.buffer && a.begin < b.end && b.begin < a.end;
}

bool HazardTracker::conflicts(std::span<const MemoryRange> reads,
                              std::span<const MemoryRange> writes) const {
  const auto any_overlap = [](std::span<const MemoryRange> earlier,
                              std::span<const MemoryRange> later) {
    return std::ranges::any_of(earlier, [&](const MemoryRange& a) {
      return std::ranges::any_of(later, [&](const MemoryRange& b) { return overlap(a, b); });
    });
  };
  return any_overlap(writes_, reads) || any_overlap(writes_, writes) || any_overlap(reads_, writes);
}

bool HazardTracker::needs_barrier_before(std::span<const MemoryRange> reads,
                                         std::span<const MemoryRange> writes) {
  const bool needed = conflicts(reads, writes);
  if (needed) {
    reads_.clear();
    writes_.clear();
  }
  reads_.insert(reads_.end(), reads.begin(), reads.end());
  writes_.insert(writes_.end(), writes.begin(), writes.end());
  return needed;
}

}  // namespace lockstep::backend::vulkan
