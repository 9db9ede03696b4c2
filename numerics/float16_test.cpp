#include "numerics/float16.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lockstep::numerics {
namespace {

TEST(Float16, KnownValues) {
  EXPECT_EQ(float16_to_float(0x3c00), 1.0f);
  EXPECT_EQ(float16_to_float(0xc000), -2.0f);
  EXPECT_EQ(float16_to_float(0x7bff), 65504.0f);
  EXPECT_EQ(float16_to_float(0x0400), 0x1p-14f) << "the smallest normal number";
  EXPECT_EQ(float16_to_float(0x03ff), 0x1p-14f - 0x1p-24f) << "the largest subnormal one";
  EXPECT_EQ(float16_to_float(0x0001), 0x1p-24f);
  EXPECT_TRUE(std::signbit(float16_to_float(0x8000)));
  EXPECT_EQ(float16_to_float(0xfc00), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(float16_to_float(0x7e01)));
}

TEST(Float16, EveryValueSurvivesTheWayThroughFloat32) {
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float wide = float16_to_float(half);
    const uint16_t back = float_to_float16(wide);
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(float16_to_float(back))) << bits;
    } else {
      ASSERT_EQ(back, half);
    }
  }
}

// Around every pair of neighbours: below the middle down, above it up, on it to the even one.
TEST(Float16, RoundsToNearestTiesToEven) {
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const auto low = static_cast<uint16_t>(bits);
    const auto high = static_cast<uint16_t>(bits + 1);
    const float middle = (float16_to_float(low) + float16_to_float(high)) / 2;
    const uint16_t even = bits % 2 == 0 ? low : high;
    ASSERT_EQ(float_to_float16(middle), even);
    ASSERT_EQ(float_to_float16(-middle), even | 0x8000);
    ASSERT_EQ(float_to_float16(std::nextafter(middle, 0.0f)), low);
    ASSERT_EQ(float_to_float16(std::nextafter(middle, 1e9f)), high);
  }
}

TEST(Float16, WhatIsTooLargeIsInfinite) {
  EXPECT_EQ(float_to_float16(65519.996f), 0x7bff);
  EXPECT_EQ(float_to_float16(65520.0f), 0x7c00) << "a tie with what would be the next number";
  EXPECT_EQ(float_to_float16(-1e30f), 0xfc00);
  EXPECT_EQ(float_to_float16(std::numeric_limits<float>::infinity()), 0x7c00);
  EXPECT_EQ(float_to_float16(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_TRUE(std::isnan(float16_to_float(float_to_float16(std::nanf("")))));
}

}  // namespace
}  // namespace lockstep::numerics
