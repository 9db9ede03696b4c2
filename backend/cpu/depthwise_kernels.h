// Depthwise convolution of one block of neighbouring channels, a vector lane each.
//
// A lane holds several taps of a column of the window, one below the other: for bytes four, for
// 16-bit numbers two. So one instruction multiplies and adds them all (vpdpbusd, pmaddwd), and what
// was interleaved for one output pixel serves its neighbours. Interleaved input is a strip:
//   strip[column][lane][tap],   one vector a column
// and weights are vectors of the same kind. Sums are exact modulo 2^32.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cpu/isa.h"
#include "backend/cpu/requantization.h"

namespace lockstep::backend::cpu {

inline constexpr size_t kMostInterleavedRows = 4;

// Rows of an image of which `lanes` channels are interleaved: row i is at rows[i], its columns
// steps[i] bytes apart.
struct InterleavedRows {
  const uint8_t* rows[kMostInterleavedRows] = {};
  size_t steps[kMostInterleavedRows] = {};
};

// A row of outputs from strips. Tap t of the window, 0 <= t < taps, multiplies weights vector t by
// the strips' vector at offsets[t], for the first output; for each further one `step` bytes later.
struct DepthwiseRow {
  const std::byte* strips = nullptr;
  const size_t* offsets = nullptr;
  const std::byte* weights = nullptr;
  size_t taps = 0;
  size_t step = 0;
  size_t outputs = 0;
  const Requantization* requantization = nullptr;
  size_t channel = 0;      // of lane 0
  size_t channels = 0;     // lanes that are stored
  void* output = nullptr;  // of the first output and lane 0: uint8; int32 for ScaleForm::kNone
  size_t output_step = 0;  // elements to the next output
};

struct DepthwiseKernel {
  Isa isa = Isa::kSse4;  // that it is made of
  size_t lanes = 1;
  size_t interleaved_rows = 1;
  bool takes_words = false;  // weights are int16, else int8

  size_t vector_bytes() const { return lanes * sizeof(int32_t); }

  // Reads up to `lanes` bytes of each row and column.
  void (*interleave)(const InterleavedRows& rows, size_t columns, std::byte* strip) = nullptr;
  // The same for columns whose every byte is `value`.
  void (*fill)(uint8_t value, size_t columns, std::byte* strip) = nullptr;
  void (*compute_row)(const DepthwiseRow& row) = nullptr;
};

// The fastest one for weights that are bytes, and for others (differences of bytes).
const DepthwiseKernel& depthwise_kernel(Isa isa, bool weights_are_bytes);

}  // namespace lockstep::backend::cpu
