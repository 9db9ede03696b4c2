// Turns what a profiled run measured into times.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backend/run_profile.h"

namespace lockstep::backend::vulkan {

// The device's clock at the first command and after each item, in its own ticks. Only the low
// `valid_bits` (1 to 64) count, and they may wrap around, though not twice between two readings.
struct DeviceClock {
  uint32_t valid_bits = 64;
  double nanoseconds_per_tick = 1;
};
void set_times(std::span<const uint64_t> ticks, const DeviceClock& clock,
               std::span<DispatchTime> items);

// Notes what the host does, one thing after another.
class HostStopwatch {
 public:
  using Clock = std::chrono::steady_clock;

  // `body` returns a Status (or anything else) and is called `what` in the list.
  template <typename Body>
  auto measure(std::string what, Body body) {
    const double begin_us = elapsed_us();
    auto result = body();
    times_.push_back({std::move(what), begin_us, elapsed_us()});
    return result;
  }
  double elapsed_us() const {
    return std::chrono::duration<double, std::micro>(Clock::now() - start_).count();
  }
  std::vector<HostTime> take_times() { return std::move(times_); }

 private:
  Clock::time_point start_ = Clock::now();
  std::vector<HostTime> times_;
};

}  // namespace lockstep::backend::vulkan
