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
  // or overwrites what was written. Commands of one `group` write disjoint parts of the same tensor
  // and do not count as overwriting each other.
  bool needs_barrier_before(std::span<const MemoryRange> reads, std::span<const MemoryRange> writes,
                            int32_t group);

  // A barrier was placed for another reason.
  void clear();

 private:
  struct Write {
    MemoryRange range;
    int32_t group;
  };
  bool conflicts(std::span<const MemoryRange> reads, std::span<const MemoryRange> writes,
                 int32_t group) const;

  std::vector<MemoryRange> reads_;
  std::vector<Write> writes_;
};

}  // namespace lockstep::backend::vulkan
