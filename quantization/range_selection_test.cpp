#include "quantization/range_selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace lockstep::quantization {
namespace {

constexpr graph::IntegerRange kInt8 = {.minimum = -128, .maximum = 127};
constexpr RangeMethod kMethods[] = {RangeMethod::kMinMax, RangeMethod::kPercentile,
                                    RangeMethod::kMse, RangeMethod::kEntropy};

TensorRange range_of_values(const std::vector<float>& values, const RangeOptions& options) {
  Histogram histogram;
  histogram.add(values);
  return choose_range(histogram, options);
}

double squared_error(const std::vector<float>& values, TensorRange range) {
  const Affine affine = affine_of(range, kInt8);
  double sum = 0;
  for (const float value : values) {
    const double error = double{value} - double{dequantize(quantize(value, affine, kInt8), affine)};
    sum += error * error;
  }
  return sum;
}

// Normally distributed values, cut off at zero where they are those of a ReLU.
std::vector<float> normal_values(size_t count, bool is_relu = false) {
  std::mt19937 dice(3);
  std::normal_distribution<float> normal;
  std::vector<float> values;
  for (size_t i = 0; i < count; ++i) {
    const float value = normal(dice);
    values.push_back(is_relu ? std::max(value, 0.0f) : value);
  }
  return values;
}

TEST(RangeSelection, MethodsHaveNames) {
  for (const RangeMethod method : kMethods) {
    EXPECT_EQ(parse_range_method(range_method_name(method)), method);
  }
  EXPECT_FALSE(parse_range_method("average"));
}

TEST(RangeSelection, MinMaxIsEverythingAndZero) {
  const RangeOptions options{.method = RangeMethod::kMinMax};
  EXPECT_EQ(range_of_values({-1, 2.5f, 0.25f}, options),
            (TensorRange{.minimum = -1, .maximum = 2.5f}));
  EXPECT_EQ(range_of_values({2, 3}, options), (TensorRange{.minimum = 0, .maximum = 3}));
}

TEST(RangeSelection, PercentilesAreThoseOfSortedValues) {
  auto values = normal_values(100'000);
  const auto range =
      range_of_values(values, {.method = RangeMethod::kPercentile, .percentile = 99});
  std::sort(values.begin(), values.end());
  // 0.5 % are cut off at either end.
  EXPECT_NEAR(range.minimum, values[500], 3e-3);
  EXPECT_NEAR(range.maximum, values[99'500], 3e-3);
}

TEST(RangeSelection, PercentilesCountZeros) {
  auto values = normal_values(100'000, /*is_relu=*/true);
  const auto range =
      range_of_values(values, {.method = RangeMethod::kPercentile, .percentile = 90});
  std::sort(values.begin(), values.end());
  EXPECT_EQ(range.minimum, 0);
  EXPECT_NEAR(range.maximum, values[95'000], 3e-3);
  // Of this nothing would be left.
  std::vector<float> rare(10'000, 0.0f);
  rare[3] = 5;
  EXPECT_EQ(range_of_values(rare, {.method = RangeMethod::kPercentile, .percentile = 90}),
            (TensorRange{.minimum = 0, .maximum = 5}));
}

TEST(RangeSelection, MseFindsTheLeastSquaredError) {
  // Tails that are wider than a normal distribution's.
  auto values = normal_values(20'000);
  for (float& value : values) value = value * value * value;
  const TensorRange found = range_of_values(values, {.method = RangeMethod::kMse});
  const auto [minimum, maximum] = std::minmax_element(values.begin(), values.end());
  double least = std::numeric_limits<double>::max();
  for (float lower = 1; lower <= 16; ++lower) {
    for (float upper = 1; upper <= 16; ++upper) {
      least = std::min(least, squared_error(values, {.minimum = *minimum * lower / 16,
                                                     .maximum = *maximum * upper / 16}));
    }
  }
  EXPECT_LT(squared_error(values, found), least * 1.01);
  EXPECT_LT(squared_error(values, found),
            squared_error(values, {.minimum = *minimum, .maximum = *maximum}));
}

TEST(RangeSelection, MseKeepsWhatIsSpreadEvenly) {
  std::vector<float> values;
  for (int i = -1000; i <= 3000; ++i) values.push_back(static_cast<float>(i) / 1000);
  const TensorRange found = range_of_values(values, {.method = RangeMethod::kMse});
  EXPECT_NEAR(found.minimum, -1, 0.03);
  EXPECT_NEAR(found.maximum, 3, 0.05);
}

// By the definition, with nothing summed up in advance.
double divergence_by_definition(const std::vector<Histogram::Bin>& bins, TensorRange range) {
  const Affine affine = affine_of(range, kInt8);
  std::vector<double> p;
  std::vector<double> q;
  std::vector<int32_t> integers;
  double below = 0;
  double above = 0;
  double all = 0;
  for (const Histogram::Bin& bin : bins) {
    const auto count = static_cast<double>(bin.count);
    all += count;
    if (bin.centre() < double{range.minimum}) {
      below += count;
    } else if (bin.centre() > double{range.maximum}) {
      above += count;
    } else {
      p.push_back(count);
      integers.push_back(quantize(static_cast<float>(bin.centre()), affine, kInt8));
    }
  }
  const double inside = all - below - above;
  for (const int32_t integer : integers) {
    double count = 0;
    double shared_by = 0;
    for (size_t i = 0; i < p.size(); ++i) {
      if (integers[i] == integer) {
        count += p[i];
        ++shared_by;
      }
    }
    q.push_back(count / shared_by / inside);
  }
  p.front() += below;
  p.back() += above;
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) sum += p[i] / all * std::log(p[i] / all / q[i]);
  return sum;
}

TEST(RangeSelection, EntropyFindsTheLeastDivergence) {
  auto values = normal_values(3'000);
  for (float& value : values) value = value * std::abs(value) + 0.5f;
  Histogram histogram;
  histogram.add(values);
  const TensorRange seen = histogram.range();
  const TensorRange found = choose_range(histogram, {.method = RangeMethod::kEntropy});
  const auto bins = histogram.bins();
  const double least = divergence_by_definition(bins, found);
  // No neighbour is better, nor is any range whose ends are cut alike.
  for (const float step : {-1.0f, 1.0f}) {
    TensorRange neighbour = found;
    neighbour.maximum += step * seen.maximum / 128;
    if (neighbour.maximum <= seen.maximum) {
      EXPECT_GE(divergence_by_definition(bins, neighbour), least * 0.9999);
    }
    neighbour = found;
    neighbour.minimum += step * seen.minimum / 128;
    if (neighbour.minimum >= seen.minimum) {
      EXPECT_GE(divergence_by_definition(bins, neighbour), least * 0.9999);
    }
  }
  for (int fraction = 4; fraction <= 128; fraction += 4) {
    const float part = static_cast<float>(fraction) / 128.0f;
    EXPECT_GE(divergence_by_definition(
                  bins, {.minimum = seen.minimum * part, .maximum = seen.maximum * part}),
              least * 0.9999);
  }
}

TEST(RangeSelection, EntropyKeepsAlmostAllOfFewValues) {
  // Two values are frequent; what lies beyond them would hardly show at the frequent ones.
  std::vector<float> values = normal_values(2000);
  for (float& value : values) value *= 0.05f;
  for (int i = 0; i < 4000; ++i) values.push_back(i % 2 == 0 ? -0.25f : 0.25f);
  for (int i = 0; i < 200; ++i) values.push_back(static_cast<float>(i - 100) / 25);
  const TensorRange found = range_of_values(values, {.method = RangeMethod::kEntropy});
  const auto clipped = std::count_if(values.begin(), values.end(), [&](float value) {
    return value < found.minimum || value > found.maximum;
  });
  EXPECT_LE(clipped, static_cast<ptrdiff_t>(values.size() / 100))
      << found.minimum << " to " << found.maximum;
}

TEST(RangeSelection, OutliersAreCutOffByAllButMinMax) {
  for (const bool is_relu : {false, true}) {
    auto values = normal_values(200'000, is_relu);
    values[17] = 60;
    for (const RangeMethod method : kMethods) {
      const TensorRange range = range_of_values(values, {.method = method});
      EXPECT_EQ(range.minimum == 0, is_relu) << range_method_name(method);
      EXPECT_GT(range.maximum, 2.5f) << range_method_name(method);
      // Squares weigh even one such value.
      const float bound = method == RangeMethod::kMinMax ? 60
                          : method == RangeMethod::kMse  ? 55
                                                         : 8;
      EXPECT_LE(range.maximum, bound) << range_method_name(method);
    }
  }
}

TEST(RangeSelection, WhatHasNoRangeGetsOne) {
  const float largest = std::numeric_limits<float>::max();
  for (const RangeMethod method : kMethods) {
    const RangeOptions options{.method = method};
    EXPECT_EQ(range_of_values({}, options), (TensorRange{.minimum = 0, .maximum = 1}));
    EXPECT_EQ(range_of_values({0, 0, 0}, options), (TensorRange{.minimum = 0, .maximum = 1}));
    EXPECT_EQ(range_of_values({5, 5, 5}, options), (TensorRange{.minimum = 0, .maximum = 5}));
    EXPECT_EQ(range_of_values({-5}, options), (TensorRange{.minimum = -5, .maximum = 0}));
    for (const std::vector<float>& values :
         {std::vector<float>{1e-44f, 0}, std::vector<float>{-largest, largest},
          std::vector<float>{-1e-30f, 1e30f}}) {
      const TensorRange range = range_of_values(values, options);
      EXPECT_LE(range.minimum, 0);
      EXPECT_GE(range.maximum, 0);
      EXPECT_LT(range.minimum, range.maximum);
      EXPECT_TRUE(std::isfinite(range.minimum) && std::isfinite(range.maximum));
    }
  }
}

}  // namespace
}  // namespace lockstep::quantization
