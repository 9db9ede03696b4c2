#include "quantization/symmetric_rescaling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <limits>
#include <numeric>

namespace lockstep::quantization {
namespace {

using ::testing::ElementsAre;

DifferenceHistogram one_channel(const std::vector<int32_t>& differences) {
  DifferenceHistogram histogram;
  histogram.add_channel(differences);
  return histogram;
}

TEST(SymmetricRescaling, WhatFitsKeepsScaleAndMeaning) {
  const SymmetricRescaling rescaling(one_channel({-127, 0, 3, 127}), 0.5f);
  EXPECT_TRUE(rescaling.keeps_scale());
  EXPECT_EQ(rescaling.scale(), 0.5f);
  EXPECT_THAT(rescaling.channel(std::vector<int32_t>{-127, 0, 3, 127}),
              ElementsAre(-127, 0, 3, 127));
  EXPECT_EQ(rescaling.bias(std::numeric_limits<int32_t>::min()),
            std::numeric_limits<int32_t>::min());
  EXPECT_EQ(SymmetricRescaling(one_channel({}), 0.25f).scale(), 0.25f);
}

TEST(SymmetricRescaling, NothingIsClippedWhereAllMagnitudesAreLarge) {
  const SymmetricRescaling rescaling(one_channel({254, -254, 254, 200, -220, 240}), 0.5f);
  EXPECT_EQ(rescaling.scale(), 1.0f);
  EXPECT_EQ(rescaling.value(254), 127);
  EXPECT_EQ(rescaling.value(-254), -127);
  EXPECT_EQ(rescaling.value(3), 2) << "ties go away from zero";
  EXPECT_EQ(rescaling.value(-3), -2);
  EXPECT_EQ(rescaling.error(3, 2), -0.5);
}

TEST(SymmetricRescaling, OneRareWeightIsClippedRatherThanAllOthersRounded) {
  std::vector<int32_t> differences(100 * 255);
  for (size_t i = 0; i < differences.size(); ++i)
    differences[i] = static_cast<int32_t>(i % 255) - 127;
  differences.push_back(129);
  const SymmetricRescaling rescaling(one_channel(differences), 0.5f);
  EXPECT_EQ(rescaling.scale(), 0.5f);
  EXPECT_EQ(rescaling.value(129), 127);
  EXPECT_EQ(rescaling.error(129, 127), 1.0);
}

// Half of the weights are large and in a strong channel, half are small and in weak ones.
TEST(SymmetricRescaling, WeakChannelsCountAsMuchAsStrongOnes) {
  DifferenceHistogram histogram;
  histogram.add_channel(std::vector<int32_t>{140, 127, -127, 120, 100, -90, 80, 127, -127});
  const SymmetricRescaling alone(histogram, 1.0f);
  EXPECT_GT(alone.scale(), 1.05f);
  for (int i = 0; i < 30; ++i) {
    histogram.add_channel(std::vector<int32_t>{3, 1, 2, -3, 1, -2, 3, 3, -1});
  }
  const SymmetricRescaling together(histogram, 1.0f);
  EXPECT_LT(together.scale(), 1.02f);
}

TEST(SymmetricRescaling, TheScaleIsTheBestOfManyForTheseWeights) {
  for (const int32_t zero_point : {0, 60, 110, 122}) {
    std::vector<int32_t> differences;
    for (int32_t w = 0; w <= 255; ++w) {
      const auto often =
          static_cast<size_t>(1000 * std::exp(-std::pow((w - zero_point) / 50.0, 2)));
      differences.insert(differences.end(), often + 1, w - zero_point);
    }
    const SymmetricRescaling rescaling(one_channel(differences), 1.0f);
    const auto error_of = [&](double scale) {
      double sum = 0;
      for (const int32_t d : differences) {
        sum += std::pow(d - std::clamp(std::round(d / scale), -127.0, 127.0) * scale, 2);
      }
      return sum;
    };
    const double error = error_of(double{rescaling.scale()});
    EXPECT_GE(rescaling.scale(), 1.0f);
    for (double scale = 1.0; scale <= 255.0 / 127.0; scale += 0.01) {
      EXPECT_LE(error, 1.02 * error_of(scale)) << zero_point << " " << scale;
    }
  }
}

// With f = 2 every odd difference is a tie, and all of them go the same way.
TEST(SymmetricRescaling, ErrorsOfAChannelCancel) {
  const std::vector<int32_t> differences = {254, 1, 3, 5, 7, 9, 11, 13};
  const SymmetricRescaling rescaling(one_channel(std::vector<int32_t>(8, 254)), 1.0f);
  ASSERT_EQ(rescaling.scale(), 2.0f);
  const auto values = rescaling.channel(differences);
  const auto sum = 2 * std::accumulate(values.begin(), values.end(), 0);
  EXPECT_NEAR(sum, std::accumulate(differences.begin(), differences.end(), 0), 1);
  for (size_t i = 0; i < values.size(); ++i) EXPECT_LE(std::abs(2 * values[i] - differences[i]), 1);
}

TEST(SymmetricRescaling, CancellingStaysWithinTheRange) {
  const SymmetricRescaling rescaling(one_channel(std::vector<int32_t>(8, 254)), 1.0f);
  EXPECT_THAT(rescaling.channel(std::vector<int32_t>{255, 255, 255, 255}),
              ElementsAre(127, 127, 127, 127));
  EXPECT_THAT(rescaling.channel(std::vector<int32_t>{-255, -255, 255, -255}),
              ElementsAre(-127, -127, 126, -127));
}

TEST(SymmetricRescaling, BiasesCountInStepsOfTheNewScale) {
  const SymmetricRescaling rescaling(one_channel({254, -254}), 0.5f);
  EXPECT_EQ(rescaling.bias(1000), 500);
  EXPECT_EQ(rescaling.bias(-1001), -501);
  EXPECT_EQ(rescaling.bias(std::numeric_limits<int32_t>::min()), -(1 << 30));
}

TEST(SymmetricRescaling, ExtremeScalesStayFinite) {
  const SymmetricRescaling huge(one_channel({255}), FLT_MAX);
  EXPECT_TRUE(std::isfinite(huge.scale()));
  EXPECT_EQ(huge.value(255), 127);
  const SymmetricRescaling tiny(one_channel({254}), FLT_MIN);
  EXPECT_EQ(tiny.scale(), 2 * FLT_MIN);
}

}  // namespace
}  // namespace lockstep::quantization
