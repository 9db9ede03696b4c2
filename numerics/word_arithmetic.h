#pragma once

#include <bit>
#include <cassert>
#include <cstdint>

// The few operations from which the exact arithmetic is built when no 64-bit integer exists.
// Baseline shaders have 32-bit integers only; each function here is one GLSL builtin, or a handful
// of 32-bit operations that a shader can repeat line by line.

namespace lockstep::numerics {

/// A 64-bit two's complement (or unsigned) integer as two words: high * 2^32 + low.
struct WordPair {
  std::uint32_t high;
  std::uint32_t low;
};

/// The full product of two unsigned words: GLSL umulExtended.
constexpr WordPair multiply_extended(std::uint32_t a, std::uint32_t b) {
  const std::uint64_t product = std::uint64_t{a} * b;
  return {static_cast<std::uint32_t>(product >> 32), static_cast<std::uint32_t>(product)};
}

/// The full product of two signed words, in two's complement: GLSL imulExtended.
constexpr WordPair multiply_extended(std::int32_t a, std::int32_t b) {
  const auto product = static_cast<std::uint64_t>(std::int64_t{a} * b);
  return {static_cast<std::uint32_t>(product >> 32), static_cast<std::uint32_t>(product)};
}

/// The index of the highest set bit: GLSL findMSB of a uint. Precondition: value != 0.
constexpr int highest_bit(std::uint32_t value) {
  assert(value != 0);
  return 31 - std::countl_zero(value);
}

/// |value| without overflow: the smallest int32 gives 2^31.
constexpr std::uint32_t magnitude(std::int32_t value) {
  const auto bits = static_cast<std::uint32_t>(value);
  return value < 0 ? 0u - bits : bits;
}

/// value * 2^n modulo 2^32, as two's complement. Any n >= 0; all bits are gone from 32 on.
constexpr std::int32_t shift_left_modulo(std::int32_t value, int n) {
  assert(n >= 0);
  return n > 31 ? 0 : static_cast<std::int32_t>(static_cast<std::uint32_t>(value) << n);
}

/// The low word of (value + 2^(n-1)) >> n for a signed pair: the nearest integer to value / 2^n,
/// ties up, modulo 2^32. Precondition: 1 <= n <= 63.
///
/// Adding half before the shift equals adding, after it, the highest bit that was shifted out;
/// so no carry between the words is ever needed.
constexpr std::int32_t rounding_shift_right_ties_up(WordPair value, int n) {
  assert(1 <= n && n <= 63);
  const auto signed_high = static_cast<std::int32_t>(value.high);
  std::uint32_t quotient = 0;
  std::uint32_t highest_lost_bit = 0;
  if (n < 32) {
    quotient = (value.high << (32 - n)) | (value.low >> n);
    highest_lost_bit = (value.low >> (n - 1)) & 1u;
  } else if (n == 32) {
    quotient = value.high;
    highest_lost_bit = value.low >> 31;
  } else {
    quotient = static_cast<std::uint32_t>(signed_high >> (n - 32));
    highest_lost_bit = (value.high >> (n - 33)) & 1u;
  }
  return static_cast<std::int32_t>(quotient + highest_lost_bit);
}

/// The nearest integer to value / 2^n, ties to the even one. Precondition: 0 <= n <= 31.
constexpr std::uint32_t rounding_shift_right_ties_even(std::uint32_t value, int n) {
  assert(0 <= n && n <= 31);
  if (n == 0) {
    return value;
  }
  const std::uint32_t quotient = value >> n;
  const std::uint32_t remainder = value & ((1u << n) - 1u);
  const std::uint32_t half = 1u << (n - 1);
  const bool up = remainder > half || (remainder == half && (quotient & 1u) != 0);
  return up ? quotient + 1u : quotient;
}

}  // namespace lockstep::numerics
