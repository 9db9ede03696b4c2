// Mirrors numerics/float_rounding.h: float32 arithmetic computed with integers.
#ifndef LOCKSTEP_FLOAT_ROUNDING_GLSL
#define LOCKSTEP_FLOAT_ROUNDING_GLSL

#include "word_arithmetic.glsl"

// Precondition: significand in [2^23, 2^24].
int integer_from_float32(bool negative, uint significand, int exponent) {
  const uint kTwoToThe31 = 0x80000000u;
  uint rounded = 0u;
  if (exponent >= 8) {
    rounded = kTwoToThe31;
  } else if (exponent >= 0) {
    rounded = significand << uint(exponent);
  } else if (exponent >= -24) {
    rounded = rounding_shift_right_ties_even(significand, -exponent);
  }
  if (negative) {
    return int(0u - rounded);
  }
  return rounded < kTwoToThe31 ? int(rounded) : 0x7fffffff;
}

int multiply_float32_ties_even(int accumulator, uint mantissa, int exponent) {
  if (accumulator == 0 || mantissa == 0u) {
    return 0;
  }
  uint unsigned_accumulator = magnitude(accumulator);
  int top_bit = highest_bit(unsigned_accumulator);
  uint significand =
      rounding_shift_right_ties_even(unsigned_accumulator << uint(31 - top_bit), 8);

  WordPair product = multiply_extended(significand << 7, mantissa << 8);
  uint high = product.high | (product.low != 0u ? 1u : 0u);
  int dropped = highest_bit(high) - 23;

  return integer_from_float32(accumulator < 0, rounding_shift_right_ties_even(high, dropped),
                              exponent + top_bit - 6 + dropped);
}

#endif
