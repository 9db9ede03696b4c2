#include "numerics/float_rounding.h"

#include <gtest/gtest.h>

#include <bit>
#include <cfenv>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace lockstep::numerics {
namespace {

constexpr std::int32_t kLowest = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kHighest = std::numeric_limits<std::int32_t>::max();

static_assert(decompose_scale(1.0f) == Float32Scale{1u << 23, -23});
static_assert(decompose_scale(0.0f) == Float32Scale{0, 0});
static_assert(multiply_float32_ties_even(5, decompose_scale(0.5f)) == 2);
static_assert(multiply_float32_ties_even(7, decompose_scale(0.5f)) == 4);
static_assert(multiply_float32_ties_even_32bit(-7, decompose_scale(0.5f)) == -4);
static_assert(multiply_float32_ties_even(kLowest, decompose_scale(1.0f)) == kLowest);
static_assert(multiply_float32_ties_even(kHighest, decompose_scale(1.0f)) == kHighest);

// The machine's own float32: conversion, product and nearbyint each round to nearest even.
std::int32_t with_hardware_float(std::int32_t accumulator, float scale) {
  const float product = static_cast<float>(accumulator) * scale;
  const float rounded = std::nearbyint(product);
  if (rounded >= 2147483648.0f) {
    return kHighest;
  }
  return rounded <= -2147483648.0f ? kLowest : static_cast<std::int32_t>(rounded);
}

// Counts instead of asserting on each value: tens of millions of values take a second this way.
struct Mismatches {
  std::int64_t count = 0;
  std::int64_t compared = 0;
  std::int32_t accumulator = 0;
  float scale = 0.0f;

  void compare(std::int32_t value, float float_scale, Float32Scale parts) {
    const std::int32_t expected = with_hardware_float(value, float_scale);
    ++compared;
    if (multiply_float32_ties_even(value, parts) != expected ||
        multiply_float32_ties_even_32bit(value, parts) != expected) {
      ++count;
      accumulator = value;
      scale = float_scale;
    }
  }
};

void expect_none(const Mismatches& mismatches) {
  EXPECT_GT(mismatches.compared, 0);
  EXPECT_EQ(mismatches.count, 0) << "last of them: " << mismatches.accumulator << " * "
                                 << std::hexfloat << mismatches.scale;
}

// Significands where products tie or carry: powers of two, short ones, all ones, thirds, dice.
std::vector<std::uint32_t> interesting_significands() {
  std::vector<std::uint32_t> significands = {0x800000, 0x800001, 0x800002, 0xc00000, 0xa00000,
                                             0xe00000, 0xffffff, 0xfffffe, 0xfffffd, 0xaaaaaa,
                                             0xaaaaab, 0x99999a, 0xcccccd, 0xc00001, 0xbfffff};
  std::mt19937 random(7);
  for (int i = 0; i < 16; ++i) {
    significands.push_back(0x800000u | (static_cast<std::uint32_t>(random()) & 0x7fffffu));
  }
  return significands;
}

// Powers of two, what lies beside them, and around 2^24..2^31 the values whose conversion to
// float32 is a tie or beside one.
std::vector<std::int32_t> interesting_accumulators() {
  std::vector<std::int32_t> values = {0, kLowest, kLowest + 1, kHighest, kHighest - 1};
  const auto add_both_signs = [&values](std::int64_t value) {
    if (value <= kHighest) {
      values.push_back(static_cast<std::int32_t>(value));
      values.push_back(static_cast<std::int32_t>(-value));
    }
  };
  for (int exponent = 0; exponent < 32; ++exponent) {
    for (std::int64_t offset = -3; offset <= 3; ++offset) {
      add_both_signs(std::abs((std::int64_t{1} << exponent) + offset));
    }
  }
  for (int dropped = 1; dropped <= 7; ++dropped) {
    const std::int64_t unit = std::int64_t{1} << dropped;
    for (const std::int64_t significand : {0x800000, 0x800001, 0xabcdee, 0xabcdef, 0xffffff}) {
      for (std::int64_t offset = -1; offset <= 1; ++offset) {
        add_both_signs(significand * unit + unit / 2 + offset);
      }
    }
  }
  std::mt19937 random(8);
  for (int i = 0; i < 200; ++i) {
    values.push_back(static_cast<std::int32_t>(random()) >> (i % 24));
  }
  return values;
}

TEST(DecomposeScale, PartsAreExactAndNormalised) {
  std::mt19937 random(9);
  for (int i = 0; i < 200'000; ++i) {
    const auto scale = std::bit_cast<float>(static_cast<std::uint32_t>(random()) & 0x7fffffffu);
    if (!std::isnormal(scale)) {
      continue;
    }
    const Float32Scale parts = decompose_scale(scale);
    ASSERT_GE(parts.mantissa, 1u << 23);
    ASSERT_LT(parts.mantissa, 1u << 24);
    ASSERT_EQ(std::ldexp(static_cast<double>(parts.mantissa), parts.exponent), double{scale});
  }
  EXPECT_EQ(decompose_scale(std::numeric_limits<float>::min()), (Float32Scale{1u << 23, -149}));
  EXPECT_EQ(decompose_scale(std::numeric_limits<float>::max()), (Float32Scale{0xffffff, 104}));
}

TEST(DecomposeScale, WhatIsNoScaleGivesZero) {
  using Limits = std::numeric_limits<float>;
  for (const float scale : {0.0f, -0.0f, -1.0f, Limits::infinity(), -Limits::infinity(),
                            Limits::quiet_NaN(), Limits::denorm_min()}) {
    EXPECT_EQ(decompose_scale(scale), (Float32Scale{0, 0}));
  }
}

TEST(MultiplyFloat32, SubnormalScalesRoundToZeroInHardwareToo) {
  const float largest_subnormal = std::nextafter(std::numeric_limits<float>::min(), 0.0f);
  for (const std::int32_t accumulator : {1, -1, kHighest, kLowest}) {
    EXPECT_EQ(with_hardware_float(accumulator, largest_subnormal), 0);
    EXPECT_EQ(multiply_float32_ties_even(accumulator, decompose_scale(largest_subnormal)), 0);
  }
}

TEST(MultiplyFloat32, EqualsHardwareForEveryExponentOfScale) {
  ASSERT_EQ(std::fegetround(), FE_TONEAREST);
  const std::vector<std::int32_t> accumulators = interesting_accumulators();
  Mismatches mismatches;
  for (const std::uint32_t significand : interesting_significands()) {
    for (int exponent = -149; exponent <= 104; ++exponent) {
      const float scale = std::ldexp(static_cast<float>(significand), exponent);
      const Float32Scale parts{significand, exponent};
      ASSERT_EQ(decompose_scale(scale), parts);
      for (const std::int32_t accumulator : accumulators) {
        mismatches.compare(accumulator, scale, parts);
      }
    }
  }
  expect_none(mismatches);
}

// Scales of real networks: 2^-20 to 4. Accumulators beside each k + 1/2 the output can take.
TEST(MultiplyFloat32, EqualsHardwareBesideEveryTieOfAnInt8Output) {
  Mismatches mismatches;
  for (const std::uint32_t significand : interesting_significands()) {
    for (int exponent = -43; exponent <= -22; ++exponent) {
      const float scale = std::ldexp(static_cast<float>(significand), exponent);
      const Float32Scale parts = decompose_scale(scale);
      for (int k = -512; k <= 512; ++k) {
        const double tie = (k + 0.5) / double{scale};
        if (std::abs(tie) > 2147483000.0) {
          continue;
        }
        const auto centre = static_cast<std::int32_t>(tie);
        for (std::int32_t accumulator = centre - 2; accumulator <= centre + 2; ++accumulator) {
          mismatches.compare(accumulator, scale, parts);
        }
      }
    }
  }
  expect_none(mismatches);
}

TEST(MultiplyFloat32, EqualsHardwareForAMillionConsecutiveAccumulatorsPerScale) {
  Mismatches mismatches;
  for (const float scale : {0.5f, 0.25f, 0.3f, 0.0078125f, 1.0f, 0.9999999f, 0.0012345f}) {
    const Float32Scale parts = decompose_scale(scale);
    for (std::int32_t accumulator = -500'000; accumulator <= 500'000; ++accumulator) {
      mismatches.compare(accumulator, scale, parts);
    }
  }
  expect_none(mismatches);
}

TEST(MultiplyFloat32, EqualsHardwareForRandomScalesAndAccumulators) {
  std::mt19937_64 random(10);
  Mismatches mismatches;
  for (int i = 0; i < 6'000'000; ++i) {
    const std::uint64_t bits = random();
    const auto accumulator =
        static_cast<std::int32_t>(bits) >> ((bits >> 32) & 31u);  // every magnitude equally often
    const auto exponent_field = static_cast<std::uint32_t>(127 - 40 + (bits >> 37) % 52);
    const std::uint32_t scale_bits =
        (exponent_field << 23) | static_cast<std::uint32_t>(bits >> 41);
    const auto scale = std::bit_cast<float>(scale_bits);
    mismatches.compare(accumulator, scale, decompose_scale(scale));
  }
  expect_none(mismatches);
}

TEST(MultiplyFloat32, ConversionOfLargeAccumulatorsRoundsFirst) {
  // 2^24 + 1 and + 3 are ties of the conversion: to 2^24 and 2^24 + 4.
  const Float32Scale one = decompose_scale(1.0f);
  EXPECT_EQ(multiply_float32_ties_even((1 << 24) + 1, one), 1 << 24);
  EXPECT_EQ(multiply_float32_ties_even((1 << 24) + 3, one), (1 << 24) + 4);
  EXPECT_EQ(multiply_float32_ties_even(-(1 << 24) - 3, one), -(1 << 24) - 4);
}

TEST(MultiplyFloat32, ProductIsRoundedBeforeTheInteger) {
  // 3 * 0.16666667 is a little above 1/2 as real numbers and exactly 1/2 as float32: so 0, not 1.
  const float sixth = 0.16666667f;
  ASSERT_GT(3.0 * double{sixth}, 0.5);
  EXPECT_EQ(multiply_float32_ties_even(3, decompose_scale(sixth)), 0);
}

TEST(MultiplyFloat32, SaturatesWhatInt32CannotHold) {
  const Float32Scale huge = decompose_scale(std::numeric_limits<float>::max());
  EXPECT_EQ(multiply_float32_ties_even(1, huge), kHighest);
  EXPECT_EQ(multiply_float32_ties_even(-1, huge), kLowest);
  EXPECT_EQ(multiply_float32_ties_even(0, huge), 0);
}

}  // namespace
}  // namespace lockstep::numerics
