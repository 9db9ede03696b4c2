#include "quantization/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

namespace lockstep::quantization {
namespace {

std::vector<float> normal_values(size_t count, float scale) {
  std::mt19937 dice(7);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values;
  for (size_t i = 0; i < count; ++i) values.push_back(normal(dice));
  return values;
}

// Every value lies in the bin that was counted for it, and no bin counts more than its values.
void expect_counts(const Histogram& histogram, std::vector<float> values) {
  std::sort(values.begin(), values.end());
  ASSERT_EQ(histogram.count(), values.size());
  EXPECT_EQ(histogram.minimum(), values.front());
  EXPECT_EQ(histogram.maximum(), values.back());
  EXPECT_EQ(histogram.zeros(),
            static_cast<uint64_t>(std::count(values.begin(), values.end(), 0.0f)));
  std::erase(values, 0.0f);
  auto next = values.begin();
  for (const Histogram::Bin& bin : histogram.bins()) {
    for (uint64_t i = 0; i < bin.count; ++i, ++next) {
      ASSERT_NE(next, values.end());
      ASSERT_LE(bin.lower, double{*next});
      ASSERT_LE(double{*next}, bin.upper);
    }
  }
  EXPECT_EQ(next, values.end());
}

TEST(Histogram, CountsEveryValueOnce) {
  const auto values = normal_values(20000, 3);
  Histogram histogram;
  histogram.add(values);
  expect_counts(histogram, values);
}

TEST(Histogram, GrowingGivesWhatKnowingTheRangeGives) {
  auto values = normal_values(5000, 0.01f);
  for (const float scale : {1.0f, 30.0f, 5000.0f}) {
    const auto wider = normal_values(2000, scale);
    values.insert(values.end(), wider.begin(), wider.end());
  }
  values.push_back(0);
  Histogram at_once;
  at_once.add(values);
  Histogram grown;
  for (size_t i = 0; i < values.size(); i += 37) {
    grown.add(std::span(values).subspan(i, std::min<size_t>(37, values.size() - i)));
  }
  expect_counts(grown, values);
  const auto expected = at_once.bins();
  const auto bins = grown.bins();
  ASSERT_EQ(bins.size(), expected.size());
  for (size_t i = 0; i < bins.size(); ++i) {
    EXPECT_EQ(bins[i].lower, expected[i].lower);
    EXPECT_EQ(bins[i].upper, expected[i].upper);
    EXPECT_EQ(bins[i].count, expected[i].count);
  }
}

TEST(Histogram, AtLeastHalfOfTheBinsAreInUse) {
  for (const float maximum : {1.0f, 1.01f, 1.5f, 1.99f, 2.0f}) {
    std::vector<float> values;
    for (int i = 0; i <= 100000; ++i) values.push_back(maximum * static_cast<float>(i) / 100000.0f);
    Histogram histogram;
    histogram.add(values);
    EXPECT_GE(histogram.bins().size(), Histogram::kBins / 2) << maximum;
    EXPECT_LE(histogram.bins().size(), Histogram::kBins);
  }
}

TEST(Histogram, ExtremesAreCountedLikeAnythingElse) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  constexpr float kSmallest = std::numeric_limits<float>::denorm_min();
  for (const std::vector<float>& values :
       {std::vector<float>{5, 5, 5}, std::vector<float>{0, 0}, std::vector<float>{1e30f},
        std::vector<float>{-kLargest, kLargest}, std::vector<float>{kSmallest, -kSmallest, 0},
        std::vector<float>{1e-36f, 1e30f, -1e-36f}, std::vector<float>{16777216, 16777217.9f},
        std::vector<float>{-0.0f, 1}}) {
    Histogram at_once;
    at_once.add(values);
    expect_counts(at_once, values);
    Histogram grown;
    for (const float& value : values) grown.add({&value, 1});
    expect_counts(grown, values);
  }
}

TEST(Histogram, IsEmptyBeforeAnythingIsAdded) {
  Histogram histogram;
  histogram.add({});
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.range(), TensorRange{});
  EXPECT_TRUE(histogram.bins().empty());
}

}  // namespace
}  // namespace lockstep::quantization
