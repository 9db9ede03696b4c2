#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "numerics/contract.h"

namespace lockstep::numerics {

/// How an int32 accumulator is scaled to the output: one value for each formula that a kernel's end
/// implements. The numeric values are shared with the shaders (specialisation constants): never
/// renumber them.
///
/// With (multiplier, shift) the QuantizedMultiplier of the real scale:
enum class Rounding : std::uint32_t {
  /// saturating_rounding_doubling_high_multiply, then a right shift whose ties go towards
  /// +infinity.
  kDoubleTiesUp = 0,
  /// saturating_rounding_doubling_high_multiply, then a right shift whose ties go away from zero.
  kDoubleTiesAway = 1,
  /// One rounding of the 64-bit product: (x * multiplier + 2^(30 - shift)) >> (31 - shift).
  kSingle = 2,
  /// float32(x) * float32(scale), rounded to the nearest integer with ties to even.
  kFloat32TiesEven = 3,
};

inline constexpr std::array<Rounding, 4> kAllRoundings = {
    Rounding::kDoubleTiesUp, Rounding::kDoubleTiesAway, Rounding::kSingle,
    Rounding::kFloat32TiesEven};

/// A name for reports and messages; "unknown" for a value that is no enumerator.
constexpr std::string_view rounding_name(Rounding rounding) {
  switch (rounding) {
    case Rounding::kDoubleTiesUp:
      return "double_ties_up";
    case Rounding::kDoubleTiesAway:
      return "double_ties_away";
    case Rounding::kSingle:
      return "single";
    case Rounding::kFloat32TiesEven:
      return "float32_ties_even";
  }
  return "unknown";
}

/// The groups of operators between which an engine changes its rounding.
enum class OperatorKind : std::uint8_t {
  kConvolution,
  kDepthwiseConvolution,
  kFullyConnected,
  kElementwise,
};

/// The rounding with which `contract` scales the accumulators of an operator of this kind.
///
/// Only the tflite contract distinguishes kinds: convolution and fully connected layers end in
/// ruy's vector code, whose right shift is (x + half) >> n, while depthwise convolutions and the
/// element-wise operators end in gemmlowp's RoundingDivideByPOT.
constexpr Rounding rounding_for(Contract contract, OperatorKind kind) {
  switch (contract) {
    case Contract::kTflite:
      return kind == OperatorKind::kConvolution || kind == OperatorKind::kFullyConnected
                 ? Rounding::kDoubleTiesUp
                 : Rounding::kDoubleTiesAway;
    case Contract::kLitert:
      return Rounding::kFloat32TiesEven;
    case Contract::kReference:
      return Rounding::kDoubleTiesAway;
    case Contract::kSingle:
      return Rounding::kSingle;
  }
  return Rounding::kDoubleTiesAway;
}

}  // namespace lockstep::numerics
