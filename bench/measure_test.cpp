// Of measure(), whichever of its two sources is linked.
#include "bench/measure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace lockstep::bench {
namespace {

using testing::HasSubstr;

TEST(Measure, KeepsEveryRunsOwnTimeForItsCompetitor) {
  int first_runs = 0;
  int second_runs = 0;
  const Competitor competitors[] = {{"first",
                                     [&]() -> Result<double> {
                                       ++first_runs;
                                       return 1.0;
                                     }},
                                    {"second", [&]() -> Result<double> { return ++second_runs; }}};
  const auto seconds = measure(competitors, {.minimum_seconds = 0.001, .repetitions = 2});
  ASSERT_TRUE(seconds) << seconds.error().message;
  ASSERT_EQ(seconds->size(), 2u);
  EXPECT_EQ((*seconds)[0].size(), static_cast<size_t>(first_runs));
  EXPECT_THAT((*seconds)[0], testing::Each(1.0));
  ASSERT_EQ((*seconds)[1].size(), static_cast<size_t>(second_runs));
  EXPECT_DOUBLE_EQ((*seconds)[1].back(), second_runs);
}

TEST(Measure, LetsCompetitorsTakeTurns) {
  std::string order;
  const auto runs = [&](char name) {
    return [&order, name]() -> Result<double> {
      order += name;
      return 1e-6;
    };
  };
  const Competitor competitors[] = {{"a", runs('a')}, {"b", runs('b')}, {"c", runs('c')}};
  // At random: that eight repetitions of three come one competitor after the other happens once in
  // more than a billion times.
  ASSERT_TRUE(measure(competitors, {.minimum_seconds = 0.0, .repetitions = 8}));
  order.erase(std::unique(order.begin(), order.end()), order.end());
  EXPECT_GT(order.size(), 3u) << order;
}

TEST(Measure, AFailureNamesItsCompetitorAndEndsIt) {
  int runs = 0;
  const Competitor competitors[] = {{"good", []() -> Result<double> { return 1.0; }},
                                    {"bad", [&]() -> Result<double> {
                                       if (++runs < 3) return 1.0;
                                       return make_error(ErrorCode::kDeviceLost, "it is gone");
                                     }}};
  const auto seconds = measure(competitors, {.minimum_seconds = 0.01, .repetitions = 2});
  ASSERT_FALSE(seconds);
  EXPECT_EQ(seconds.error().code, ErrorCode::kDeviceLost);
  EXPECT_THAT(seconds.error().message, HasSubstr("bad: it is gone"));
  EXPECT_EQ(runs, 3);
}

TEST(Measure, CanBeUsedAgainAndOfNothing) {
  EXPECT_TRUE(measure({}, {})->empty());
  const Competitor one[] = {{"one", []() -> Result<double> { return 2.0; }}};
  for (int i = 0; i < 2; ++i) {
    const auto seconds = measure(one, {.minimum_seconds = 0.0, .repetitions = 1});
    ASSERT_TRUE(seconds);
    EXPECT_FALSE((*seconds)[0].empty());
  }
}

}  // namespace
}  // namespace lockstep::bench
