// Weights without their zero points, where bytes can hold that, and what else must be added to sums
// of bytes for the accumulators of lowered_graph.h.
//
// With x' = x + 128 the input in the byte domain, z' = input_zero_point + 128, w' what is stored of
// the weights of channel o, and an offset r that a kernel takes off its input:
//   sum (x - input_zero_point) * (w - weights_zero_point)
//     = sum (x' - r) * w' + factor * sum x' - (z' - r) * sum (w - weights_zero_point)
//       - factor * r * depth
// where w' = w - weights_zero_point and factor = 0, or w' = w and factor = -weights_zero_point.
// Taps outside the image read x' = z'.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/cpu/isa.h"
#include "backend/cpu/requantization.h"

namespace lockstep::backend::cpu {

struct CenteredWeights {
  std::vector<int8_t> stored;  // w', [channels][depth]
  size_t depth = 0;
  std::vector<int32_t> row_factors;  // of each channel; empty: all are 0
  std::vector<int32_t> sums;         // of each channel: sum (w - zero point), modulo 2^32
  std::vector<int64_t> magnitudes;   // of each channel: sum |w - zero point|
};

// weights: [channels][depth]
CenteredWeights center_weights(std::span<const int8_t> weights,
                               std::span<const int32_t> zero_points, size_t depth);

// bias[o] and the terms above that do not depend on x', modulo 2^32. `row_offset` is r.
std::vector<int32_t> byte_domain_bias(std::span<const int32_t> bias, const CenteredWeights& weights,
                                      int32_t input_zero_point, int32_t row_offset);

// Of each channel, with any input.
std::vector<AccumulatorRange> accumulator_ranges(std::span<const int32_t> bias,
                                                 const CenteredWeights& weights,
                                                 int32_t input_zero_point);

// Roughly how many products of bytes a nanosecond takes: to cut work into tasks.
double products_per_nanosecond(Isa isa);

}  // namespace lockstep::backend::cpu
