#include "backend/vulkan/hazards.h"

#include <gtest/gtest.h>

namespace lockstep::backend::vulkan {
namespace {

using Ranges = std::vector<MemoryRange>;

TEST(HazardTracker, ConsumerWaitsForProducerOnlyOnce) {
  HazardTracker tracker;
  EXPECT_FALSE(tracker.needs_barrier_before(Ranges{{0, 0, 16}}, Ranges{{0, 16, 32}}, 0));
  EXPECT_TRUE(tracker.needs_barrier_before(Ranges{{0, 16, 32}}, Ranges{{0, 32, 48}}, 1));
  EXPECT_FALSE(tracker.needs_barrier_before(Ranges{{0, 16, 32}}, Ranges{{0, 48, 64}}, 2));
}

TEST(HazardTracker, IndependentBranchesRunSideBySide) {
  HazardTracker tracker;
  EXPECT_FALSE(tracker.needs_barrier_before(Ranges{{0, 0, 16}}, Ranges{{0, 16, 32}}, 0));
  EXPECT_FALSE(tracker.needs_barrier_before(Ranges{{0, 0, 16}}, Ranges{{0, 32, 48}}, 1));
}

TEST(HazardTracker, ReusedBytesWaitForTheirLastReader) {
  HazardTracker tracker;
  EXPECT_FALSE(tracker.needs_barrier_before(Ranges{{0, 0, 16}}, Ranges{{0, 16, 32}}, 0));
  EXPECT_TRUE(tracker.needs_barrier_before(Ranges{{1, 0, 16}}, Ranges{{0, 8, 12}}, 1));
}

TEST(HazardTracker, OverwritingIsAHazardExceptBetweenPartsOfOneTensor) {
  HazardTracker tracker;
  EXPECT_FALSE(tracker.needs_barrier_before(Ranges{{0, 0, 16}}, Ranges{{0, 64, 96}}, 5));
  EXPECT_FALSE(tracker.needs_barrier_before(Ranges{{0, 16, 32}}, Ranges{{0, 64, 96}}, 5));
  EXPECT_TRUE(tracker.needs_barrier_before(Ranges{{0, 0, 16}}, Ranges{{0, 64, 96}}, 6));
}

TEST(HazardTracker, TouchingRangesAndOtherBuffersDoNotOverlap) {
  HazardTracker tracker;
  EXPECT_FALSE(tracker.needs_barrier_before({}, Ranges{{0, 0, 16}}, 0));
  EXPECT_FALSE(
      tracker.needs_barrier_before(Ranges{{0, 16, 32}, {1, 0, 16}}, Ranges{{2, 0, 16}}, 1));
}

TEST(HazardTracker, BarrierForAnotherReasonOrdersEverythingBefore) {
  HazardTracker tracker;
  EXPECT_FALSE(tracker.needs_barrier_before({}, Ranges{{0, 0, 16}}, 0));
  tracker.clear();
  EXPECT_FALSE(tracker.needs_barrier_before(Ranges{{0, 0, 16}}, Ranges{{0, 16, 32}}, 1));
}

}  // namespace
}  // namespace lockstep::backend::vulkan
