// QUANTIZE of float32 and DEQUANTIZE to it, the doors of a network: the executable specification.
#pragma once

#include <cstdint>
#include <span>

#include "graph/lowered_graph.h"

namespace lockstep::host_ref {

//   tflite, single: clamp(round(value / scale) + zero_point), quotient in double, ties away from 0
//   reference:      the same with the quotient in float32
//   litert:         clamp(round(value * (1 / scale)) + zero_point), in float32, ties to even
// Engines leave NaN and quotients beyond int32 undefined; here a quotient that is NaN gives the
// lowest value, and large ones saturate.
void quantize(const graph::LoweredQuantize& operation, std::span<const float> input,
              std::span<int8_t> output);

// scale * (input - zero_point) in float32.
void dequantize(const graph::LoweredDequantize& operation, std::span<const int8_t> input,
                std::span<float> output);

}  // namespace lockstep::host_ref
