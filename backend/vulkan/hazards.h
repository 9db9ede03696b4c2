// Where a command stream needs barriers: only between accesses of the same bytes of which one is a
// write.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::backend::vulkan {

// Bytes [begin, end) of one buffer; `buffer` is any number that tells buffers apart.
struct MemoryRange {
  uint32_t buffer = 0;
  int64_t begin = 0;
  int64_t end = 0;

  bool operator==(const MemoryRange&) const = default;
};

bool overlap(const MemoryRange& a, const MemoryRange& b);

// Follows the commands in order. A barrier is assumed to order everything before it with everything
// after it (one global memory barrier), so only the accesses since the last one count.
class HazardTracker {
 public:
  // Adds a command and says whether a barrier must go before it: it reads what was written (read
  // after write), overwrites what was read (the arena gives the bytes of a dead tensor to another)
  // or overwrites what was written, even where the two write different bytes of the same range:
  // ranges are what the tools that check for hazards see.
  bool needs_barrier_before(std::span<const MemoryRange> reads,
                            std::span<const MemoryRange> writes);

 private:
  bool conflicts(std::span<const MemoryRange> reads, std::span<const MemoryRange> writes) const;

  std::vector<MemoryRange> reads_;
  std::vector<MemoryRange> writes_;
};

}  // namespace lockstep::backend::vulkan
