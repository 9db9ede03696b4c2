#pragma once

#include <bit>
#include <cassert>
#include <cstdint>
#include <limits>

#include "numerics/word_arithmetic.h"

// Scaling of int32 values by a real number that was turned into integers beforehand.
//
// Sources of the formulae: gemmlowp, doc/quantization.md and fixedpoint/fixedpoint.h; Jacob et al.,
// "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference"
// (2017), section 2.2; TensorFlow Lite's 8-bit quantization specification; the TOSA specification,
// apply_scale_32. In all formulae >> is the arithmetic shift, that is floor division by 2^n.

namespace lockstep::numerics {

/// A real scale as integers: real ~= multiplier * 2^(shift - 31).
/// Normalised, |multiplier| lies in [2^30, 2^31]; shift > 0 is a left shift. {0, 0} is zero.
struct QuantizedMultiplier {
  std::int32_t multiplier;
  std::int32_t shift;

  friend constexpr bool operator==(QuantizedMultiplier, QuantizedMultiplier) = default;
};

/// Writes real = fraction * 2^shift with |fraction| in [1/2, 1) and rounds fraction * 2^31 to the
/// nearest integer, ties away from zero. A positive fraction that rounds up to 2^31, which int32
/// does not have, becomes 2^30 with shift + 1. Equal to TensorFlow Lite's QuantizeMultiplier.
///
/// - Scales too small to matter, shift < -31, give {0, 0}: so shift >= -31 always holds.
/// - Large scales keep their shift (up to 1024); see multiply_double_ties_up() for its meaning and
///   saturate_for_single_rounding().
/// - A negative real gives the negated multiplier of -real, except that -2^31 is representable and
///   stays, as in TensorFlow Lite. (Needed for negative slopes, never for tensor scales.)
/// - NaN and infinities are not scales. They give {0, 0} so that nothing undefined follows; callers
///   refuse them first, see is_usable_scale().
constexpr QuantizedMultiplier quantize_multiplier(double real) {
  constexpr int kFractionBits = 52;
  constexpr int kExponentBias = 1022;  // of frexp's exponent, for fractions in [1/2, 1)
  constexpr std::uint64_t kExponentMask = 0x7ff;
  constexpr std::uint64_t kImplicitOne = std::uint64_t{1} << kFractionBits;
  constexpr std::int64_t kTwoToThe31 = std::int64_t{1} << 31;

  const auto bits = std::bit_cast<std::uint64_t>(real);
  const bool negative = (bits >> 63) != 0;
  const std::uint64_t exponent_field = (bits >> kFractionBits) & kExponentMask;
  const bool zero_or_subnormal = exponent_field == 0;  // below 2^-1022: far too small to matter
  const bool infinite_or_nan = exponent_field == kExponentMask;
  if (zero_or_subnormal || infinite_or_nan) {
    return {0, 0};
  }

  // 53 significant bits become 31: the magnitude is rounded half up, which is half away from zero.
  constexpr int kDroppedBits = kFractionBits + 1 - 31;
  const std::uint64_t significand = kImplicitOne | (bits & (kImplicitOne - 1));
  const auto rounded = static_cast<std::int64_t>(
      (significand + (std::uint64_t{1} << (kDroppedBits - 1))) >> kDroppedBits);
  std::int64_t multiplier = negative ? -rounded : rounded;
  int shift = static_cast<int>(exponent_field) - kExponentBias;
  if (multiplier == kTwoToThe31) {
    multiplier /= 2;
    ++shift;
  }
  if (shift < -31) {
    return {0, 0};
  }
  return {static_cast<std::int32_t>(multiplier), shift};
}

/// The single-rounding formula shifts a 64-bit product right by 31 - shift, which must be at least
/// 1. Builds with single rounding therefore replace every scale with shift > 30 by the largest one.
constexpr QuantizedMultiplier saturate_for_single_rounding(QuantizedMultiplier scale) {
  constexpr int kLargestShift = 30;
  if (scale.shift <= kLargestShift) {
    return scale;
  }
  return {std::numeric_limits<std::int32_t>::max(), kLargestShift};
}

/// The high word of the doubled product a * b, rounded: the nearest integer to a * b / 2^31.
///
/// Ties go up, towards +infinity. gemmlowp writes it with a sign-dependent nudge and a division
/// that truncates: (a*b + (a*b >= 0 ? 2^30 : 1 - 2^30)) / 2^31; with the arithmetic shift that is
/// (a*b + 2^30) >> 31. The one result that does not fit, of (-2^31)^2, is saturated to 2^31 - 1.
constexpr std::int32_t saturating_rounding_doubling_high_multiply(std::int32_t a, std::int32_t b) {
  constexpr std::int32_t kLowest = std::numeric_limits<std::int32_t>::min();
  if (a == kLowest && b == kLowest) {
    return std::numeric_limits<std::int32_t>::max();
  }
  return static_cast<std::int32_t>((std::int64_t{a} * b + (std::int64_t{1} << 30)) >> 31);
}

/// The same with 32-bit words only, as the shaders compute it. Precondition: b >= 0, as every
/// multiplier of a scale is; then no product leaves the range and nothing has to be saturated.
/// Bits 30 and 31 of the low word are the half and the lowest bit of the result.
constexpr std::int32_t rounding_doubling_high_multiply_32bit(std::int32_t a, std::int32_t b) {
  assert(b >= 0);
  const WordPair product = multiply_extended(a, b);
  return static_cast<std::int32_t>((product.high << 1) + (((product.low >> 30) + 1u) >> 1));
}

/// The nearest integer to x / 2^n, ties towards +infinity: (x + 2^(n-1)) >> n without the overflow
/// of that sum, by adding the highest bit that was shifted out. Precondition: 0 <= n <= 31.
constexpr std::int32_t rounding_shift_right_ties_up(std::int32_t x, int n) {
  assert(0 <= n && n <= 31);
  return n == 0 ? x : (x >> n) + ((x >> (n - 1)) & 1);
}

/// The nearest integer to x / 2^n, ties away from zero: gemmlowp's RoundingDivideByPOT.
/// Differs from ties_up only for negative x exactly half way. Precondition: 0 <= n <= 31.
constexpr std::int32_t rounding_shift_right_ties_away_from_zero(std::int32_t x, int n) {
  assert(0 <= n && n <= 31);
  const auto remainder_mask = static_cast<std::int32_t>((std::uint32_t{1} << n) - 1u);
  const std::int32_t remainder = x & remainder_mask;
  const std::int32_t threshold = (remainder_mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> n) + (remainder > threshold ? 1 : 0);
}

/// x * real with two roundings: the product's ties up, the right shift's ties up.
///
///   high = saturating_rounding_doubling_high_multiply(x * 2^max(shift, 0), multiplier)
///   result = (high + half) >> max(-shift, 0)
///
/// The left shift is modulo 2^32, for every shift > 0 (the result is 0 from 32 on). The engines
/// compute x * (1 << shift) in int32, which is the same as long as it does not overflow: on
/// overflow their vector code wraps as we do, their C++ is undefined. A network whose accumulators
/// overflow here has no portable meaning; Lockstep only promises to do the same on every device.
/// Precondition: shift >= -31.
constexpr std::int32_t multiply_double_ties_up(std::int32_t x, QuantizedMultiplier scale) {
  const int left_shift = scale.shift > 0 ? scale.shift : 0;
  const int right_shift = scale.shift > 0 ? 0 : -scale.shift;
  const std::int32_t high = saturating_rounding_doubling_high_multiply(
      shift_left_modulo(x, left_shift), scale.multiplier);
  return rounding_shift_right_ties_up(high, right_shift);
}

/// As multiply_double_ties_up(), but the ties of the right shift go away from zero: TensorFlow
/// Lite's MultiplyByQuantizedMultiplier, and TOSA's apply_scale_32 with double_round.
constexpr std::int32_t multiply_double_ties_away(std::int32_t x, QuantizedMultiplier scale) {
  const int left_shift = scale.shift > 0 ? scale.shift : 0;
  const int right_shift = scale.shift > 0 ? 0 : -scale.shift;
  const std::int32_t high = saturating_rounding_doubling_high_multiply(
      shift_left_modulo(x, left_shift), scale.multiplier);
  return rounding_shift_right_ties_away_from_zero(high, right_shift);
}

/// x * real with one rounding, ties up: (x * multiplier + 2^(30 - shift)) >> (31 - shift) in 64
/// bits. TensorFlow Lite with TFLITE_SINGLE_ROUNDING; TOSA's apply_scale_32 without double_round.
///
/// A result outside int32 is taken modulo 2^32, as the engines' conversion does (TOSA demands that
/// it does not happen). Precondition: -31 <= shift <= 30, see saturate_for_single_rounding().
constexpr std::int32_t multiply_single(std::int32_t x, QuantizedMultiplier scale) {
  assert(-31 <= scale.shift && scale.shift <= 30);
  const int total_shift = 31 - scale.shift;
  const std::int64_t half = std::int64_t{1} << (total_shift - 1);
  return static_cast<std::int32_t>((std::int64_t{x} * scale.multiplier + half) >> total_shift);
}

/// The same with 32-bit words only, as the shaders compute it.
constexpr std::int32_t multiply_single_32bit(std::int32_t x, QuantizedMultiplier scale) {
  assert(-31 <= scale.shift && scale.shift <= 30);
  return rounding_shift_right_ties_up(multiply_extended(x, scale.multiplier), 31 - scale.shift);
}

}  // namespace lockstep::numerics
