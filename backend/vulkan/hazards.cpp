#include "backend/vulkan/hazards.h"

#include <algorithm>

namespace lockstep::backend::vulkan {

bool overlap(const MemoryRange& a, const MemoryRange& b) {
  return a.buffer == b.buffer && a.begin < b.end && b.begin < a.end;
}

bool HazardTracker::conflicts(std::span<const MemoryRange> reads,
                              std::span<const MemoryRange> writes, int32_t group) const {
  for (const Write& earlier : writes_) {
    for (const MemoryRange& read : reads) {
      if (overlap(earlier.range, read)) {
        return true;
      }
    }
    for (const MemoryRange& write : writes) {
      const bool disjoint_parts = earlier.group == group && earlier.range == write;
      if (overlap(earlier.range, write) && !disjoint_parts) {
        return true;
      }
    }
  }
  return std::ranges::any_of(writes, [&](const MemoryRange& write) {
    return std::ranges::any_of(reads_,
                               [&](const MemoryRange& read) { return overlap(read, write); });
  });
}

bool HazardTracker::needs_barrier_before(std::span<const MemoryRange> reads,
                                         std::span<const MemoryRange> writes, int32_t group) {
  const bool needed = conflicts(reads, writes, group);
  if (needed) {
    clear();
  }
  reads_.insert(reads_.end(), reads.begin(), reads.end());
  for (const MemoryRange& write : writes) {
    writes_.push_back({write, group});
  }
  return needed;
}

void HazardTracker::clear() {
  reads_.clear();
  writes_.clear();
}

}  // namespace lockstep::backend::vulkan
