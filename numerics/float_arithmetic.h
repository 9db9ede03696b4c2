#pragma once

#include <cassert>
#include <cstdint>

#include "numerics/word_arithmetic.h"

// Products and sums of float32, each rounded to nearest with ties to even as IEEE 754 says, with
// 32-bit integers only. A GPU's own may be rounded otherwise, or be fused with one another.
//
// Numbers are the bits of float32. None is infinite, NaN or subnormal, and no result may be: what
// an executor computes with them is known to lie well inside.

namespace lockstep::numerics {

inline constexpr int kFloat32FractionBits = 23;
inline constexpr std::uint32_t kFloat32ImplicitOne = std::uint32_t{1} << kFloat32FractionBits;
inline constexpr std::uint32_t kFloat32Sign = std::uint32_t{1} << 31;

/// The magnitude is float32_significand * 2^(float32_exponent - 150); 0 has no significand.
constexpr int float32_exponent(std::uint32_t bits) {
  return static_cast<int>((bits >> kFloat32FractionBits) & 0xffu);
}
constexpr std::uint32_t float32_significand(std::uint32_t bits) {
  return float32_exponent(bits) == 0 ? 0 : kFloat32ImplicitOne | (bits & (kFloat32ImplicitOne - 1));
}

/// +-significand * 2^(exponent - 150), significand in [2^23, 2^24]. The highest bit is not stored
/// but adds one to the exponent's field, and so does the carry of 2^24.
constexpr std::uint32_t compose_float32(std::uint32_t sign, std::uint32_t significand,
                                        int exponent) {
  assert(kFloat32ImplicitOne <= significand && significand <= 2 * kFloat32ImplicitOne);
  return sign | ((static_cast<std::uint32_t>(exponent - 1) << kFloat32FractionBits) + significand);
}

/// float32(value), exactly. Precondition: value < 2^24.
constexpr std::uint32_t float32_of_integer(std::uint32_t value) {
  if (value == 0) {
    return 0;
  }
  const int top_bit = highest_bit(value);
  return compose_float32(0, value << (kFloat32FractionBits - top_bit), 127 + top_bit);
}

/// a * b. As in float_rounding.h, both significands move to the top of their words, and of the
/// product's low word only "is it zero?" is kept.
constexpr std::uint32_t multiply_float32(std::uint32_t a, std::uint32_t b) {
  const WordPair product =
      multiply_extended(float32_significand(a) << 7, float32_significand(b) << 8);
  const std::uint32_t high = product.high | (product.low != 0 ? 1u : 0u);
  if (high == 0) {
    return 0;
  }
  const int dropped = highest_bit(high) - kFloat32FractionBits;
  return compose_float32((a ^ b) & kFloat32Sign, rounding_shift_right_ties_even(high, dropped),
                         float32_exponent(a) + float32_exponent(b) - 133 + dropped);
}

/// a + b. Both significands get 6 bits below the point; of what the smaller one loses when it is
/// moved below the larger, only "is it zero?" is kept, in its lowest bit. Where it loses anything
/// it is moved by more than 6, the difference keeps 5 of these bits, and rounding sees enough.
constexpr std::uint32_t add_float32(std::uint32_t a, std::uint32_t b) {
  const bool in_order = (a & ~kFloat32Sign) >= (b & ~kFloat32Sign);
  const std::uint32_t larger = in_order ? a : b;
  const std::uint32_t smaller = in_order ? b : a;
  const std::uint32_t whole = float32_significand(smaller) << 6;
  const int distance = float32_exponent(larger) - float32_exponent(smaller);
  const int shift = distance < 31 ? distance : 31;
  const std::uint32_t moved =
      (whole >> shift) | ((whole & ((std::uint32_t{1} << shift) - 1)) != 0 ? 1u : 0u);
  const std::uint32_t base = float32_significand(larger) << 6;
  const std::uint32_t sum = ((a ^ b) & kFloat32Sign) == 0 ? base + moved : base - moved;
  if (sum == 0) {
    return 0;
  }
  const int top_bit = highest_bit(sum);
  const std::uint32_t significand =
      top_bit < kFloat32FractionBits
          ? sum << (kFloat32FractionBits - top_bit)
          : rounding_shift_right_ties_even(sum, top_bit - kFloat32FractionBits);
  return compose_float32(larger & kFloat32Sign, significand,
                         float32_exponent(larger) + top_bit - kFloat32FractionBits - 6);
}

/// The integer part of a number in [0, 2^24).
constexpr std::uint32_t truncate_float32(std::uint32_t bits) {
  const int shift = 150 - float32_exponent(bits);
  return float32_significand(bits) >> (shift < 31 ? shift : 31);
}

}  // namespace lockstep::numerics
