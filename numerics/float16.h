// IEEE 754 half precision, which C++20 has no type for, as its 16 bits.
#pragma once

#include <bit>
#include <cstdint>

namespace lockstep::numerics {

// Exact: every float16 is a float32. The bits of a NaN are kept.
constexpr float float16_to_float(uint16_t bits) {
  const uint32_t sign = (bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1fu;
  const uint32_t mantissa = bits & 0x3ffu;
  if (exponent == 0) {  // zero and subnormal: mantissa * 2^-24
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
  }
  const uint32_t wide_exponent = exponent == 0x1f ? 0xffu : exponent + (127 - 15);
  return std::bit_cast<float>(sign | wide_exponent << 23 | mantissa << 13);
}

// Rounds to nearest, ties to even; what is too large becomes infinite, and a NaN stays one.
constexpr uint16_t float_to_float16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  constexpr uint32_t kInfinity = 0x7f800000u;
  constexpr uint32_t kSmallestNormal = (127 - 14) << 23;
  if (magnitude > kInfinity) {
    return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  }
  // From here on a carry out of the mantissa goes into the exponent, as it should.
  const auto round = [](uint32_t word, uint32_t dropped_bits) {
    const uint32_t half = 1u << (dropped_bits - 1);
    const uint32_t is_odd = (word >> dropped_bits) & 1u;
    return (word + half - 1 + is_odd) >> dropped_bits;
  };
  if (magnitude < kSmallestNormal) {
    // A multiple of 2^-24: the mantissa with its leading one, moved by the distance of exponents.
    const uint32_t exponent = magnitude >> 23;
    constexpr uint32_t kExponentOfUnit = 127 - 24;
    if (exponent + 1 < kExponentOfUnit) return sign;  // less than half of the smallest
    const uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
    return static_cast<uint16_t>(sign | round(mantissa, 23 + kExponentOfUnit - exponent));
  }
  const uint32_t rounded = round(magnitude - ((127 - 15) << 23), 13);
  return static_cast<uint16_t>(sign | (rounded < 0x7c00u ? rounded : 0x7c00u));
}

}  // namespace lockstep::numerics
