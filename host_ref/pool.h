// AVERAGE_POOL_2D and MAX_POOL_2D: the executable specification.
#pragma once

#include <cstdint>
#include <span>

#include "graph/lowered_graph.h"

namespace lockstep::host_ref {

// sum / count to the nearest integer, ties away from zero. Precondition: count > 0.
int32_t rounded_average(int32_t sum, int32_t count);

// Over the taps inside the image only, then clamped to the activation range:
//   average: rounded_average(sum (x + accumulator_offset), taps) - accumulator_offset
//   maximum: the largest x
// A window that lies outside the image altogether gives activation_min.
void pool(const graph::LoweredPool& operation, std::span<const int8_t> input,
          std::span<int8_t> output);

}  // namespace lockstep::host_ref
