// From float32 to bytes and back.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cpu/isa.h"

namespace lockstep::backend::cpu {

struct QuantizeKernels {
  // clamp(round(quotient) + zero_point), of which NaN gives the lowest; see host_ref/quantize.h.
  // The zero point is the byte domain's. Quotients and roundings:
  // in double, ties away from zero
  void (*quantize_in_double)(const float* input, size_t count, float scale, int32_t zero_point,
                             uint8_t* output);
  // in float32, ties away from zero
  void (*quantize_in_float)(const float* input, size_t count, float scale, int32_t zero_point,
                            uint8_t* output);
  // the product with `inverse` in float32, ties to even
  void (*quantize_by_inverse)(const float* input, size_t count, float inverse, int32_t zero_point,
                              uint8_t* output);
  // scale * (input - zero_point)
  void (*dequantize)(const uint8_t* input, size_t count, float scale, int32_t zero_point,
                     float* output);
};

const QuantizeKernels& quantize_kernels(Isa isa);

}  // namespace lockstep::backend::cpu
