// Mirrors numerics/fixed_point.h.
#ifndef LOCKSTEP_FIXED_POINT_GLSL
#define LOCKSTEP_FIXED_POINT_GLSL

#include "word_arithmetic.glsl"

const int kLowestInt = int(0x80000000u);
const int kHighestInt = 0x7fffffff;

int saturating_rounding_doubling_high_multiply(int a, int b) {
  if (a == kLowestInt && b == kLowestInt) {
    return kHighestInt;
  }
  return rounding_shift_right_ties_up(multiply_extended(a, b), 31);
}

// Precondition: 0 <= n <= 31.
int rounding_shift_right_ties_up(int x, int n) {
  return n == 0 ? x : (x >> n) + ((x >> (n - 1)) & 1);
}

// Precondition: 0 <= n <= 31.
int rounding_shift_right_ties_away_from_zero(int x, int n) {
  int remainder_mask = int((1u << uint(n)) - 1u);
  int remainder = x & remainder_mask;
  int threshold = (remainder_mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> n) + (remainder > threshold ? 1 : 0);
}

int multiply_double_ties_up(int x, int multiplier, int shift) {
  int left_shift = shift > 0 ? shift : 0;
  int right_shift = shift > 0 ? 0 : -shift;
  int high = saturating_rounding_doubling_high_multiply(shift_left_modulo(x, left_shift), multiplier);
  return rounding_shift_right_ties_up(high, right_shift);
}

int multiply_double_ties_away(int x, int multiplier, int shift) {
  int left_shift = shift > 0 ? shift : 0;
  int right_shift = shift > 0 ? 0 : -shift;
  int high = saturating_rounding_doubling_high_multiply(shift_left_modulo(x, left_shift), multiplier);
  return rounding_shift_right_ties_away_from_zero(high, right_shift);
}

// Precondition: -31 <= shift <= 30.
int multiply_single(int x, int multiplier, int shift) {
  return rounding_shift_right_ties_up(multiply_extended(x, multiplier), 31 - shift);
}

#endif
