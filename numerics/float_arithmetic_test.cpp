#include "numerics/float_arithmetic.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <vector>

namespace lockstep::numerics {
namespace {

std::uint32_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }
float value_of(std::uint32_t bits) { return std::bit_cast<float>(bits); }

static_assert(multiply_float32(0x3f800000, 0xc0400000) == 0xc0400000);  // 1 * -3
static_assert(add_float32(0x3f800000, 0xbf800000) == 0);                // 1 - 1
static_assert(truncate_float32(0x437fc000) == 255);                     // 255.75

// Numbers of 24, 12 and few bits, of every exponent from 2^-40 to 2^12, and 0.
std::vector<float> numbers(std::uint32_t seed, size_t count) {
  std::mt19937 random(seed);
  std::vector<float> values = {0.0f, 1.0f, -1.0f, 0.5f, 255.0f, -0.25f, 1.25f, 16777215.0f};
  while (values.size() < count) {
    const std::uint32_t kept_bits = 0xffffffffu << (random() % 24);
    const auto fraction = static_cast<std::uint32_t>(random()) & kept_bits & 0x7fffffu;
    const auto exponent = static_cast<std::uint32_t>(127 - 40 + random() % 53);
    values.push_back(value_of((static_cast<std::uint32_t>(random()) & kFloat32Sign) |
                              (exponent << kFloat32FractionBits) | fraction));
  }
  return values;
}

TEST(Float32Arithmetic, ProductsEqualHardware) {
  const std::vector<float> left = numbers(1, 1500);
  const std::vector<float> right = numbers(2, 1500);
  for (const float a : left) {
    for (const float b : right) {
      // Which zero it is nobody asks.
      ASSERT_EQ(value_of(multiply_float32(bits(a), bits(b))), a * b)
          << std::hexfloat << a << " * " << b;
    }
  }
}

TEST(Float32Arithmetic, SumsEqualHardware) {
  const std::vector<float> left = numbers(3, 1500);
  const std::vector<float> right = numbers(4, 1500);
  for (const float a : left) {
    for (const float b : right) {
      ASSERT_EQ(value_of(add_float32(bits(a), bits(b))), a + b) << std::hexfloat << a << " + " << b;
    }
  }
}

// Differences of neighbours, and sums that lie half way between two float32 or right beside that.
TEST(Float32Arithmetic, SumsEqualHardwareWhereBitsCancelOrTie) {
  std::mt19937 random(5);
  for (int i = 0; i < 1'000'000; ++i) {
    const auto exponent = static_cast<std::uint32_t>(120 + random() % 8);
    const float a =
        value_of((exponent << kFloat32FractionBits) | (static_cast<std::uint32_t>(random()) >> 9));
    const float unit = std::ldexp(1.0f, static_cast<int>(exponent) - 150);
    const float near = a + static_cast<float>(random() % 64) * unit;
    ASSERT_EQ(value_of(add_float32(bits(a), bits(-near))), a - near) << std::hexfloat << a;
    const float half = unit * (0.5f + static_cast<float>(random() % 8));
    for (const float b : {half, std::nextafter(half, 0.0f), std::nextafter(half, 1.0f)}) {
      ASSERT_EQ(value_of(add_float32(bits(a), bits(b))), a + b) << std::hexfloat << a << " " << b;
      ASSERT_EQ(value_of(add_float32(bits(-b), bits(a))), a - b) << std::hexfloat << a << " " << b;
    }
  }
}

TEST(Float32Arithmetic, ConvertsIntegersThereAndBack) {
  for (std::uint32_t value = 0; value < (1u << 24); value += value < 1000 ? 1 : 997) {
    ASSERT_EQ(value_of(float32_of_integer(value)), static_cast<float>(value));
    ASSERT_EQ(truncate_float32(float32_of_integer(value)), value);
  }
  EXPECT_EQ(truncate_float32(bits(0.999999f)), 0u);
  EXPECT_EQ(truncate_float32(bits(1e-20f)), 0u);
  EXPECT_EQ(truncate_float32(bits(127.99999f)), 127u);
}

}  // namespace
}  // namespace lockstep::numerics
