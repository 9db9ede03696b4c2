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

/// a + b, saturated to int32.
constexpr std::int32_t saturating_add(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(
      std::clamp<std::int64_t>(std::int64_t{a} + b, std::numeric_limits<std::int32_t>::min(),
                               std::numeric_limits<std::int32_t>::max()));
}

/// The quantized output of one element.
///
/// Saturating the sum costs nothing and keeps it defined; the engines' plain addition gives the
/// same wherever it does not overflow.
///
/// XNNPACK clamps earlier: the float product to [activation_min - zero_point, activation_max -
/// zero_point], then rounds, then adds the zero point. The result is the same. Its bounds are
/// integers, rounding is monotonic and leaves integers alone, so round(clamp(v)) = clamp(round(v));
/// and adding the zero point to value and bounds alike commutes with the clamp.
///
/// Precondition: activation_min <= activation_max.
constexpr std::int32_t requantize(std::int32_t accumulator, ChannelScale scale, Rounding rounding,
                                  std::int32_t output_zero_point, std::int32_t activation_min,
                                  std::int32_t activation_max) {
  assert(activation_min <= activation_max);
  const std::int32_t scaled = scale_accumulator(accumulator, scale, rounding);
  return std::clamp(saturating_add(scaled, output_zero_point), activation_min, activation_max);
}

}  // namespace lockstep::numerics
