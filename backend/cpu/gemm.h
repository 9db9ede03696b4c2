// Sums of products of unsigned rows and signed weights: what convolutions and fully connected
// layers come down to,
//   accumulators[r][o] = sum over k of (rows[r][k] - row_offset) * weights[o][k],   modulo 2^32,
// with a row_offset of 0 or, where a processor multiplies signed bytes only, of 128; one small tile
// at a time. No kernel saturates in between.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cpu/isa.h"
#include "backend/cpu/requantization.h"

namespace lockstep::backend::cpu {

// A kernel and the layout it wants. Weights lie in panels of `panel_channels` output channels:
//   panel[k / depth_block][channel][k % depth_block],
// zeros beyond the last channel and the last k.
struct GemmKernel {
  Isa isa = Isa::kSse4;        // that it is made of
  int32_t depth_block = 1;     // k of one channel that are neighbours
  int32_t panel_depth = 1;     // panels are that deep or a multiple of it
  int32_t panel_channels = 1;  // of a panel
  int32_t tile_rows = 1;       // at most so many rows in a call
  int32_t tile_panels = 1;     // and so many panels
  // Rows are widened to uint16 for this kernel: see widen.
  bool takes_words = false;
  int32_t row_offset = 0;

  // rows: `row_stride` bytes apart, `depth` elements each can be read, what weights of zero make
  // of no account included; panels: `panel_bytes` apart, `depth` a multiple of panel_depth.
  // accumulators: [row_count][panel_count * panel_channels], written.
  void (*accumulate)(const void* rows, size_t row_stride, size_t row_count, const int8_t* panels,
                     size_t panel_bytes, size_t panel_count, size_t depth,
                     int32_t* accumulators) = nullptr;

  // Around calls of accumulate() by one thread; may be null.
  void (*enter)() = nullptr;
  void (*leave)() = nullptr;
};

// The fastest one for so many rows of such a depth.
const GemmKernel& gemm_kernel(Isa isa, int64_t rows, int64_t depth);

// What goes with a tile of accumulators, in the vectors of an Isa.
struct GemmTileKernels {
  // output[r][c] = the output stage of accumulators[r][c] + bias[c] + row_terms[r] * factors[c],
  // modulo 2^32, for channels first_channel <= c. row_terms may be null. Any form but kNone.
  void (*requantize)(const Requantization& requantization, size_t first_channel,
                     const int32_t* accumulators, size_t accumulator_stride, size_t rows,
                     size_t channels, const int32_t* row_terms, const int32_t* factors,
                     uint8_t* output, size_t output_stride) = nullptr;

  // The same sums as they are: kNone.
  void (*store_sums)(const Requantization& requantization, size_t first_channel,
                     const int32_t* accumulators, size_t accumulator_stride, size_t rows,
                     size_t channels, const int32_t* row_terms, const int32_t* factors,
                     int32_t* output, size_t output_stride) = nullptr;

  // The sum of `count` bytes, modulo 2^32.
  int32_t (*sum_bytes)(const uint8_t* bytes, size_t count) = nullptr;

  // Bytes to uint16.
  void (*widen)(const uint8_t* bytes, size_t count, uint16_t* words) = nullptr;
};

const GemmTileKernels& gemm_tile_kernels(Isa isa);

}  // namespace lockstep::backend::cpu
