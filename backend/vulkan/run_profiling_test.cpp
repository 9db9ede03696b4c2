#include "backend/vulkan/run_profiling.h"

#include <gtest/gtest.h>

namespace lockstep::backend::vulkan {
namespace {

TEST(RunProfiling, ItemsFollowOneAnotherOnTheDevicesClock) {
  std::vector<DispatchTime> items(2);
  const std::vector<uint64_t> ticks = {1000, 1500, 1900};
  set_times(ticks, {.valid_bits = 64, .nanoseconds_per_tick = 10}, items);
  EXPECT_DOUBLE_EQ(items[0].begin_us, 0);
  EXPECT_DOUBLE_EQ(items[0].end_us, 5);
  EXPECT_DOUBLE_EQ(items[1].begin_us, 5);
  EXPECT_DOUBLE_EQ(items[1].end_us, 9);
}

TEST(RunProfiling, ClocksOfAnyWidthMayWrapAround) {
  for (const uint32_t bits : {36u, 48u, 64u}) {
    const uint64_t mask = bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
    std::vector<DispatchTime> items(3);
    // Bits above the valid ones hold anything.
    const std::vector<uint64_t> ticks = {mask - 99, 900 | (bits < 64 ? ~mask : 0), 901, 1901};
    set_times(ticks, {.valid_bits = bits, .nanoseconds_per_tick = 1000}, items);
    EXPECT_DOUBLE_EQ(items[0].end_us, 1000) << bits;
    EXPECT_DOUBLE_EQ(items[1].end_us, 1001) << bits;
    EXPECT_DOUBLE_EQ(items[2].begin_us, 1001) << bits;
    EXPECT_DOUBLE_EQ(items[2].end_us, 2001) << bits;
  }
}

TEST(RunProfiling, TheStopwatchNotesWhatHappenedInOrder) {
  HostStopwatch stopwatch;
  EXPECT_EQ(stopwatch.measure("first", [] { return 7; }), 7);
  stopwatch.measure("second", [] { return 8; });
  const double end_us = stopwatch.elapsed_us();
  const std::vector<HostTime> times = stopwatch.take_times();
  ASSERT_EQ(times.size(), 2u);
  EXPECT_EQ(times[0].what, "first");
  EXPECT_LE(times[0].begin_us, times[0].end_us);
  EXPECT_LE(times[0].end_us, times[1].begin_us);
  EXPECT_LE(times[1].end_us, end_us);
}

}  // namespace
}  // namespace lockstep::backend::vulkan
