// Mirrors numerics/word_arithmetic.h: 32-bit operations only.
#ifndef LOCKSTEP_WORD_ARITHMETIC_GLSL
#define LOCKSTEP_WORD_ARITHMETIC_GLSL

// high * 2^32 + low.
struct WordPair {
  uint high;
  uint low;
};

WordPair multiply_extended(uint a, uint b) {
  uint high;
  uint low;
  umulExtended(a, b, high, low);
  return WordPair(high, low);
}

WordPair multiply_extended(int a, int b) {
  int high;
  int low;
  imulExtended(a, b, high, low);
  return WordPair(uint(high), uint(low));
}

// Precondition: value != 0.
int highest_bit(uint value) { return findMSB(value); }

uint magnitude(int value) {
  uint bits = uint(value);
  return value < 0 ? 0u - bits : bits;
}

// GLSL leaves shifts by 32 and more undefined; here they give 0.
int shift_left_modulo(int value, int n) { return n > 31 ? 0 : int(uint(value) << uint(n)); }

// The low word of (value + 2^(n-1)) >> n for a signed pair. Precondition: 1 <= n <= 63.
int rounding_shift_right_ties_up(WordPair value, int n) {
  int signed_high = int(value.high);
  uint quotient;
  uint highest_lost_bit;
  if (n < 32) {
    quotient = (value.high << uint(32 - n)) | (value.low >> uint(n));
    highest_lost_bit = (value.low >> uint(n - 1)) & 1u;
  } else if (n == 32) {
    quotient = value.high;
    highest_lost_bit = value.low >> 31;
  } else {
    quotient = uint(signed_high >> (n - 32));
    highest_lost_bit = (value.high >> uint(n - 33)) & 1u;
  }
  return int(quotient + highest_lost_bit);
}

// Precondition: 0 <= n <= 31.
uint rounding_shift_right_ties_even(uint value, int n) {
  if (n == 0) {
    return value;
  }
  uint quotient = value >> uint(n);
  uint remainder = value & ((1u << uint(n)) - 1u);
  uint half_way = 1u << uint(n - 1);
  bool up = remainder > half_way || (remainder == half_way && (quotient & 1u) != 0u);
  return up ? quotient + 1u : quotient;
}

#endif
