// ADD as one multiplication for each operand.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "backend/cpu/pair_table.h"
#include "graph/lowered_graph.h"

namespace lockstep::backend::cpu {

//   clamp(((left * left_multiplier + right * right_multiplier + fraction) >> (15 + shift)) + whole)
// with multipliers of 30 bits, each in two halves: multiplier = high * 2^15 + low. Sums of the low
// halves stay below 2^30 and those of the high ones below 2^25, and as floor divisions nest,
//   (high_sum * 2^15 + low_sum + fraction) >> (15 + shift)
//     = (high_sum + ((low_sum + fraction) >> 15)) >> shift.
struct AffineSum {
  int32_t left_high = 0;
  int32_t left_low = 0;
  int32_t right_high = 0;
  int32_t right_low = 0;
  int32_t fraction = 0;  // 0 <= fraction < 2^(15 + shift), at most 2^29
  int32_t shift = 0;
  int32_t whole = 0;  // of 16 bits, and saturating there cannot change what is clamped
  int32_t minimum = 0;
  int32_t maximum = 255;

  constexpr uint8_t operator()(uint8_t left, uint8_t right) const {
    const int32_t high = left * left_high + right * right_high;
    const int32_t low = left * left_low + right * right_low + fraction;
    return static_cast<uint8_t>(
        std::clamp(((high + (low >> 15)) >> shift) + whole, minimum, maximum));
  }
};

// kSharedShift is such a sum by nature. None where its numbers are too large.
std::optional<AffineSum> affine_sum_of_shared_shift(const graph::LoweredAdd& add);

// kRescaledOperands rounds each operand before it adds. But a function of two bytes has no more
// than 65536 values: a formula is searched for and compared with the `results` on all of them.
// None where the scales are too large, or none was found.
std::optional<AffineSum> affine_sum_of_rescaled_operands(const graph::LoweredAdd& add,
                                                         const PairTable& results);

}  // namespace lockstep::backend::cpu
