#include "backend/vulkan/run_profiling.h"

namespace lockstep::backend::vulkan {

void set_times(std::span<const uint64_t> ticks, const DeviceClock& clock,
               std::span<DispatchTime> items) {
  const uint64_t mask =
      clock.valid_bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << clock.valid_bits) - 1;
  // Differences are right modulo 2^valid_bits; their sum does not wrap.
  uint64_t since_first = 0;
  const auto microseconds = [&] {
    return static_cast<double>(since_first) * clock.nanoseconds_per_tick / 1000;
  };
  for (size_t i = 0; i < items.size(); ++i) {
    items[i].begin_us = microseconds();
    since_first += (ticks[i + 1] - ticks[i]) & mask;
    items[i].end_us = microseconds();
  }
}

}  // namespace lockstep::backend::vulkan
