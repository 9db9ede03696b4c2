#include "bench/growth/growth_benchmark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "backend/registry.h"

namespace lockstep::bench {
namespace {

using testing::HasSubstr;

TEST(GrowthBenchmark, FindsTheSlopesOfASeries) {
  GrowthBenchmark benchmark;
  for (const GrowthPoint& point : growth_points(false)) {
    const double seconds =
        1e-6 * std::pow(point.size, 1.8) * std::pow(point.batch, 0.9) * std::pow(point.depth, 1.1);
    benchmark.times.push_back({point, {.samples = 1, .median_seconds = seconds}});
  }
  fit_growth(benchmark);
  ASSERT_EQ(benchmark.axes.size(), 3u);
  const double expected[] = {1.8, 0.9, 1.1};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(benchmark.law.exponents[i], expected[i], 1e-9);
    EXPECT_NEAR(benchmark.axes[i].exponent, expected[i], 1e-9) << benchmark.axes[i].name;
    for (const double local : benchmark.axes[i].local_exponents) {
      EXPECT_NEAR(local, expected[i], 1e-9);
    }
  }
  EXPECT_EQ(benchmark.axes[0].values, (std::vector<int32_t>{16, 32, 64, 128}));
}

TEST(GrowthBenchmark, FindsWhatARunCostsAtLeast) {
  GrowthBenchmark benchmark;
  for (const GrowthPoint& point : growth_points(false)) {
    const double giga = static_cast<double>(multiply_accumulates(point)) * 1e-9;
    benchmark.times.push_back({point, {.samples = 1, .median_seconds = 0.002 + 0.1 * giga}});
  }
  fit_growth(benchmark);
  EXPECT_NEAR(benchmark.line.constant, 0.002, 1e-9);
  EXPECT_NEAR(benchmark.line.slope, 0.1, 1e-9);
}

TEST(GrowthBenchmark, ItsNetworksMultiplyAsOftenAsItSays) {
  for (const GrowthPoint& point : growth_points(true)) {
    const auto graph = growth_graph(point);
    ASSERT_TRUE(graph) << graph.error().message;
    int64_t sum = 0;
    for (const graph::Operator& op : graph->operators) {
      sum += graph::multiply_accumulates(*graph, op);
    }
    EXPECT_EQ(sum, multiply_accumulates(point)) << point_name(point);
  }
}

TEST(GrowthBenchmark, TimesEveryPointThatTheFilterLeaves) {
  const auto device = backend::open_device("ref", {});
  ASSERT_TRUE(device);
  GrowthBenchmarkOptions options;
  options.measure = {.minimum_seconds = 1e-4, .repetitions = 1};
  options.filter = "depth_1$";
  const auto benchmark =
      run_growth_benchmark(**device, growth_points(true), options, [](const std::string&) {});
  ASSERT_TRUE(benchmark) << benchmark.error().message;
  EXPECT_EQ(benchmark->times.size(), 4u);
  for (const GrowthTime& each : benchmark->times) EXPECT_GT(each.time.median_seconds, 0);
  // One depth alone has no slope.
  EXPECT_TRUE(benchmark->axes[2].local_exponents.empty());

  options.filter = "depth_7";
  const auto none =
      run_growth_benchmark(**device, growth_points(true), options, [](const std::string&) {});
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("depth_7"));
}

}  // namespace
}  // namespace lockstep::bench
