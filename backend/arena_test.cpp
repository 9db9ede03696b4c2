#include "backend/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <random>

namespace lockstep::backend {
namespace {

int64_t aligned(int64_t bytes, int64_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

void expect_valid(const std::vector<Lifetime>& lifetimes, int64_t alignment,
                  const ArenaPlan& plan) {
  ASSERT_EQ(plan.offsets.size(), lifetimes.size());
  for (size_t i = 0; i < lifetimes.size(); ++i) {
    EXPECT_EQ(plan.offsets[i] % alignment, 0);
    EXPECT_GE(plan.offsets[i], 0);
    EXPECT_LE(plan.offsets[i] + lifetimes[i].bytes, plan.bytes);
    for (size_t j = 0; j < i; ++j) {
      const bool together =
          lifetimes[i].first <= lifetimes[j].last && lifetimes[j].first <= lifetimes[i].last;
      const bool apart = plan.offsets[i] + lifetimes[i].bytes <= plan.offsets[j] ||
                         plan.offsets[j] + lifetimes[j].bytes <= plan.offsets[i];
      EXPECT_TRUE(!together || apart || lifetimes[i].bytes == 0 || lifetimes[j].bytes == 0)
          << "tensors " << i << " and " << j;
    }
  }
}

TEST(PlanArena, OfNothingIsEmpty) {
  const ArenaPlan plan = plan_arena({}, 64);
  EXPECT_TRUE(plan.offsets.empty());
  EXPECT_EQ(plan.bytes, 0);
  EXPECT_EQ(plan.lower_bound, 0);
}

TEST(PlanArena, ChainNeedsOnlyItsTwoLargestNeighbours) {
  const std::vector<Lifetime> chain{{1000, 0, 1}, {1000, 1, 2}, {1000, 2, 3}, {1000, 3, 4}};
  const ArenaPlan plan = plan_arena(chain, 256);
  expect_valid(chain, 256, plan);
  EXPECT_EQ(plan.lower_bound, 2048);
  EXPECT_EQ(plan.bytes, 2048);
}

TEST(PlanArena, LastReadAndFirstWriteOfTheSameStepDoNotShare) {
  const std::vector<Lifetime> lifetimes{{16, 0, 3}, {16, 3, 5}};
  const ArenaPlan plan = plan_arena(lifetimes, 16);
  EXPECT_NE(plan.offsets[0], plan.offsets[1]);
  EXPECT_EQ(plan.bytes, 32);
}

TEST(PlanArena, NeighbouringLifetimesShareTheSamePlace) {
  const std::vector<Lifetime> lifetimes{{16, 0, 2}, {16, 3, 5}};
  const ArenaPlan plan = plan_arena(lifetimes, 16);
  EXPECT_EQ(plan.offsets[0], plan.offsets[1]);
  EXPECT_EQ(plan.bytes, 16);
}

TEST(PlanArena, ResidualStaysAliveAcrossTheBranch) {
  const std::vector<Lifetime> lifetimes{{100, 0, 3}, {300, 1, 2}, {100, 2, 3}, {100, 3, 4}};
  const ArenaPlan plan = plan_arena(lifetimes, 4);
  expect_valid(lifetimes, 4, plan);
  EXPECT_EQ(plan.lower_bound, 500);
  EXPECT_EQ(plan.bytes, 500);
}

TEST(PlanArena, ChainThatNarrowsInTheMiddleStillAlternates) {
  const std::vector<Lifetime> chain{{128, 0, 1}, {128, 1, 2}, {8, 2, 3}, {128, 3, 4}, {128, 4, 5}};
  const ArenaPlan plan = plan_arena(chain, 256);
  expect_valid(chain, 256, plan);
  EXPECT_EQ(plan.bytes, plan.lower_bound);
}

TEST(PlanArena, EveryLifetimeAtOnceIsTheSum) {
  const std::vector<Lifetime> lifetimes{{1, 0, 9}, {17, 0, 9}, {300, 0, 9}};
  const ArenaPlan plan = plan_arena(lifetimes, 256);
  expect_valid(lifetimes, 256, plan);
  EXPECT_EQ(plan.bytes, 256 + 256 + 512);
  EXPECT_EQ(plan.lower_bound, plan.bytes);
}

TEST(PlanArena, NeverOverlapsNorFallsBelowTheLowerBound) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const int64_t alignment = int64_t{1} << (random() % 9);
    std::vector<Lifetime> lifetimes(random() % 40 + 1);
    for (Lifetime& lifetime : lifetimes) {
      lifetime.bytes = static_cast<int64_t>(random() % 2000);
      lifetime.first = static_cast<int32_t>(random() % 30);
      lifetime.last = lifetime.first + static_cast<int32_t>(random() % 10);
    }
    const ArenaPlan plan = plan_arena(lifetimes, alignment);
    expect_valid(lifetimes, alignment, plan);
    int64_t sum = 0;
    int64_t live_bound = 0;
    for (int32_t step = 0; step < 40; ++step) {
      int64_t live = 0;
      for (const Lifetime& lifetime : lifetimes) {
        live += lifetime.first <= step && step <= lifetime.last ? aligned(lifetime.bytes, alignment)
                                                                : 0;
      }
      live_bound = std::max(live_bound, live);
    }
    for (const Lifetime& lifetime : lifetimes) {
      sum += aligned(lifetime.bytes, alignment);
    }
    EXPECT_EQ(plan.lower_bound, live_bound);
    EXPECT_GE(plan.bytes, plan.lower_bound);
    EXPECT_LE(plan.bytes, sum);
  }
}

// Tensors of a network: each is written at one step and read up to a later one.
class GeneratedNetwork {
 public:
  explicit GeneratedNetwork(uint32_t seed) : random_(seed) {}

  // A chain of `length` operators, the results of some of which are read again `skip` steps later.
  void add_chain(int length, int skip) {
    for (int i = 0; i < length; ++i) {
      const int reach = skip > 0 && below(3) == 0 ? skip : 1;
      write(size(), reach);
    }
  }
  // One tensor that `branches` chains start from and that meet in one operator at the end.
  void add_branches(int branches, int length) {
    const int begin = step_;
    const int end = begin + branches * length + 1;
    lifetimes_.push_back({size(), begin, end - length});
    for (int branch = 0; branch < branches; ++branch) {
      for (int i = 0; i < length; ++i) {
        ++step_;
        lifetimes_.push_back({size(), step_, i + 1 == length ? end : step_ + 1});
      }
    }
    step_ = end;
    write(size(), 1);
  }
  // An encoder whose tensors the mirrored decoder reads again.
  void add_ladder(int depth) {
    const int begin = step_;
    for (int level = 0; level < depth; ++level) {
      lifetimes_.push_back(
          {int64_t{1} << (20 - 2 * level), begin + level, begin + 2 * depth - level});
    }
    for (int level = depth; level-- > 0;) {
      const int step = begin + 2 * depth - level - 1;
      lifetimes_.push_back({int64_t{1} << (20 - 2 * level), step, step + 1});
    }
    step_ = begin + 2 * depth + 1;
  }

  const std::vector<Lifetime>& lifetimes() const { return lifetimes_; }
  int below(int limit) { return static_cast<int>(random_() % static_cast<uint32_t>(limit)); }

 private:
  int64_t size() { return int64_t{1 + below(64)} << (4 + below(10)); }
  void write(int64_t bytes, int reach) {
    lifetimes_.push_back({bytes, step_, step_ + reach});
    ++step_;
  }

  std::mt19937 random_;
  std::vector<Lifetime> lifetimes_;
  int step_ = 0;
};

TEST(PlanArena, StaysCloseToTheLowerBoundOnNetworksOfEveryForm) {
  double worst = 0;
  for (uint32_t seed = 0; seed < 400; ++seed) {
    GeneratedNetwork network(seed);
    const int parts = 1 + network.below(6);
    for (int part = 0; part < parts; ++part) {
      switch (network.below(4)) {
        case 0:
          network.add_chain(2 + network.below(30), 0);
          break;
        case 1:
          network.add_chain(2 + network.below(30), 2 + network.below(4));
          break;
        case 2:
          network.add_branches(2 + network.below(4), 1 + network.below(4));
          break;
        default:
          network.add_ladder(1 + network.below(6));
          break;
      }
    }
    const int64_t alignment = seed % 2 == 0 ? 16 : 256;
    const ArenaPlan plan = plan_arena(network.lifetimes(), alignment);
    expect_valid(network.lifetimes(), alignment, plan);
    ASSERT_GT(plan.lower_bound, 0);
    const double ratio = static_cast<double>(plan.bytes) / static_cast<double>(plan.lower_bound);
    EXPECT_LE(ratio, 1.15) << "seed " << seed;
    worst = std::max(worst, ratio);
  }
  RecordProperty("worst_ratio_percent", static_cast<int>(worst * 100));
  std::printf("worst arena: %.3f of the lower bound\n", worst);
}

}  // namespace
}  // namespace lockstep::backend
