// Pixels between four others.
#pragma once

#include <cstdint>

#include "backend/cpu/isa.h"

namespace lockstep::backend::cpu {

// The channels of the pixels around an output pixel: those of its first row, then of its second.
struct CornerPixels {
  const uint8_t* first_first = nullptr;
  const uint8_t* first_second = nullptr;
  const uint8_t* second_first = nullptr;
  const uint8_t* second_second = nullptr;
};

// The shares of rows and columns, see graph::InterpolationArithmetic. Of the fixed-point ones each
// pair adds up to 2^bits.
template <typename T>
struct CornerWeights {
  T first_row{};
  T second_row{};
  T first_column{};
  T second_column{};
};

struct FixedPointWeights {
  CornerWeights<int32_t> weights;
  int32_t bits = 1;
  bool ties_away = false;  // from 0, of the stored values; else up
};

struct ResizeKernels {
  void (*in_fixed_point)(const CornerPixels& corners, const FixedPointWeights& weights,
                         int64_t channels, uint8_t* output);
  void (*in_float32)(const CornerPixels& corners, const CornerWeights<float>& weights,
                     int64_t channels, uint8_t* output);
};

const ResizeKernels& resize_kernels(Isa isa);

}  // namespace lockstep::backend::cpu
