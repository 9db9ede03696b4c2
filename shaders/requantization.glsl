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

// a + b, saturated to int32: when both operands differ in sign from the wrapped sum, it overflowed.
int saturating_add(int a, int b) {
  int sum = int(uint(a) + uint(b));
  bool overflows = ((a ^ sum) & (b ^ sum)) < 0;
  return select(overflows, kHighestInt ^ (a >> 31), sum);
}

int requantize(int accumulator, int multiplier, int shift, uint rounding, int output_zero_point,
               int activation_min, int activation_max) {
  int scaled = scale_accumulator(accumulator, multiplier, shift, rounding);
  return clamp(saturating_add(scaled, output_zero_point), activation_min, activation_max);
}

#endif
