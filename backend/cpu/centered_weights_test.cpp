#include "backend/cpu/centered_weights.h"

#include <gtest/gtest.h>

#include <numeric>

#include "backend/cpu/operation.h"
#include "backend/cpu/testing/operation_runs.h"

namespace lockstep::backend::cpu {
namespace {

// sum of (x - input_zero_point) * (w - zero_point), plainly.
int32_t accumulator(std::span<const int8_t> input, int32_t input_zero_point,
                    std::span<const int8_t> weights, int32_t zero_point, int32_t bias) {
  int32_t sum = bias;
  for (size_t k = 0; k < input.size(); ++k) {
    sum += (input[k] - input_zero_point) * (weights[k] - zero_point);
  }
  return sum;
}

// The same from what kernels compute: sums of bytes times what is stored.
int32_t accumulator_of_bytes(std::span<const int8_t> input, const CenteredWeights& weights,
                             size_t channel, int32_t row_offset, int32_t byte_domain_bias) {
  int32_t sum = byte_domain_bias;
  int32_t row_sum = 0;
  for (size_t k = 0; k < input.size(); ++k) {
    sum += (to_byte(input[k]) - row_offset) * weights.stored[channel * weights.depth + k];
    row_sum += to_byte(input[k]);
  }
  return weights.row_factors.empty() ? sum : sum + weights.row_factors[channel] * row_sum;
}

void expect_equal_accumulators(const std::vector<int8_t>& weights,
                               const std::vector<int32_t>& zero_points, size_t depth) {
  const CenteredWeights centered = center_weights(weights, zero_points, depth);
  std::vector<int32_t> bias(zero_points.size());
  std::iota(bias.begin(), bias.end(), -3);
  for (const int32_t input_zero_point : {-128, -5, 0, 127}) {
    const std::vector<int8_t> input = testing::random_values(static_cast<int64_t>(depth), 9);
    const std::vector<AccumulatorRange> ranges =
        accumulator_ranges(bias, centered, input_zero_point);
    for (const int32_t row_offset : {0, 128}) {
      const std::vector<int32_t> folded =
          byte_domain_bias(bias, centered, input_zero_point, row_offset);
      for (size_t channel = 0; channel < zero_points.size(); ++channel) {
        const int32_t expected =
            accumulator(input, input_zero_point, std::span(weights).subspan(channel * depth, depth),
                        zero_points[channel], bias[channel]);
        EXPECT_EQ(accumulator_of_bytes(input, centered, channel, row_offset, folded[channel]),
                  expected)
            << "channel " << channel << ", row offset " << row_offset;
        EXPECT_LE(ranges[channel].minimum, expected);
        EXPECT_GE(ranges[channel].maximum, expected);
      }
    }
  }
}

TEST(CenteredWeights, AreLessTheirZeroPointsWhereBytesHoldThat) {
  const std::vector<int8_t> weights = {-128, 0, 127, -100, 3, 5};
  const CenteredWeights centered = center_weights(weights, std::vector{0, 4}, 3);
  EXPECT_EQ(centered.stored, (std::vector<int8_t>{-128, 0, 127, -104, -1, 1}));
  EXPECT_TRUE(centered.row_factors.empty());
  EXPECT_EQ(centered.sums, (std::vector{-1, -104}));
  EXPECT_EQ(centered.magnitudes, (std::vector<int64_t>{255, 106}));
}

// One weight that does not fit leaves all channels as they are: kernels treat a layer as a whole.
TEST(CenteredWeights, StayAsTheyAreWhereBytesDoNotHoldDifferences) {
  const std::vector<int8_t> weights = {-128, 0, 127, -100, 3, 5};
  const CenteredWeights centered = center_weights(weights, std::vector{1, 4}, 3);
  EXPECT_EQ(centered.stored, weights);
  EXPECT_EQ(centered.row_factors, (std::vector{-1, -4}));
  EXPECT_EQ(centered.sums, (std::vector{-4, -104}));
  EXPECT_EQ(center_weights(weights, std::vector{-1, 4}, 3).stored, weights) << "127 + 1";
}

TEST(CenteredWeights, GiveTheAccumulatorsOfTheDefinition) {
  for (const size_t depth : {1, 3, 64, 100}) {
    const auto weights = testing::random_values(static_cast<int64_t>(4 * depth), 5);
    expect_equal_accumulators(weights, {0, 0, 0, 0}, depth);
    expect_equal_accumulators(weights, {-128, 127, 0, 77}, depth);
    const std::vector<int8_t> small(4 * depth, 10);
    expect_equal_accumulators(small, {-100, 100, 0, -117}, depth);
  }
}

TEST(CenteredWeights, RangesAreReached) {
  const std::vector<int8_t> weights = {-128, -127};
  const CenteredWeights centered = center_weights(weights, std::vector{127}, 2);
  const std::vector<int32_t> bias = {-7};
  // (255 - 0) * (-128 - 127) + (255 - 0) * (-127 - 127) - 7
  const auto range = [&](int32_t input_zero_point) {
    return accumulator_ranges(bias, centered, input_zero_point).front();
  };
  constexpr int64_t kWeights = 255 + 254;
  EXPECT_EQ(range(-128), (AccumulatorRange{-255 * kWeights - 7, 255 * kWeights - 7}));
  EXPECT_EQ(range(0), (AccumulatorRange{-128 * kWeights - 7, 128 * kWeights - 7}));
  EXPECT_EQ(range(127), (AccumulatorRange{-255 * kWeights - 7, 255 * kWeights - 7}));
}

// Far beyond 2^31, where only sums modulo 2^32 are right.
TEST(CenteredWeights, SumsWrapAround) {
  constexpr size_t kDepth = 70'000;
  const std::vector<int8_t> weights(kDepth, -128);
  const CenteredWeights centered = center_weights(weights, std::vector{127}, kDepth);
  EXPECT_EQ(centered.magnitudes.front(), int64_t{255} * kDepth);
  const std::vector<int32_t> bias = {2'000'000'000};
  const std::vector<int32_t> folded = byte_domain_bias(bias, centered, 127, 0);
  // 2e9 + 255 * 255 * 70000, modulo 2^32
  EXPECT_EQ(static_cast<uint32_t>(folded.front()),
            static_cast<uint32_t>(2'000'000'000ll + 255ll * 255ll * 70'000ll));
  EXPECT_EQ(accumulator_ranges(bias, centered, 127).front().maximum,
            2'000'000'000ll + 255ll * 255ll * 70'000ll);
}

}  // namespace
}  // namespace lockstep::backend::cpu
