#include "backend/vulkan/hazards.h"

#include <gtest/gtest.h>

namespace lockstep::backend::vulkan {
namespace {

using Ranges = std::vector<MemoryRange>;

TEST(HazardTracker, ConsumerWaitsForProducerOnlyOnce) {
  HazardTracker tracker;
  EXPECT_FALSE(tracker.needs_barrier_before(Ranges{{0, 0, 16}}, Ranges{{0, 16, 32}}));
  EXPECT_TRUE(tracker.needs_barrier_before(Ranges{{0, 16, 32}}, Ranges{{0, 32, 48}}));
  EXPECT_FALSE(tracker.needs_barrier_before(Ranges{{0, 16, 32}}, Ranges{{0, 48, 64}}));
}

TEST(HazardTracker, IndependentBranchesRunSideBySide) {
  HazardTracker tracker;
  EXPECT_FALSE(tracker.needs_barrier_before(Ranges{{0, 0, 16}}, Ranges{{0, 16, 32}}));
  EXPECT_FALSE(tracker.needs_barrier_before(Ranges{{0, 0, 16}}, Ranges{{0, 32, 48}}));
}

TEST(HazardTracker, ReusedBytesWaitForTheirLastReader) {
  HazardTracker tracker;
  EXPECT_FALSE(tracker.needs_barrier_before(Ranges{{0, 0, 16}}, Ranges{{0, 16, 32}}));
  EXPECT_TRUE(tracker.needs_barrier_before(Ranges{{1, 0, 16}}, Ranges{{0, 8, 12}}));
}

TEST(HazardTracker, OverwritingIsAHazard) {
  HazardTracker tracker;
  EXPECT_FALSE(tracker.needs_barrier_before(Ranges{{0, 0, 16}}, Ranges{{0, 64, 96}}));
  EXPECT_TRUE(tracker.needs_barrier_before(Ranges{{0, 16, 32}}, Ranges{{0, 64, 96}}));
  EXPECT_TRUE(tracker.needs_barrier_before(Ranges{{0, 0, 16}}, Ranges{{0, 80, 128}}));
}

TEST(HazardTracker, TouchingRangesAndOtherBuffersDoNotOverlap) {
  HazardTracker tracker;
  EXPECT_FALSE(tracker.needs_barrier_before({}, Ranges{{0, 0, 16}}));
  EXPECT_FALSE(tracker.needs_barrier_before(Ranges{{0, 16, 32}, {1, 0, 16}}, Ranges{{2, 0, 16}}));
}

}  // namespace
}  // namespace lockstep::backend::vulkan
