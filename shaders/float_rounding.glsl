// Mirrors numerics/float_rounding.h: float32 arithmetic computed with integers.
#ifndef LOCKSTEP_FLOAT_ROUNDING_GLSL
#define LOCKSTEP_FLOAT_ROUNDING_GLSL

#include "word_arithmetic.glsl"

// Precondition: significand in [2^23, 2^24]. From 2^8 on the result saturates; 2^-25 and below
// leaves at most one half, whose nearest even integer is 0.
int integer_from_float32(bool negative, uint significand, int exponent) {
  const uint kTwoToThe31 = 0x80000000u;
  uint whole = rounding_shift_right_ties_even(significand, clamp(-exponent, 0, 25))
               << uint(clamp(exponent, 0, 7));
  uint rounded = select(exponent >= 8, kTwoToThe31, whole);
  return select(negative, int(0u - rounded), int(min(rounded, 0x7fffffffu)));
}

int multiply_float32_ties_even(int accumulator, uint mantissa, int exponent) {
  uint unsigned_accumulator = magnitude(accumulator);
  int top_bit = highest_bit(unsigned_accumulator);
  uint significand =
      rounding_shift_right_ties_even(unsigned_accumulator << uint((31 - top_bit) & 31), 8);

  WordPair product = multiply_extended(significand << 7, mantissa << 8);
  uint high = product.high | uint(product.low != 0u);
  int dropped = highest_bit(high) - 23;

  int scaled = integer_from_float32(accumulator < 0,
                                    rounding_shift_right_ties_even(high, max(dropped, 0)),
                                    exponent + top_bit - 6 + dropped);
  // Without a highest bit everything above is meaningless.
  return select(high == 0u, 0, scaled);
}

#endif
