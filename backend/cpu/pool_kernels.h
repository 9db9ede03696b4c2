// Maxima and averages over windows of pixels.
#pragma once

#include <cstdint>

#include "backend/cpu/isa.h"

namespace lockstep::backend::cpu {

// The taps of a window, in bytes: rows of neighbouring pixels' channels.
struct PoolWindow {
  const uint8_t* first = nullptr;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t row_stride = 0;
  int64_t column_stride = 0;
};

// Of the byte domain.
struct PoolBounds {
  uint8_t minimum = 0;
  uint8_t maximum = 255;
};

struct PoolKernels {
  void (*maximum)(const PoolWindow& window, int64_t channels, PoolBounds bounds, uint8_t* output);
  // The sum of bytes less `zero` divided by their number, ties away from zero, plus `zero`.
  void (*average)(const PoolWindow& window, int32_t zero, int64_t channels, PoolBounds bounds,
                  uint8_t* output);
};

const PoolKernels& pool_kernels(Isa isa);

}  // namespace lockstep::backend::cpu
