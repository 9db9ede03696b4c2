#pragma once

#include <bit>
#include <cassert>
#include <cstdint>
#include <limits>

#include "numerics/word_arithmetic.h"

// The float32 scaling of the litert contract, computed exactly with integers.
//
// XNNPACK scales an accumulator as  round_half_even(float32(accumulator) * scale)  in float32.
// IEEE 754 defines every step of that, but a GPU need not follow it: Vulkan lets a multiplication
// be off by rounding mode, flush subnormals, or be fused with what follows. Integers have no such
// freedom, so the three roundings are done here by hand:
//   1. int32 -> float32: 24 significant bits, ties to even. Exact for |accumulator| <= 2^24.
//   2. the product: exactly 24 x 24 -> 48 bits, then 24 significant bits, ties to even.
//   3. float32 -> int32: ties to even, saturated.

namespace lockstep::numerics {

/// A positive float32 as integers: scale == mantissa * 2^exponent exactly.
/// mantissa lies in [2^23, 2^24) and exponent in [-149, 104]; {0, 0} is zero.
struct Float32Scale {
  std::uint32_t mantissa;
  std::int32_t exponent;

  friend constexpr bool operator==(Float32Scale, Float32Scale) = default;
};

/// Takes a scale apart, exactly. A subnormal scale gives zero, which changes no result: below
/// 2^-126 even 2^31 times it is far below one half. Negative numbers, infinities and NaN are not
/// scales; they give zero so that nothing undefined follows, and callers refuse them first.
constexpr Float32Scale decompose_scale(float scale) {
  constexpr int kFractionBits = 23;
  constexpr int kExponentBias = 127;
  constexpr std::uint32_t kExponentMask = 0xff;
  constexpr std::uint32_t kImplicitOne = std::uint32_t{1} << kFractionBits;

  const auto bits = std::bit_cast<std::uint32_t>(scale);
  const bool negative = (bits >> 31) != 0;
  const std::uint32_t exponent_field = (bits >> kFractionBits) & kExponentMask;
  if (negative || exponent_field == 0 || exponent_field == kExponentMask) {
    return {0, 0};
  }
  return {kImplicitOne | (bits & (kImplicitOne - 1)),
          static_cast<std::int32_t>(exponent_field) - kExponentBias - kFractionBits};
}

/// The last step of both versions below: the nearest integer to  +-significand * 2^exponent, ties
/// to even, saturated to int32. Precondition: significand in [2^23, 2^24].
constexpr std::int32_t integer_from_float32(bool negative, std::uint32_t significand,
                                            std::int32_t exponent) {
  assert((std::uint32_t{1} << 23) <= significand && significand <= (std::uint32_t{1} << 24));
  constexpr std::uint32_t kTwoToThe31 = std::uint32_t{1} << 31;
  std::uint32_t rounded = 0;
  if (exponent >= 8) {
    rounded = kTwoToThe31;  // at least 2^23 * 2^8: saturates
  } else if (exponent >= 0) {
    rounded = significand << exponent;  // at most 2^24 * 2^7 = 2^31
  } else if (exponent >= -24) {
    rounded = rounding_shift_right_ties_even(significand, -exponent);
  }  // else at most 2^24 * 2^-25 = 1/2, whose nearest even integer is 0
  if (negative) {
    return static_cast<std::int32_t>(0u - rounded);
  }
  return rounded < kTwoToThe31 ? static_cast<std::int32_t>(rounded)
                               : std::numeric_limits<std::int32_t>::max();
}

/// round_half_even(float32(accumulator) * scale), each of the three steps rounded as IEEE 754 says
/// for round-to-nearest-even, saturated to int32.
///
/// Two freedoms of float32 that cannot change the integer are not imitated: a product below 2^-126
/// would be subnormal and lose bits, but rounds to 0 either way; a product beyond the largest
/// float32 would be infinite, but saturates either way.
constexpr std::int32_t multiply_float32_ties_even(std::int32_t accumulator, Float32Scale scale) {
  if (accumulator == 0 || scale.mantissa == 0) {
    return 0;
  }
  // The 24 leading bits of value, ties to even; the bits cut off are added to the exponent. Can
  // carry into a 25th bit, to exactly 2^24, which float32 has as well.
  struct Rounded {
    std::uint64_t significand;
    int exponent;
  };
  const auto to_24_bits = [](std::uint64_t value) -> Rounded {
    const int dropped = 64 - std::countl_zero(value) - 24;
    if (dropped <= 0) {
      return {value, 0};
    }
    const std::uint64_t quotient = value >> dropped;
    const std::uint64_t remainder = value - (quotient << dropped);
    const std::uint64_t half = std::uint64_t{1} << (dropped - 1);
    const bool up = remainder > half || (remainder == half && quotient % 2 == 1);
    return {quotient + (up ? 1 : 0), dropped};
  };
  const Rounded converted = to_24_bits(magnitude(accumulator));
  const Rounded product = to_24_bits(converted.significand * scale.mantissa);
  return integer_from_float32(accumulator < 0, static_cast<std::uint32_t>(product.significand),
                              scale.exponent + converted.exponent + product.exponent);
}

/// The same with 32-bit words only, as the shaders compute it.
///
/// Both factors are moved to the top of their words, so that the high word of the product always
/// holds the 24 bits wanted and at least 6 more. Of the low word only one fact matters for
/// rounding: whether it is zero. That is kept in the lowest bit of the high word, far below the
/// half way bit.
constexpr std::int32_t multiply_float32_ties_even_32bit(std::int32_t accumulator,
                                                        Float32Scale scale) {
  if (accumulator == 0 || scale.mantissa == 0) {
    return 0;
  }
  // |accumulator| rounds to significand * 2^(top_bit - 23), significand in [2^23, 2^24].
  const std::uint32_t unsigned_accumulator = magnitude(accumulator);
  const int top_bit = highest_bit(unsigned_accumulator);
  const std::uint32_t significand =
      rounding_shift_right_ties_even(unsigned_accumulator << (31 - top_bit), 8);

  // (significand * 2^7) * (mantissa * 2^8) is in [2^61, 2^63): its high word is in [2^29, 2^31).
  const WordPair product = multiply_extended(significand << 7, scale.mantissa << 8);
  const std::uint32_t high = product.high | (product.low != 0 ? 1u : 0u);
  const int dropped = highest_bit(high) - 23;

  // high stands for the product divided by 2^(32 - 7 - 8) = 2^17, so its unit is
  // 2^(17 + top_bit - 23 + exponent).
  return integer_from_float32(accumulator < 0, rounding_shift_right_ties_even(high, dropped),
                              scale.exponent + top_bit - 6 + dropped);
}

}  // namespace lockstep::numerics
