// Mirrors numerics/float_arithmetic.h: products and sums of float32, rounded as IEEE 754 says, with
// integers. Numbers are the bits of float32; none is infinite, NaN or subnormal, nor is a result.
#ifndef LOCKSTEP_FLOAT_ARITHMETIC_GLSL
#define LOCKSTEP_FLOAT_ARITHMETIC_GLSL

#include "word_arithmetic.glsl"

const int kFractionBits = 23;
const uint kImplicitOne = 0x800000u;
const uint kSign = 0x80000000u;

int float32_exponent(uint bits) { return int((bits >> uint(kFractionBits)) & 0xffu); }

uint float32_significand(uint bits) {
  return select(float32_exponent(bits) == 0, 0u, kImplicitOne | (bits & (kImplicitOne - 1u)));
}

uint compose_float32(uint sign, uint significand, int exponent) {
  return sign | ((uint(exponent - 1) << uint(kFractionBits)) + significand);
}

// Precondition: value < 2^24.
uint float32_of_integer(uint value) {
  int top_bit = highest_bit(value | 1u);
  uint bits = compose_float32(0u, value << uint(kFractionBits - top_bit), 127 + top_bit);
  return select(value == 0u, 0u, bits);
}

uint multiply_float32(uint a, uint b) {
  WordPair product = multiply_extended(float32_significand(a) << 7, float32_significand(b) << 8);
  uint high = product.high | uint(product.low != 0u);
  // Without a highest bit everything that follows is meaningless.
  int dropped = max(highest_bit(high) - kFractionBits, 0);
  uint bits = compose_float32((a ^ b) & kSign, rounding_shift_right_ties_even(high, dropped),
                              float32_exponent(a) + float32_exponent(b) - 133 + dropped);
  return select(high == 0u, 0u, bits);
}

uint add_float32(uint a, uint b) {
  bool in_order = (a & ~kSign) >= (b & ~kSign);
  uint larger = select(in_order, a, b);
  uint smaller = select(in_order, b, a);
  uint whole = float32_significand(smaller) << 6;
  uint shift = uint(min(float32_exponent(larger) - float32_exponent(smaller), 31));
  uint moved = (whole >> shift) | uint((whole & ((1u << shift) - 1u)) != 0u);
  uint base = float32_significand(larger) << 6;
  uint sum = select(((a ^ b) & kSign) == 0u, base + moved, base - moved);
  int dropped = highest_bit(sum | 1u) - kFractionBits;
  uint significand = rounding_shift_right_ties_even(sum << uint(max(-dropped, 0)), max(dropped, 0));
  uint bits =
      compose_float32(larger & kSign, significand, float32_exponent(larger) + dropped - 6);
  return select(sum == 0u, 0u, bits);
}

uint truncate_float32(uint bits) {
  return float32_significand(bits) >> uint(min(150 - float32_exponent(bits), 31));
}

#endif
