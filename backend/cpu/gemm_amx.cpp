// GEMM in AMX tiles: 16 rows by 64 bytes times 16 channels by 64 bytes, 16384 products an
// instruction (tdpbusd: unsigned by signed bytes, added without saturation).
#include "backend/cpu/gemm_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>

#define LOCKSTEP_WITH_TILES __attribute__((target("amx-tile,amx-int8")))

namespace lockstep::backend::cpu {
namespace {

constexpr size_t kRows = 16;      // of a tile
constexpr size_t kDepth = 64;     // bytes of a tile's row
constexpr size_t kChannels = 16;  // words of a sum's row

// The operand of ldtilecfg. Tiles 0 to 3 hold sums, 4 and 5 rows, 6 and 7 weights, all of them
// whole: what is left of the rows is quads_kernel()'s.
struct alignas(64) TileConfiguration {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t bytes_per_row[16] = {kDepth, kDepth, kDepth, kDepth, kDepth, kDepth, kDepth, kDepth};
  uint8_t rows[16] = {kRows, kRows, kRows, kRows, kRows, kRows, kRows, kRows};
};
static_assert(sizeof(TileConfiguration) == 64);
constexpr TileConfiguration kConfiguration;

LOCKSTEP_WITH_TILES void enter() { _tile_loadconfig(&kConfiguration); }
LOCKSTEP_WITH_TILES void leave() { _tile_release(); }

// A step's bytes of a panel: 16 quads of k, each of 16 channels.
constexpr size_t kPanelStep = kDepth * kChannels;

// 32 rows, two panels.
LOCKSTEP_WITH_TILES void accumulate_2x2(const uint8_t* rows, size_t row_stride,
                                        const int8_t* panels, size_t panel_bytes, size_t depth,
                                        int32_t* sums) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const int8_t* second_panel = panels + panel_bytes;
  const uint8_t* second_rows = rows + kRows * row_stride;
  for (size_t k = 0; k < depth; k += kDepth) {
    _tile_loadd(4, rows + k, row_stride);
    _tile_loadd(6, panels + k * kChannels, kDepth);
    _tile_dpbusd(0, 4, 6);
    _tile_loadd(7, second_panel + k * kChannels, kDepth);
    _tile_dpbusd(1, 4, 7);
    _tile_loadd(5, second_rows + k, row_stride);
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
  }
  constexpr size_t kStride = 2 * kChannels;
  _tile_stored(0, sums, kStride * sizeof(int32_t));
  _tile_stored(1, sums + kChannels, kStride * sizeof(int32_t));
  _tile_stored(2, sums + kRows * kStride, kStride * sizeof(int32_t));
  _tile_stored(3, sums + kRows * kStride + kChannels, kStride * sizeof(int32_t));
}

// 32 rows, one panel.
LOCKSTEP_WITH_TILES void accumulate_2x1(const uint8_t* rows, size_t row_stride, const int8_t* panel,
                                        size_t depth, int32_t* sums) {
  _tile_zero(0);
  _tile_zero(2);
  const uint8_t* second_rows = rows + kRows * row_stride;
  for (size_t k = 0; k < depth; k += kDepth) {
    _tile_loadd(6, panel + k * kChannels, kDepth);
    _tile_loadd(4, rows + k, row_stride);
    _tile_dpbusd(0, 4, 6);
    _tile_loadd(5, second_rows + k, row_stride);
    _tile_dpbusd(2, 5, 6);
  }
  _tile_stored(0, sums, kChannels * sizeof(int32_t));
  _tile_stored(2, sums + kRows * kChannels, kChannels * sizeof(int32_t));
}

// 16 rows, one or two panels.
LOCKSTEP_WITH_TILES void accumulate_1x2(const uint8_t* rows, size_t row_stride,
                                        const int8_t* panels, size_t panel_bytes, size_t depth,
                                        int32_t* sums) {
  _tile_zero(0);
  _tile_zero(1);
  const int8_t* second_panel = panels + panel_bytes;
  for (size_t k = 0; k < depth; k += kDepth) {
    _tile_loadd(4, rows + k, row_stride);
    _tile_loadd(6, panels + k * kChannels, kDepth);
    _tile_dpbusd(0, 4, 6);
    _tile_loadd(7, second_panel + k * kChannels, kDepth);
    _tile_dpbusd(1, 4, 7);
  }
  constexpr size_t kStride = 2 * kChannels;
  _tile_stored(0, sums, kStride * sizeof(int32_t));
  _tile_stored(1, sums + kChannels, kStride * sizeof(int32_t));
}

LOCKSTEP_WITH_TILES void accumulate_1x1(const uint8_t* rows, size_t row_stride, const int8_t* panel,
                                        size_t depth, int32_t* sums) {
  _tile_zero(0);
  for (size_t k = 0; k < depth; k += kDepth) {
    _tile_loadd(4, rows + k, row_stride);
    _tile_loadd(6, panel + k * kChannels, kDepth);
    _tile_dpbusd(0, 4, 6);
  }
  _tile_stored(0, sums, kChannels * sizeof(int32_t));
}

void accumulate(const void* rows, size_t row_stride, size_t row_count, const int8_t* panels,
                size_t panel_bytes, size_t panel_count, size_t depth, int32_t* accumulators) {
  const auto* row = static_cast<const uint8_t*>(rows);
  const size_t stride = panel_count * kChannels;
  const bool two_panels = panel_count == 2;
  size_t done = 0;
  const auto next = [&](size_t count) {
    row += count * row_stride;
    accumulators += count * stride;
    done += count;
  };
  for (; row_count - done >= 2 * kRows; next(2 * kRows)) {
    two_panels ? accumulate_2x2(row, row_stride, panels, panel_bytes, depth, accumulators)
               : accumulate_2x1(row, row_stride, panels, depth, accumulators);
  }
  for (; row_count - done >= kRows; next(kRows)) {
    two_panels ? accumulate_1x2(row, row_stride, panels, panel_bytes, depth, accumulators)
               : accumulate_1x1(row, row_stride, panels, depth, accumulators);
  }
  const GemmKernel& quads = quads_kernel();
  while (done < row_count) {
    const size_t count = std::min(row_count - done, static_cast<size_t>(quads.tile_rows));
    quads.accumulate(row, row_stride, count, panels, panel_bytes, panel_count, depth, accumulators);
    next(count);
  }
}

}  // namespace

const GemmKernel& tiles_kernel() {
  static constexpr GemmKernel kKernel = {.isa = Isa::kAmxInt8,
                                         .depth_block = 4,
                                         .panel_depth = kDepth,
                                         .panel_channels = kChannels,
                                         .tile_rows = 2 * kRows,
                                         .tile_panels = 2,
                                         .takes_words = false,
                                         .accumulate = accumulate,
                                         .enter = enter,
                                         .leave = leave};
  return kKernel;
}

}  // namespace lockstep::backend::cpu

#undef LOCKSTEP_WITH_TILES
#endif
