// ADD and MUL of rows of bytes.
#pragma once

#include <cstdint>

#include "backend/cpu/affine_sum.h"
#include "backend/cpu/pair_table.h"
#include "backend/cpu/requantization.h"

namespace lockstep::backend::cpu {

// Rows of operands; those of the output lie behind one another.
struct PairedRows {
  const uint8_t* left = nullptr;
  const uint8_t* right = nullptr;
  uint8_t* output = nullptr;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t left_stride = 0;  // from a row to the next
  int64_t right_stride = 0;
  bool right_repeats = false;  // the first element of a right row belongs to all columns
};

// clamp(scale((left - left_zero_point) * (right - right_zero_point))).
struct Product {
  int32_t left_zero_point = 128;  // of the byte domain
  int32_t right_zero_point = 128;
  Requantization requantization;  // kNarrow or kFloat32
};

struct ElementwiseKernels {
  void (*add)(const AffineSum& sum, const PairedRows& rows);
  void (*multiply)(const Product& product, const PairedRows& rows);
};

const ElementwiseKernels& elementwise_kernels(Isa isa);

// Whatever the vectors.
void look_up_pairs(const PairTable& table, const PairedRows& rows);

}  // namespace lockstep::backend::cpu
