#include "quantization/error_statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "quantization/affine.h"

namespace lockstep::quantization {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
const float kNan = std::nanf("");

ErrorStatistics of(const std::vector<float>& expected, const std::vector<float>& actual) {
  ErrorStatistics statistics;
  statistics.add(expected, actual);
  return statistics;
}

TEST(ErrorStatistics, FollowTheirFormulae) {
  ErrorStatistics statistics = of({3, -4}, {3, -2});
  statistics.add(std::vector<float>{0, 12}, std::vector<float>{-1, 12});
  EXPECT_EQ(statistics.samples(), 2u);
  EXPECT_EQ(statistics.elements(), 4u);
  EXPECT_EQ(statistics.largest_error(), 2);
  EXPECT_EQ(statistics.mean_error(), 0.25);
  EXPECT_DOUBLE_EQ(statistics.l2(), std::sqrt((4.0 + 1.0) / 2));
  EXPECT_DOUBLE_EQ(statistics.sqnr(), 10 * std::log10((9.0 + 16 + 144) / 5));
  EXPECT_DOUBLE_EQ(statistics.cosine(),
                   (9.0 + 8 + 144) / std::sqrt((9.0 + 16 + 144) * (9.0 + 4 + 1 + 144)));
}

TEST(ErrorStatistics, OfPartsAreThoseOfTheWhole) {
  ErrorStatistics parts = of({1, 2}, {1, 3});
  parts.add(of({5}, {kNan}));
  parts.add(of({-7, 0}, {-7.5f, 0}));
  ErrorStatistics whole = of({1, 2}, {1, 3});
  whole.add(std::vector<float>{5}, std::vector<float>{kNan});
  whole.add(std::vector<float>{-7, 0}, std::vector<float>{-7.5f, 0});
  EXPECT_EQ(parts.samples(), whole.samples());
  EXPECT_EQ(parts.elements(), whole.elements());
  EXPECT_EQ(parts.incomparable(), whole.incomparable());
  EXPECT_EQ(parts.largest_error(), whole.largest_error());
  EXPECT_EQ(parts.mean_error(), whole.mean_error());
  EXPECT_EQ(parts.l2(), whole.l2());
  EXPECT_EQ(parts.sqnr(), whole.sqnr());
  EXPECT_EQ(parts.cosine(), whole.cosine());
}

TEST(ErrorStatistics, WhatDoesNotDifferIsInfinitelyGood) {
  const ErrorStatistics same = of({1, 2, 3}, {1, 2, 3});
  EXPECT_EQ(same.sqnr(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(same.l2(), 0);
  EXPECT_DOUBLE_EQ(same.cosine(), 1);
  EXPECT_EQ(of({}, {}).sqnr(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(ErrorStatistics().l2(), 0);
}

TEST(ErrorStatistics, ZerosHaveNoDirection) {
  EXPECT_EQ(of({0, 0}, {0, 0}).cosine(), 1);
  const ErrorStatistics lost = of({1, 2}, {0, 0});
  EXPECT_EQ(lost.cosine(), 0);
  EXPECT_EQ(lost.sqnr(), 0) << "the error is as large as the signal";
  const ErrorStatistics invented = of({0, 0}, {1, 0});
  EXPECT_EQ(invented.cosine(), 0);
  EXPECT_EQ(invented.sqnr(), -std::numeric_limits<double>::infinity());
}

TEST(ErrorStatistics, WhatIsNoNumberIsCountedApart) {
  const ErrorStatistics same =
      of({kNan, kInfinity, -kInfinity, 1}, {kNan, kInfinity, -kInfinity, 2});
  EXPECT_EQ(same.incomparable(), 0u);
  EXPECT_EQ(same.largest_error(), 1);
  const ErrorStatistics different =
      of({kNan, kInfinity, kInfinity, 1, 2}, {0, -kInfinity, 5, kNan, 2});
  EXPECT_EQ(different.incomparable(), 4u);
  EXPECT_EQ(different.largest_error(), 0);
}

TEST(ErrorStatistics, ExtremesDoNotOverflow) {
  const float largest = std::numeric_limits<float>::max();
  const ErrorStatistics statistics = of({largest, largest}, {-largest, largest});
  EXPECT_TRUE(std::isfinite(statistics.sqnr()));
  EXPECT_NEAR(statistics.cosine(), 0, 1e-12);
}

TEST(ErrorStatistics, EvenlySpreadValuesHaveTheSqnrOfTheirBits) {
  std::mt19937 dice(1);
  std::uniform_real_distribution<float> uniform(-1, 1);
  constexpr graph::IntegerRange kInt8 = {.minimum = -128, .maximum = 127};
  const Affine affine = affine_of({.minimum = -1, .maximum = 1}, kInt8);
  std::vector<float> expected;
  std::vector<float> actual;
  for (int i = 0; i < 100'000; ++i) {
    expected.push_back(uniform(dice));
    actual.push_back(dequantize(quantize(expected.back(), affine, kInt8), affine));
  }
  EXPECT_NEAR(of(expected, actual).sqnr(), kEightBitSqnr, 0.1);
}

}  // namespace
}  // namespace lockstep::quantization
