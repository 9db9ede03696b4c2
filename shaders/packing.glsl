// Four int8 in a word, channel c in byte c % 4, least significant first.
#ifndef LOCKSTEP_PACKING_GLSL
#define LOCKSTEP_PACKING_GLSL

#include "word_arithmetic.glsl"

// Byte `lane` (0..3) of a word, sign-extended.
int unpack(uint word, int lane) { return bitfieldExtract(int(word), 8 * lane, 8); }

// The low byte of `value` at byte `lane` of an otherwise empty word.
uint pack(int value, int lane) { return uint(value & 0xff) << uint(8 * lane); }

// A word of ones in its first `count` bytes; none for count <= 0, all for count >= 4.
uint byte_mask(int count) {
  uint partial = (1u << uint(8 * clamp(count, 0, 3))) - 1u;
  return select(count >= 4, 0xffffffffu, partial);
}

#endif
