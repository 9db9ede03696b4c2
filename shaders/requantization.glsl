// Mirrors numerics/requantization.h: from an int32 accumulator to an output value,
//   clamp(zero_point + round(accumulator * scale), activation_min, activation_max).
// A scale is two words (multiplier, shift) whose meaning depends on the rounding; `rounding` is a
// specialization constant wherever it is given, so only one formula is left in a pipeline.
#ifndef LOCKSTEP_REQUANTIZATION_GLSL
#define LOCKSTEP_REQUANTIZATION_GLSL

#include "fixed_point.glsl"
#include "float_rounding.glsl"

// The values of numerics::Rounding.
const uint kDoubleTiesUp = 0u;
const uint kDoubleTiesAway = 1u;
const uint kSingle = 2u;
const uint kFloat32TiesEven = 3u;
// In a convolution's place for a rounding: there is no end, the output is the accumulators.
const uint kStoreAccumulators = 4u;
// Added to an integer rounding where all accumulators are known to be small: see NarrowScale.
const uint kNarrow = 8u;

int scale_accumulator(int accumulator, int multiplier, int shift, uint rounding) {
  if (rounding == kDoubleTiesUp) {
    return multiply_double_ties_up(accumulator, multiplier, shift);
  }
  if (rounding == kDoubleTiesAway) {
    return multiply_double_ties_away(accumulator, multiplier, shift);
  }
  if (rounding == kSingle) {
    return multiply_single(accumulator, multiplier, shift);
  }
  return multiply_float32_ties_even(accumulator, uint(multiplier), shift);
}

// clamp(scaled + zero_point, minimum, maximum), where no sum overflows: bounds and zero point are
// those of 8-bit values.
int clamp_output(int scaled, int zero_point, int minimum, int maximum) {
  return clamp(scaled, minimum - zero_point, maximum - zero_point) + zero_point;
}

// What numerics::NarrowScale says: (y + addend + (negative_addend if y + 1 < 0)) >> right_shift with
// y = floor(accumulator * 2^left_shift * multiplier / 2^32).
struct NarrowScale {
  int multiplier;
  int left_shift;
  int addend;
  int negative_addend;
  int right_shift;
};

NarrowScale narrow_scale(int multiplier, int shift, uint rounding) {
  int n = max(-shift, 0);
  bool rounds_twice = rounding != kSingle && n > 0;
  return NarrowScale(multiplier, max(shift, 0) + 2, (1 << n) + int(rounds_twice),
                     select(rounds_twice && rounding == kDoubleTiesAway, -2, 0), n + 1);
}

int scale_accumulator_narrow(int accumulator, NarrowScale scale) {
  int y = int(multiply_extended(accumulator << scale.left_shift, scale.multiplier).high);
  return (y + scale.addend + (((y + 1) >> 31) & scale.negative_addend)) >> scale.right_shift;
}

// How a channel's accumulators become outputs, made once for many of them. `end`: a rounding, or an
// integer one + kNarrow.
struct ChannelEnd {
  int multiplier;
  int shift;
  NarrowScale narrow;
};

ChannelEnd channel_end(int multiplier, int shift, uint end) {
  return ChannelEnd(multiplier, shift, narrow_scale(multiplier, shift, end - kNarrow));
}

int scale_accumulator(int accumulator, ChannelEnd channel, uint end) {
  if (end >= kNarrow) {
    return scale_accumulator_narrow(accumulator, channel.narrow);
  }
  return scale_accumulator(accumulator, channel.multiplier, channel.shift, end);
}

int requantize(int accumulator, int multiplier, int shift, uint rounding, int output_zero_point,
               int activation_min, int activation_max) {
  int scaled = scale_accumulator(accumulator, multiplier, shift, rounding);
  return clamp_output(scaled, output_zero_point, activation_min, activation_max);
}

int requantize(int accumulator, ChannelEnd channel, uint end, int output_zero_point,
               int activation_min, int activation_max) {
  return clamp_output(scale_accumulator(accumulator, channel, end), output_zero_point,
                      activation_min, activation_max);
}

#endif
