#include "numerics/requantization.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "numerics/effective_scale.h"

namespace lockstep::numerics {
namespace {

constexpr std::int32_t kLowest = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kHighest = std::numeric_limits<std::int32_t>::max();

constexpr std::int32_t scaled_by(double real_scale, std::int32_t accumulator, Rounding rounding) {
  return scale_accumulator(accumulator, channel_scale(real_scale, rounding), rounding);
}

static_assert(requantize(100, channel_scale(0.5, Rounding::kDoubleTiesUp), Rounding::kDoubleTiesUp,
                         -128, -128, 127) == -78);

struct TieCase {
  double scale;
  std::int32_t accumulator;
  std::int32_t ties_up;
  std::int32_t ties_away;
  std::int32_t single;
  std::int32_t float32;
};

// Each rounding is told apart from each other one by some row.
constexpr TieCase kTieCases[] = {
    {0.5, 1, 1, 1, 1, 0},      {0.5, 3, 2, 2, 2, 2},        {0.5, 5, 3, 3, 3, 2},
    {0.5, -1, 0, 0, 0, 0},     {0.5, -3, -1, -1, -1, -2},   {0.25, 2, 1, 1, 1, 0},
    {0.25, -2, 0, -1, 0, 0},   {0.25, -6, -1, -2, -1, -2},  {0.25, 5, 2, 2, 1, 1},
    {0.25, -3, 0, -1, -1, -1}, {0.25, -10, -2, -3, -2, -2},
};

TEST(ScaleAccumulator, EachRoundingTreatsTiesItsOwnWay) {
  for (const TieCase& tie : kTieCases) {
    SCOPED_TRACE(::testing::Message() << tie.accumulator << " * " << tie.scale);
    EXPECT_EQ(scaled_by(tie.scale, tie.accumulator, Rounding::kDoubleTiesUp), tie.ties_up);
    EXPECT_EQ(scaled_by(tie.scale, tie.accumulator, Rounding::kDoubleTiesAway), tie.ties_away);
    EXPECT_EQ(scaled_by(tie.scale, tie.accumulator, Rounding::kSingle), tie.single);
    EXPECT_EQ(scaled_by(tie.scale, tie.accumulator, Rounding::kFloat32TiesEven), tie.float32);
  }
}

TEST(ScaleAccumulator, EveryRoundingIsWithinOneOfTheRealProduct) {
  for (const Rounding rounding : kAllRoundings) {
    for (const double scale : {1e-6, 0.001, 0.0417, 0.3, 0.999, 1.7, 20.0}) {
      for (std::int32_t accumulator = -30'000; accumulator <= 30'000; accumulator += 7) {
        ASSERT_NEAR(scaled_by(scale, accumulator, rounding), scale * accumulator, 1.0)
            << rounding_name(rounding);
      }
    }
  }
}

constexpr Rounding kIntegerRoundings[] = {Rounding::kDoubleTiesUp, Rounding::kDoubleTiesAway,
                                          Rounding::kSingle};

TEST(NarrowScale, IsEveryIntegerRoundingOfSmallAccumulators) {
  std::mt19937 random(29);
  std::int64_t compared = 0;
  for (const Rounding rounding : kIntegerRoundings) {
    for (std::int32_t shift = -30; shift <= 28; ++shift) {
      for (const std::int32_t multiplier : {0, 1 << 30, (1 << 30) + 1, 0x55555555, 0x7fffffff}) {
        const ChannelScale scale{multiplier, shift};
        const std::int64_t bound = (std::int64_t{1} << (29 - std::max(shift, 0))) - 1;
        ASSERT_TRUE(is_narrow(scale, rounding, bound));
        const NarrowScale narrow = narrow_scale(scale, rounding);
        const auto expect_equal = [&](std::int64_t accumulator) {
          const auto x = static_cast<std::int32_t>(accumulator);
          ASSERT_EQ(scale_accumulator_narrow(x, narrow), scale_accumulator(x, scale, rounding))
              << x << " * (" << multiplier << ", " << shift << ") " << rounding_name(rounding);
          ++compared;
        };
        // Around zero lie the ties of every power of two; the ends are where words are full.
        for (std::int64_t near = 0; near <= std::min<std::int64_t>(bound, 300); ++near) {
          for (const std::int64_t accumulator : {near, -near, bound - near, near - bound}) {
            expect_equal(accumulator);
          }
        }
        for (std::int64_t power = 1; power < bound; power *= 2) {
          for (const std::int64_t accumulator : {power - 1, power, power + 1}) {
            expect_equal(std::min(accumulator, bound));
            expect_equal(-std::min(accumulator, bound));
          }
        }
        std::uniform_int_distribution<std::int64_t> anywhere(-bound, bound);
        for (int i = 0; i < 200; ++i) {
          expect_equal(anywhere(random));
        }
      }
    }
  }
  EXPECT_GT(compared, 500'000);
}

TEST(NarrowScale, AppliesOnlyWhereNothingOverflows) {
  for (const Rounding rounding : kIntegerRoundings) {
    EXPECT_TRUE(is_narrow({1 << 30, 0}, rounding, (1 << 29) - 1));
    EXPECT_FALSE(is_narrow({1 << 30, 0}, rounding, 1 << 29));
    EXPECT_TRUE(is_narrow({1 << 30, 3}, rounding, (1 << 26) - 1));
    EXPECT_FALSE(is_narrow({1 << 30, 3}, rounding, 1 << 26));
    EXPECT_TRUE(is_narrow({0x7fffffff, -30}, rounding, (1 << 29) - 1));
    EXPECT_FALSE(is_narrow({1 << 30, -31}, rounding, 1000));
    EXPECT_FALSE(is_narrow({-(1 << 30), 0}, rounding, 1000));
    EXPECT_FALSE(is_narrow({1 << 30, 31}, rounding, 1));
  }
  EXPECT_FALSE(is_narrow({0x800000, -24}, Rounding::kFloat32TiesEven, 1000));
}

TEST(ChannelScale, FloatWordsAreTheFloatsMantissaAndExponent) {
  EXPECT_EQ(channel_scale_float32(0.75f), (ChannelScale{0xc00000, -24}));
  EXPECT_EQ(channel_scale(0.75, Rounding::kFloat32TiesEven), (ChannelScale{0xc00000, -24}));
}

TEST(ChannelScale, IsDefinedForWhatIsNoScale) {
  using Limits = std::numeric_limits<double>;
  for (const double real : {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity()}) {
    EXPECT_FALSE(is_usable_scale(real));
    for (const Rounding rounding : kAllRoundings) {
      EXPECT_EQ(channel_scale(real, rounding), (ChannelScale{0, 0})) << rounding_name(rounding);
    }
  }
  EXPECT_EQ(channel_scale(Limits::max(), Rounding::kFloat32TiesEven), (ChannelScale{0, 0}));
  EXPECT_EQ(channel_scale(-1.0, Rounding::kFloat32TiesEven), (ChannelScale{0, 0}));
}

TEST(ChannelScale, ShiftsStayWithinWhatAShaderCanShiftBy) {
  for (int exponent = -1074; exponent <= 1023; ++exponent) {
    for (const double fraction : {1.0, 1.5, 1.9999999999}) {
      const double real = std::ldexp(fraction, exponent);
      for (const Rounding rounding : {Rounding::kDoubleTiesUp, Rounding::kDoubleTiesAway}) {
        const ChannelScale scale = channel_scale(real, rounding);
        ASSERT_GE(scale.shift, -31);
        ASSERT_LE(scale.shift, 31);
        // Dropping a larger shift changes no result.
        const QuantizedMultiplier unbounded = quantize_multiplier(real);
        ASSERT_EQ(scale_accumulator(12345, scale, rounding),
                  rounding == Rounding::kDoubleTiesUp
                      ? multiply_double_ties_up(12345, unbounded)
                      : multiply_double_ties_away(12345, unbounded));
      }
      const ChannelScale single = channel_scale(real, Rounding::kSingle);
      ASSERT_GE(single.shift, -31);
      ASSERT_LE(single.shift, 30);
    }
  }
}

TEST(ChannelScale, UsableScalesEndAtTwoToThe30) {
  EXPECT_TRUE(is_usable_scale(0.0));
  EXPECT_TRUE(is_usable_scale(0x1.fffffffffffffp29));
  EXPECT_FALSE(is_usable_scale(0x1p30));
  EXPECT_FALSE(is_usable_scale(-0.001));
}

TEST(ClampOutput, ClampsTheSumWithoutOverflow) {
  for (const std::int32_t scaled : {kLowest, kLowest + 1, -129, -128, -5, 0, 126, 127, kHighest}) {
    for (const std::int32_t zero_point : {-128, -1, 0, 3, 127}) {
      const std::int64_t sum = std::int64_t{scaled} + zero_point;
      EXPECT_EQ(clamp_output(scaled, zero_point, -128, 127),
                std::clamp<std::int64_t>(sum, -128, 127));
      EXPECT_EQ(clamp_output(scaled, zero_point, -7, -7), -7);
    }
  }
}

TEST(Requantize, ExtremeAccumulatorsReachTheClampNotAnOverflow) {
  for (const Rounding rounding : kAllRoundings) {
    const ChannelScale one = channel_scale(0.9999, rounding);
    EXPECT_EQ(requantize(kHighest, one, rounding, 127, -128, 127), 127);
    EXPECT_EQ(requantize(kLowest, one, rounding, -128, -128, 127), -128);
  }
}

TEST(Requantize, AddsTheZeroPointThenClampsToTheActivation) {
  const ChannelScale half = channel_scale(0.5, Rounding::kDoubleTiesAway);
  const auto result = [&half](std::int32_t accumulator) {
    return requantize(accumulator, half, Rounding::kDoubleTiesAway, 10, 10, 100);
  };
  EXPECT_EQ(result(-1000), 10);
  EXPECT_EQ(result(0), 10);
  EXPECT_EQ(result(40), 30);
  EXPECT_EQ(result(180), 100);
  EXPECT_EQ(result(1000), 100);
}

// XNNPACK's order, on the machine's own float32: clamp, round, add the zero point.
std::int32_t clamp_before_zero_point(std::int32_t accumulator, float scale, std::int32_t zero_point,
                                     std::int32_t activation_min, std::int32_t activation_max) {
  float value = static_cast<float>(accumulator) * scale;
  value = std::max(value, static_cast<float>(activation_min - zero_point));
  value = std::min(value, static_cast<float>(activation_max - zero_point));
  return static_cast<std::int32_t>(std::nearbyint(value)) + zero_point;
}

TEST(Requantize, ClampingAfterTheZeroPointEqualsXnnpacksClampBeforeIt) {
  struct Range {
    std::int32_t low;
    std::int32_t high;
  };
  for (const float scale : {0.5f, 0.25f, 0.3f, 0.01f, 1.0f}) {
    const ChannelScale words = channel_scale_float32(scale);
    for (const std::int32_t zero_point : {-128, -1, 0, 3, 127}) {
      for (const Range range : {Range{-128, 127}, Range{zero_point, 127}, Range{-5, -5}}) {
        for (std::int32_t accumulator = -3000; accumulator <= 3000; ++accumulator) {
          ASSERT_EQ(requantize(accumulator, words, Rounding::kFloat32TiesEven, zero_point,
                               range.low, range.high),
                    clamp_before_zero_point(accumulator, scale, zero_point, range.low, range.high))
              << accumulator << " * " << scale << " + " << zero_point;
        }
        for (const std::int32_t accumulator : {kLowest, kHighest}) {
          ASSERT_EQ(requantize(accumulator, words, Rounding::kFloat32TiesEven, zero_point,
                               range.low, range.high),
                    clamp_before_zero_point(accumulator, scale, zero_point, range.low, range.high));
        }
      }
    }
  }
}

TEST(EffectiveScale, TheWidthOfTheProductReachesTheMultiplier) {
  constexpr float kInput = 0.1f;
  constexpr float kWeight = 0.3f;
  constexpr float kOutput = 1.0f;
  const double wide = effective_scale(kInput, kWeight, kOutput, ScaleProduct::kDouble);
  const double narrow = effective_scale(kInput, kWeight, kOutput, ScaleProduct::kFloat32);
  EXPECT_EQ(wide, double{kInput} * double{kWeight});
  EXPECT_EQ(narrow, double{static_cast<float>(double{kInput} * double{kWeight})});
  EXPECT_NE(quantize_multiplier(wide), quantize_multiplier(narrow));
}

TEST(EffectiveScale, Float32RoundsTheProductThenTheQuotient) {
  const float product = 0.1f * 0.3f;
  EXPECT_EQ(effective_scale_float32(0.1f, 0.3f, 0.7f), product / 0.7f);
}

}  // namespace
}  // namespace lockstep::numerics
