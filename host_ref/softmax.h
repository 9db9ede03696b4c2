// SOFTMAX in the engine's float arithmetic: the executable specification.
#pragma once

#include <cstdint>
#include <span>

#include "graph/lowered_graph.h"

namespace lockstep::host_ref {

// For each row x of `depth` elements, in float32, every operation rounded to nearest:
//   e[i] = exponentials[max(x) - x[i]]
//   sum = e[0] + e[1] + ...              one after another from 0
//   p[i] = e[i] * (1 / (sum * output_scale))
//   int8 outside:  output[i] = clamp(round(p[i]) + output_zero_point), ties away from zero
//   uint8 outside: output[i] = clamp(truncate(p[i] + 0.5)), the zero point not added
void softmax(const graph::LoweredSoftmax& operation, std::span<const int8_t> input,
             std::span<int8_t> output);

}  // namespace lockstep::host_ref
