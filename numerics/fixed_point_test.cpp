#include "numerics/fixed_point.h"

#include <gemmlowp/fixedpoint/fixedpoint.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace lockstep::numerics {
namespace {

constexpr std::int32_t kLowest = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kHighest = std::numeric_limits<std::int32_t>::max();
constexpr std::int32_t kTwoToThe30 = std::int32_t{1} << 30;

// Independent arithmetic: rounded quotients from exact integer division in 128 bits, without any
// shift, nudge or bit trick.
using Wide = __int128;

enum class Ties { kUp, kAwayFromZero };

Wide nearest_quotient(Wide numerator, Wide positive_denominator, Ties ties) {
  const bool negative = numerator < 0;
  const Wide size = negative ? -numerator : numerator;
  Wide quotient = size / positive_denominator;
  const Wide twice_remainder = 2 * (size % positive_denominator);
  const bool tie_grows = ties == Ties::kAwayFromZero || !negative;
  if (twice_remainder > positive_denominator ||
      (twice_remainder == positive_denominator && tie_grows)) {
    ++quotient;
  }
  return negative ? -quotient : quotient;
}

Wide power_of_two(int n) { return Wide{1} << n; }

std::int32_t wrapped(Wide value) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
}

std::int32_t expected_high_multiply(std::int32_t a, std::int32_t b) {
  const Wide rounded = nearest_quotient(Wide{a} * b, power_of_two(31), Ties::kUp);
  return rounded > kHighest ? kHighest : static_cast<std::int32_t>(rounded);
}

std::int32_t expected_double(std::int32_t x, QuantizedMultiplier scale, Ties ties) {
  const std::int32_t shifted = scale.shift > 0 ? wrapped(Wide{x} * power_of_two(scale.shift)) : x;
  const std::int32_t high = expected_high_multiply(shifted, scale.multiplier);
  return wrapped(nearest_quotient(high, power_of_two(scale.shift < 0 ? -scale.shift : 0), ties));
}

std::int32_t expected_single(std::int32_t x, QuantizedMultiplier scale) {
  return wrapped(
      nearest_quotient(Wide{x} * scale.multiplier, power_of_two(31 - scale.shift), Ties::kUp));
}

// Every power of two, the values beside it and beside its half multiples, both signs, the extremes,
// and some of no special form.
std::vector<std::int32_t> interesting_values() {
  std::vector<std::int32_t> values = {0, kLowest, kLowest + 1, kHighest, kHighest - 1};
  for (int exponent = 0; exponent < 31; ++exponent) {
    for (const std::int64_t factor : {1, 3, 5}) {
      for (std::int64_t offset = -2; offset <= 2; ++offset) {
        const std::int64_t value = factor * (std::int64_t{1} << exponent) + offset;
        if (value <= kHighest) {
          values.push_back(static_cast<std::int32_t>(value));
          values.push_back(static_cast<std::int32_t>(-value));
        }
      }
    }
  }
  std::mt19937 random(1);
  for (int i = 0; i < 64; ++i) {
    values.push_back(static_cast<std::int32_t>(random()));
  }
  return values;
}

std::vector<std::int32_t> interesting_multipliers() {
  std::vector<std::int32_t> multipliers = {kTwoToThe30,
                                           kTwoToThe30 + 1,
                                           kTwoToThe30 + 2,
                                           kHighest,
                                           kHighest - 1,
                                           0x60000000,
                                           0x50000000,
                                           1288490189,
                                           1431655765,
                                           1717986918,

                                           0x7fff0000,
                                           0,
                                           1};
  std::mt19937 random(2);
  for (int i = 0; i < 8; ++i) {
    multipliers.push_back(static_cast<std::int32_t>(kTwoToThe30 | (random() >> 2)));
  }
  return multipliers;
}

// The accumulators around the point where x * multiplier * 2^(shift - 31) is k + 1/2, for small and
// large k of both signs: where the roundings differ if anywhere.
std::vector<std::int32_t> accumulators_near_ties(QuantizedMultiplier scale) {
  std::vector<std::int32_t> values;
  if (scale.multiplier == 0) {
    return values;
  }
  for (const std::int64_t k : {0, 1, 2, 3, 7, 63, 126, 127, 128, 255, 1000, 32767, 1 << 20}) {
    const Wide numerator = Wide{2 * k + 1} * power_of_two(31) * power_of_two(31);
    const Wide denominator = 2 * Wide{scale.multiplier} * power_of_two(scale.shift + 31);
    const Wide centre = numerator / denominator;
    for (Wide x = centre - 2; x <= centre + 2; ++x) {
      if (x <= kHighest) {
        values.push_back(static_cast<std::int32_t>(x));
        values.push_back(static_cast<std::int32_t>(-x));
      }
    }
  }
  return values;
}

static_assert(quantize_multiplier(0.5) == QuantizedMultiplier{kTwoToThe30, 0});
static_assert(quantize_multiplier(1.0) == QuantizedMultiplier{kTwoToThe30, 1});
static_assert(quantize_multiplier(0.0) == QuantizedMultiplier{0, 0});
static_assert(saturating_rounding_doubling_high_multiply(kLowest, kLowest) == kHighest);
static_assert(rounding_shift_right_ties_up(-3, 1) == -1);
static_assert(rounding_shift_right_ties_away_from_zero(-3, 1) == -2);
static_assert(multiply_double_ties_up(-5, quantize_multiplier(0.25)) == -1);
static_assert(multiply_double_ties_up(-6, quantize_multiplier(0.25)) == -1);
static_assert(multiply_double_ties_away(-6, quantize_multiplier(0.25)) == -2);
static_assert(multiply_single(-6, quantize_multiplier(0.25)) == -1);
static_assert(multiply_single_32bit(-6, quantize_multiplier(0.25)) == -1);

// TensorFlow Lite's definition, in floating point.
QuantizedMultiplier quantize_with_frexp(double real) {
  int shift = 0;
  const double fraction = std::frexp(real, &shift);
  auto multiplier = static_cast<std::int64_t>(std::round(fraction * 2147483648.0));
  if (multiplier == std::int64_t{1} << 31) {
    multiplier /= 2;
    ++shift;
  }
  if (shift < -31) {
    return {0, 0};
  }
  return {static_cast<std::int32_t>(multiplier), shift};
}

TEST(QuantizeMultiplier, EqualsFrexpAndRoundForRandomBitPatterns) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 1'000'000; ++i) {
    const auto real = std::bit_cast<double>(random());
    if (std::isfinite(real)) {
      ASSERT_EQ(quantize_multiplier(real), quantize_with_frexp(real)) << std::hexfloat << real;
    }
  }
}

TEST(QuantizeMultiplier, EqualsFrexpAndRoundBesideEveryTieAndPowerOfTwo) {
  std::mt19937_64 random(4);
  for (int exponent = -40; exponent <= 40; ++exponent) {
    for (int i = 0; i < 2'000; ++i) {
      // A fraction with 32 bits whose last is set: exactly half way between two multipliers.
      const std::uint64_t bits = (std::uint64_t{1} << 31) | (random() >> 33) | 1u;
      const double tie = std::ldexp(static_cast<double>(i == 0 ? 0xffffffffu : bits), exponent);
      for (const double real :
           {tie, std::nextafter(tie, 0.0), std::nextafter(tie, INFINITY), -tie,
            std::ldexp(1.0, exponent), std::nextafter(std::ldexp(1.0, exponent), 0.0)}) {
        ASSERT_EQ(quantize_multiplier(real), quantize_with_frexp(real)) << std::hexfloat << real;
      }
    }
  }
}

TEST(QuantizeMultiplier, RoundingUpToTwoToThe31MovesToTheNextShift) {
  EXPECT_EQ(quantize_multiplier(std::nextafter(1.0, 0.0)), (QuantizedMultiplier{kTwoToThe30, 1}));
  EXPECT_EQ(quantize_multiplier(std::nextafter(0.5, 0.0)), (QuantizedMultiplier{kTwoToThe30, 0}));
}

TEST(QuantizeMultiplier, VanishesBelowShiftMinus31) {
  const double smallest = std::ldexp(0.5, -31);
  EXPECT_EQ(quantize_multiplier(smallest), (QuantizedMultiplier{kTwoToThe30, -31}));
  // One unit less still rounds up to it; one multiplier less does not exist at shift -31.
  EXPECT_EQ(quantize_multiplier(std::nextafter(smallest, 0.0)),
            (QuantizedMultiplier{kTwoToThe30, -31}));
  EXPECT_EQ(quantize_multiplier(smallest * (1.0 - 0x1p-31)), (QuantizedMultiplier{0, 0}));
  EXPECT_EQ(quantize_multiplier(std::numeric_limits<double>::min()), (QuantizedMultiplier{0, 0}));
  EXPECT_EQ(quantize_multiplier(std::numeric_limits<double>::denorm_min()),
            (QuantizedMultiplier{0, 0}));
}

TEST(QuantizeMultiplier, NotANumberAndInfinityGiveZero) {
  for (const double real :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(quantize_multiplier(real), (QuantizedMultiplier{0, 0}));
  }
}

TEST(QuantizeMultiplier, SingleRoundingSaturatesFromShift31On) {
  EXPECT_EQ(saturate_for_single_rounding({kTwoToThe30 + 5, 30}),
            (QuantizedMultiplier{kTwoToThe30 + 5, 30}));
  EXPECT_EQ(saturate_for_single_rounding({kTwoToThe30 + 5, 31}),
            (QuantizedMultiplier{kHighest, 30}));
  EXPECT_EQ(saturate_for_single_rounding(quantize_multiplier(1e300)),
            (QuantizedMultiplier{kHighest, 30}));
}

TEST(HighMultiply, EqualsGemmlowpAndExactDivision) {
  const std::vector<std::int32_t> values = interesting_values();
  for (const std::int32_t a : values) {
    for (const std::int32_t b : values) {
      const std::int32_t result = saturating_rounding_doubling_high_multiply(a, b);
      ASSERT_EQ(result, gemmlowp::SaturatingRoundingDoublingHighMul(a, b)) << a << " * " << b;
      ASSERT_EQ(result, expected_high_multiply(a, b)) << a << " * " << b;
      if (b >= 0) {
        ASSERT_EQ(result, rounding_doubling_high_multiply_32bit(a, b)) << a << " * " << b;
      }
    }
  }
}

TEST(HighMultiply, EqualsGemmlowpForRandomFactors) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 4'000'000; ++i) {
    const std::uint64_t bits = random();
    const auto a = static_cast<std::int32_t>(bits >> 32);
    const auto b = static_cast<std::int32_t>(bits);
    ASSERT_EQ(saturating_rounding_doubling_high_multiply(a, b),
              gemmlowp::SaturatingRoundingDoublingHighMul(a, b));
    const std::int32_t not_negative = b & kHighest;
    ASSERT_EQ(saturating_rounding_doubling_high_multiply(a, not_negative),
              rounding_doubling_high_multiply_32bit(a, not_negative));
  }
}

TEST(HighMultiply, TiesGoUpForBothSigns) {
  EXPECT_EQ(saturating_rounding_doubling_high_multiply(1, kTwoToThe30), 1);
  EXPECT_EQ(saturating_rounding_doubling_high_multiply(-1, kTwoToThe30), 0);
  EXPECT_EQ(saturating_rounding_doubling_high_multiply(3, kTwoToThe30), 2);
  EXPECT_EQ(saturating_rounding_doubling_high_multiply(-3, kTwoToThe30), -1);
}

TEST(RoundingShiftRight, EveryShiftEqualsExactDivisionAndGemmlowp) {
  for (const std::int32_t x : interesting_values()) {
    for (int n = 0; n <= 31; ++n) {
      const Wide denominator = power_of_two(n);
      ASSERT_EQ(rounding_shift_right_ties_up(x, n),
                wrapped(nearest_quotient(x, denominator, Ties::kUp)))
          << x << " >> " << n;
      ASSERT_EQ(rounding_shift_right_ties_away_from_zero(x, n),
                wrapped(nearest_quotient(x, denominator, Ties::kAwayFromZero)))
          << x << " >> " << n;
      ASSERT_EQ(rounding_shift_right_ties_away_from_zero(x, n), gemmlowp::RoundingDivideByPOT(x, n))
          << x << " >> " << n;
    }
  }
}

TEST(RoundingShiftRight, TheTwoRulesDifferExactlyOnNegativeTies) {
  for (std::int32_t x = -100'000; x <= 100'000; ++x) {
    for (const int n : {1, 2, 3, 7}) {
      const bool tie = (x & ((1 << n) - 1)) == 1 << (n - 1);
      const int difference =
          rounding_shift_right_ties_up(x, n) - rounding_shift_right_ties_away_from_zero(x, n);
      ASSERT_EQ(difference, tie && x < 0 ? 1 : 0) << x << " >> " << n;
    }
  }
}

void expect_all_formulae_exact(std::int32_t x, QuantizedMultiplier scale) {
  ASSERT_EQ(multiply_double_ties_up(x, scale), expected_double(x, scale, Ties::kUp))
      << x << " * " << scale.multiplier << " shift " << scale.shift;
  ASSERT_EQ(multiply_double_ties_away(x, scale), expected_double(x, scale, Ties::kAwayFromZero))
      << x << " * " << scale.multiplier << " shift " << scale.shift;
  if (scale.shift <= 30) {
    ASSERT_EQ(multiply_single(x, scale), expected_single(x, scale))
        << x << " * " << scale.multiplier << " shift " << scale.shift;
    ASSERT_EQ(multiply_single_32bit(x, scale), expected_single(x, scale))
        << x << " * " << scale.multiplier << " shift " << scale.shift;
  }
}

TEST(Multiply, EveryShiftEqualsExactDivisionAtExtremesAndTies) {
  const std::vector<std::int32_t> values = interesting_values();
  for (const std::int32_t multiplier : interesting_multipliers()) {
    for (int shift = -31; shift <= 31; ++shift) {
      const QuantizedMultiplier scale{multiplier, shift};
      for (const std::int32_t x : values) {
        ASSERT_NO_FATAL_FAILURE(expect_all_formulae_exact(x, scale));
      }
      for (const std::int32_t x : accumulators_near_ties(scale)) {
        ASSERT_NO_FATAL_FAILURE(expect_all_formulae_exact(x, scale));
      }
    }
  }
}

TEST(Multiply, NegativeMultipliersAreExactToo) {
  for (const std::int32_t multiplier : {-kTwoToThe30, -kTwoToThe30 - 1, kLowest, kLowest + 1}) {
    for (int shift = -31; shift <= 31; ++shift) {
      for (const std::int32_t x : {0, 1, -1, 2, -3, 100, -101, kHighest, kLowest}) {
        ASSERT_NO_FATAL_FAILURE(expect_all_formulae_exact(x, {multiplier, shift}));
      }
    }
  }
}

TEST(Multiply, DoubleRoundingEqualsGemmlowpComposition) {
  std::mt19937_64 random(6);
  for (int i = 0; i < 2'000'000; ++i) {
    const std::uint64_t bits = random();
    const QuantizedMultiplier scale{
        static_cast<std::int32_t>(kTwoToThe30 | static_cast<std::int32_t>(bits >> 34)),
        -static_cast<std::int32_t>(random() % 32)};
    const auto x = static_cast<std::int32_t>(bits);
    ASSERT_EQ(multiply_double_ties_away(x, scale),
              gemmlowp::RoundingDivideByPOT(
                  gemmlowp::SaturatingRoundingDoublingHighMul(x, scale.multiplier), -scale.shift));
  }
}

// TOSA writes double rounding as one shift of a twice-nudged 64-bit product, with shift = 31 -
// ours:
//   (value * multiplier + 2^(shift - 1) +- 2^30 when shift > 31) >> shift
TEST(Multiply, DoubleTiesAwayEqualsTosaApplyScale32WithDoubleRound) {
  for (const std::int32_t multiplier : interesting_multipliers()) {
    for (int shift = 31; shift <= 62; ++shift) {
      const QuantizedMultiplier scale{multiplier, 31 - shift};
      std::vector<std::int32_t> values = interesting_values();
      const std::vector<std::int32_t> ties = accumulators_near_ties(scale);
      values.insert(values.end(), ties.begin(), ties.end());
      for (const std::int32_t x : values) {
        std::int64_t nudge = std::int64_t{1} << (shift - 1);
        if (shift > 31) {
          nudge += x >= 0 ? kTwoToThe30 : -kTwoToThe30;
        }
        ASSERT_EQ(multiply_double_ties_away(x, scale),
                  (std::int64_t{x} * multiplier + nudge) >> shift)
            << x << " * " << multiplier << " >> " << shift;
      }
    }
  }
}

TEST(Multiply, LeftShiftsWrapModuloTwoToThe32) {
  EXPECT_EQ(multiply_double_ties_up(3, {kTwoToThe30, 31}), -kTwoToThe30);
  EXPECT_EQ(multiply_double_ties_away(1 << 20, {kTwoToThe30, 12}), 0);
  EXPECT_EQ(multiply_double_ties_up(12345, {kHighest, 32}), 0);
  EXPECT_EQ(multiply_double_ties_away(12345, {kHighest, 1000}), 0);
}

TEST(Multiply, QuarterShowsHowTheThreeFormulaeTreatTies) {
  // -6 / 4 = -1.5 and 6 / 4 = 1.5; the multiplier is 2^30, so the product halves first.
  const QuantizedMultiplier quarter = quantize_multiplier(0.25);
  EXPECT_EQ(multiply_double_ties_up(-6, quarter), -1);
  EXPECT_EQ(multiply_double_ties_away(-6, quarter), -2);
  EXPECT_EQ(multiply_single(-6, quarter), -1);
  // 5 / 4 = 1.25: halving first gives 2.5 -> 3, then 1.5 -> 2. Only one rounding gives 1.
  EXPECT_EQ(multiply_double_ties_up(5, quarter), 2);
  EXPECT_EQ(multiply_double_ties_away(5, quarter), 2);
  EXPECT_EQ(multiply_single(5, quarter), 1);
}

}  // namespace
}  // namespace lockstep::numerics
