#pragma once

#include <algorithm>
#include <cassert>
#include <cfloat>
#include <cstdint>
#include <limits>

#include "numerics/fixed_point.h"
#include "numerics/float_rounding.h"
#include "numerics/rounding.h"

// The end of a kernel: from the int32 accumulator of an output element to its quantized value,
//   clamp(zero_point + round(accumulator * scale), activation_min, activation_max).

namespace lockstep::numerics {

/// What a kernel's end needs for one output channel: two words whose meaning depends on the
/// Rounding.
/// - kDoubleTiesUp, kDoubleTiesAway, kSingle: a QuantizedMultiplier. shift is in [-31, 31] for the
///   double roundings and in [-31, 30] for kSingle.
/// - kFloat32TiesEven: multiplier is the mantissa, shift the exponent of a Float32Scale.
struct ChannelScale {
  std::int32_t multiplier;
  std::int32_t shift;

  friend constexpr bool operator==(ChannelScale, ChannelScale) = default;
};

/// Whether every rounding expresses this scale to its usual precision: finite, not negative, and
/// below 2^30 (a real one is rarely above 1). Lowering refuses a network with any other scale.
constexpr bool is_usable_scale(double real_scale) {
  constexpr double kTwoToThe30 = 1073741824.0;
  return real_scale >= 0.0 && real_scale < kTwoToThe30;
}

/// The words of kFloat32TiesEven for a float32 scale: see effective_scale_float32().
constexpr ChannelScale channel_scale_float32(float scale) {
  const Float32Scale parts = decompose_scale(scale);
  return {static_cast<std::int32_t>(parts.mantissa), parts.exponent};
}

/// The words of `rounding` for a real scale. For kFloat32TiesEven the scale is first rounded to
/// float32; where the engine computes it in float32, use channel_scale_float32() instead.
///
/// Total: scales that is_usable_scale() refuses give defined words too. NaN and infinities give
/// {0, 0}; so do, for the double roundings, shifts beyond 31, whose left shift modulo 2^32 is 0;
/// and for kFloat32TiesEven numbers that are negative or beyond float32.
constexpr ChannelScale channel_scale(double real_scale, Rounding rounding) {
  if (rounding == Rounding::kFloat32TiesEven) {
    const bool in_range = real_scale >= 0.0 && real_scale <= double{FLT_MAX};
    return channel_scale_float32(in_range ? static_cast<float>(real_scale) : 0.0f);
  }
  QuantizedMultiplier scale = quantize_multiplier(real_scale);
  if (rounding == Rounding::kSingle) {
    scale = saturate_for_single_rounding(scale);
  }
  if (scale.shift > 31) {
    return {0, 0};
  }
  return {scale.multiplier, scale.shift};
}

/// accumulator * scale, rounded to an integer as `rounding` says.
constexpr std::int32_t scale_accumulator(std::int32_t accumulator, ChannelScale scale,
                                         Rounding rounding) {
  switch (rounding) {
    case Rounding::kDoubleTiesUp:
      return multiply_double_ties_up(accumulator, {scale.multiplier, scale.shift});
    case Rounding::kDoubleTiesAway:
      return multiply_double_ties_away(accumulator, {scale.multiplier, scale.shift});
    case Rounding::kSingle:
      return multiply_single(accumulator, {scale.multiplier, scale.shift});
    case Rounding::kFloat32TiesEven:
      return multiply_float32_ties_even(
          accumulator, {static_cast<std::uint32_t>(scale.multiplier), scale.shift});
  }
  return 0;
}

/// A scale of one of the integer roundings for accumulators that are known to be small: a single
/// multiplication, sum and shift, whatever the rounding.
///
/// With s = max(shift, 0), n = max(-shift, 0) and y = floor(x * 2^s * multiplier / 2^30), all three
/// roundings are one floor division of y. They divide more than once, but
/// floor((floor(a) + k) / m) = floor((a + k) / m) for integers k and m > 0:
///
///   high multiply     floor((x * 2^s * multiplier + 2^30) / 2^31) = floor((y + 1) / 2)
///   kSingle           floor((x * multiplier + 2^(30-shift)) / 2^(31-shift)) = floor((y + 2^n) /
///   2^(n+1)) kDoubleTiesUp     floor((floor((y + 1) / 2) + h) / 2^n) = floor((y + 1 + 2h) /
///   2^(n+1))
///                     where h is half of 2^n, and 0 for n = 0
///   kDoubleTiesAway   the same, less 1 before the second division if floor((y + 1) / 2) is
///                     negative, which is when y + 1 is (and never for n = 0)
///
/// and y is the high word of (x * 2^(s+2)) * multiplier, as long as the first factor fits a word.
struct NarrowScale {
  std::int32_t multiplier;
  std::int32_t left_shift;       // s + 2
  std::int32_t addend;           // 2^n, 1 + 2h
  std::int32_t negative_addend;  // -2 where negative numbers round away from zero, else 0
  std::int32_t right_shift;      // n + 1
};

/// Whether scale_accumulator_narrow() is scale_accumulator() for all |accumulator| <= bound.
constexpr bool is_narrow(ChannelScale scale, Rounding rounding, std::int64_t bound) {
  // Keeps y + addend within int32: |y| < 2^30 - 1, since x * 2^s < 2^29 and multiplier < 2^31.
  constexpr std::int32_t kLargestRightShift = 30;
  constexpr std::int64_t kTwoToThe31 = std::int64_t{1} << 31;
  const int left_shift = std::max(scale.shift, 0) + 2;
  return rounding != Rounding::kFloat32TiesEven && scale.multiplier >= 0 &&
         -scale.shift <= kLargestRightShift && bound < (kTwoToThe31 >> left_shift);
}

/// Precondition: is_narrow() for some bound.
constexpr NarrowScale narrow_scale(ChannelScale scale, Rounding rounding) {
  const int n = std::max(-scale.shift, 0);
  const bool rounds_twice = rounding != Rounding::kSingle && n > 0;
  return {.multiplier = scale.multiplier,
          .left_shift = std::max(scale.shift, 0) + 2,
          .addend = (1 << n) + (rounds_twice ? 1 : 0),
          .negative_addend = rounds_twice && rounding == Rounding::kDoubleTiesAway ? -2 : 0,
          .right_shift = n + 1};
}

constexpr std::int32_t scale_accumulator_narrow(std::int32_t accumulator, NarrowScale scale) {
  const WordPair product =
      multiply_extended(shift_left_modulo(accumulator, scale.left_shift), scale.multiplier);
  const auto y = static_cast<std::int32_t>(product.high);
  return (y + scale.addend + (((y + 1) >> 31) & scale.negative_addend)) >> scale.right_shift;
}

/// clamp(scaled + zero_point, minimum, maximum) without an overflow.
constexpr std::int32_t clamp_output(std::int32_t scaled, std::int32_t zero_point,
                                    std::int32_t minimum, std::int32_t maximum) {
  return std::clamp(scaled, minimum - zero_point, maximum - zero_point) + zero_point;
}

/// The quantized output of one element.
///
/// clamp(scaled + zero_point, min, max), written so that no sum overflows: adding the zero point to
/// a value and to its bounds alike commutes with the clamp, and the bounds are small. The engines'
/// plain addition gives the same wherever it does not overflow; XNNPACK, too, clamps before it adds
/// the zero point, and even before it rounds: its bounds are integers, rounding is monotonic and
/// leaves integers alone, so round(clamp(v)) = clamp(round(v)).
///
/// Precondition: activation_min <= activation_max; these and the zero point are 8-bit values.
constexpr std::int32_t requantize(std::int32_t accumulator, ChannelScale scale, Rounding rounding,
                                  std::int32_t output_zero_point, std::int32_t activation_min,
                                  std::int32_t activation_max) {
  assert(activation_min <= activation_max);
  return clamp_output(scale_accumulator(accumulator, scale, rounding), output_zero_point,
                      activation_min, activation_max);
}

}  // namespace lockstep::numerics
