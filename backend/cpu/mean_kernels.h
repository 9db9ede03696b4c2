// Sums of columns of bytes, and step functions of them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "backend/cpu/isa.h"
#include "backend/cpu/step_line.h"

namespace lockstep::backend::cpu {

// Rows of bytes, `stride` apart.
struct ByteRows {
  const uint8_t* first = nullptr;
  int64_t rows = 0;
  int64_t stride = 0;
  int64_t columns = 0;
};

// The number of thresholds t with sum + offset >= t, where they ascend.
struct StepFunction {
  std::array<int32_t, 255> thresholds{};
  int32_t offset = 0;            // added modulo 2^32
  std::optional<StepLine> line;  // the same function of sum + offset, where there is one
};

struct MeanKernels {
  // The step function of each column's sum.
  void (*mean)(const ByteRows& rows, const StepFunction& steps, uint8_t* output);
  // Each column's sum, modulo 2^32.
  void (*sum)(const ByteRows& rows, int32_t* sums);
};

const MeanKernels& mean_kernels(Isa isa);

}  // namespace lockstep::backend::cpu
