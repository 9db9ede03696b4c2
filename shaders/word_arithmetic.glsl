// Mirrors numerics/word_arithmetic.h: 32-bit operations only, and no branches. An operator ?: may
// become a branch, which devices that run invocations in lockstep pay for; select() does not. Both
// its values are computed, so shift amounts are kept below 32 even where the result is not used.
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

int select(bool condition, int if_true, int if_false) { return mix(if_false, if_true, condition); }
uint select(bool condition, uint if_true, uint if_false) {
  return mix(if_false, if_true, condition);
}

uint magnitude(int value) { return select(value < 0, 0u - uint(value), uint(value)); }

// The low word of (value + 2^(n-1)) >> n for a signed pair. Precondition: 1 <= n <= 63.
int rounding_shift_right_ties_up(WordPair value, int n) {
  bool within_low = n < 32;
  uint low_quotient = (value.high << uint((32 - n) & 31)) | (value.low >> uint(n & 31));
  uint high_quotient = uint(int(value.high) >> ((n - 32) & 31));
  uint word_of_lost_bit = select(n <= 32, value.low, value.high);
  uint highest_lost_bit = (word_of_lost_bit >> uint((n - 1) & 31)) & 1u;
  return int(select(within_low, low_quotient, high_quotient) + highest_lost_bit);
}

// Precondition: 0 <= n <= 31. For n = 0 there is no remainder that could reach half of anything.
uint rounding_shift_right_ties_even(uint value, int n) {
  uint quotient = value >> uint(n);
  uint remainder = value & ((1u << uint(n)) - 1u);
  uint half_way = 1u << uint((n - 1) & 31);
  // Above half; or exactly half, and the quotient odd.
  return quotient + uint(remainder + (quotient & 1u) > half_way);
}

#endif
