// Mirrors numerics/fixed_point.h.
#ifndef LOCKSTEP_FIXED_POINT_GLSL
#define LOCKSTEP_FIXED_POINT_GLSL

#include "word_arithmetic.glsl"

// The nearest integer to a * b / 2^31, ties up. Precondition: b >= 0, as all multipliers of scales
// are: then the result fits. Bits 30 and 31 of the low word are the half and the lowest bit.
int rounding_doubling_high_multiply(int a, int b) {
  WordPair product = multiply_extended(a, b);
  return int((product.high << 1) + (((product.low >> 30) + 1u) >> 1));
}

// Precondition: 0 <= n <= 31. The highest bit that is lost, bit n - 1 of x, is bit n of 2 * x; for
// n = 0 that is 0, as it should be.
int rounding_shift_right_ties_up(int x, int n) { return (x >> n) + (((x << 1) >> n) & 1); }

// Precondition: 0 <= n <= 31.
int rounding_shift_right_ties_away_from_zero(int x, int n) {
  int remainder_mask = int((1u << uint(n)) - 1u);
  int remainder = x & remainder_mask;
  int threshold = (remainder_mask >> 1) + int(x < 0);
  return (x >> n) + int(remainder > threshold);
}

// Precondition of both: -31 <= shift <= 31, multiplier >= 0.
int multiply_double_ties_up(int x, int multiplier, int shift) {
  int high = rounding_doubling_high_multiply(x << max(shift, 0), multiplier);
  return rounding_shift_right_ties_up(high, max(-shift, 0));
}

int multiply_double_ties_away(int x, int multiplier, int shift) {
  int high = rounding_doubling_high_multiply(x << max(shift, 0), multiplier);
  return rounding_shift_right_ties_away_from_zero(high, max(-shift, 0));
}

// Precondition: -31 <= shift <= 30.
int multiply_single(int x, int multiplier, int shift) {
  return rounding_shift_right_ties_up(multiply_extended(x, multiplier), 31 - shift);
}

#endif
