#include "bench/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace lockstep::bench {
namespace {

TEST(Statistics, QuantilesLieBetweenNeighbours) {
  const std::vector<double> values{4, 1, 3, 2};
  EXPECT_DOUBLE_EQ(median(values), 2.5);
  EXPECT_DOUBLE_EQ(quantile(values, 0.0), 1);
  EXPECT_DOUBLE_EQ(quantile(values, 1.0), 4);
  EXPECT_DOUBLE_EQ(quantile(values, 0.9), 3.7);
  EXPECT_DOUBLE_EQ(median(std::vector<double>{7}), 7);
  EXPECT_DOUBLE_EQ(median({}), 0);
}

TEST(Statistics, ASummaryIsOfAllTimes) {
  std::vector<double> seconds;
  for (int i = 100; i >= 0; --i) seconds.push_back(i);
  const TimeSummary summary = summarise(seconds);
  EXPECT_EQ(summary.samples, 101u);
  EXPECT_DOUBLE_EQ(summary.median_seconds, 50);
  EXPECT_DOUBLE_EQ(summary.p95_seconds, 95);
  EXPECT_DOUBLE_EQ(summary.minimum_seconds, 0);
}

TEST(Statistics, APowerLawIsFoundAgain) {
  std::vector<std::vector<double>> factors;
  std::vector<double> values;
  for (const double size : {8.0, 16.0, 64.0}) {
    for (const double batch : {1.0, 3.0, 8.0}) {
      factors.push_back({size, batch});
      values.push_back(0.01 * std::pow(size, 1.9) * std::pow(batch, 0.8));
    }
  }
  const PowerLaw law = fit_power_law(factors, values);
  ASSERT_EQ(law.exponents.size(), 2u);
  EXPECT_NEAR(law.exponents[0], 1.9, 1e-9);
  EXPECT_NEAR(law.exponents[1], 0.8, 1e-9);
  EXPECT_NEAR(std::exp(law.intercept), 0.01, 1e-9);
  EXPECT_NEAR(law.r_squared, 1.0, 1e-9);
}

TEST(Statistics, AFactorThatNeverChangesHasNoExponent) {
  const std::vector<std::vector<double>> factors{{2, 1}, {4, 1}, {8, 1}};
  const PowerLaw law = fit_power_law(factors, std::vector<double>{6, 12, 24});
  EXPECT_NEAR(law.exponents[0], 1.0, 1e-9);
  EXPECT_NEAR(law.exponents[1], 0.0, 1e-9);
}

TEST(Statistics, NoiseLowersWhatTheLawExplains) {
  const std::vector<std::vector<double>> factors{{1}, {2}, {4}, {8}};
  const PowerLaw law = fit_power_law(factors, std::vector<double>{1, 8, 2, 16});
  EXPECT_LT(law.r_squared, 0.8);
  EXPECT_GT(law.r_squared, 0.2);
}

TEST(Statistics, ALineIsFoundAgainAndStartsAtNothingAtLeast) {
  const std::vector<double> factors{1, 2, 10, 100};
  std::vector<double> values;
  for (const double factor : factors) values.push_back(5 + 3 * factor);
  const Line line = fit_line(factors, values);
  EXPECT_NEAR(line.constant, 5, 1e-9);
  EXPECT_NEAR(line.slope, 3, 1e-9);
  // Faster than in proportion: nothing takes less than no time.
  const Line steep = fit_line(std::vector<double>{1, 2, 3}, std::vector<double>{1, 4, 9});
  EXPECT_DOUBLE_EQ(steep.constant, 0);
  EXPECT_GT(steep.slope, 0);
}

}  // namespace
}  // namespace lockstep::bench
