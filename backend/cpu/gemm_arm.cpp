// GEMM with ARM's products of bytes: sdot, four of them a lane, and usmmla, two rows by two
// channels of eight.
#include "backend/cpu/gemm_kernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#include <array>
#include <utility>

#define LOCKSTEP_WITH_DOT_PRODUCT __attribute__((target("arch=armv8.2-a+dotprod")))
#define LOCKSTEP_WITH_I8MM __attribute__((target("arch=armv8.2-a+i8mm")))

namespace lockstep::backend::cpu {
namespace {

constexpr size_t kChannels = 8;  // of a panel
constexpr size_t kMostRows = 8;  // in registers

using TileFunction = void (*)(const uint8_t* rows, size_t row_stride, const int8_t* panel,
                              size_t depth, int32_t* sums);

// sdot multiplies signed bytes: rows become so by taking off 128, which flips the sign bit.
template <size_t kRows>
LOCKSTEP_WITH_DOT_PRODUCT void accumulate_dot_products(const uint8_t* rows, size_t row_stride,
                                                       const int8_t* panel, size_t depth,
                                                       int32_t* sums) {
  constexpr size_t kStep = 16;  // bytes of a row in a register
  const uint8x16_t sign_bits = vdupq_n_u8(0x80);
  int32x4_t left[kRows];
  int32x4_t right[kRows];
#pragma GCC unroll 8
  for (size_t r = 0; r < kRows; ++r) left[r] = right[r] = vdupq_n_s32(0);
  for (size_t k = 0; k < depth; k += kStep) {
    int8x16_t row[kRows];
#pragma GCC unroll 8
    for (size_t r = 0; r < kRows; ++r) {
      row[r] = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(rows + r * row_stride + k), sign_bits));
    }
    const int8_t* weights = panel + k * kChannels;
    // `quad`: which four bytes of the rows.
    const auto add_quad = [&](auto quad) LOCKSTEP_WITH_DOT_PRODUCT {
      const int8x16_t left_weights = vld1q_s8(weights + quad * 2 * kStep);
      const int8x16_t right_weights = vld1q_s8(weights + (quad * 2 + 1) * kStep);
#pragma GCC unroll 8
      for (size_t r = 0; r < kRows; ++r) {
        left[r] = vdotq_laneq_s32(left[r], left_weights, row[r], decltype(quad)::value);
        right[r] = vdotq_laneq_s32(right[r], right_weights, row[r], decltype(quad)::value);
      }
    };
    add_quad(std::integral_constant<int, 0>());
    add_quad(std::integral_constant<int, 1>());
    add_quad(std::integral_constant<int, 2>());
    add_quad(std::integral_constant<int, 3>());
  }
#pragma GCC unroll 8
  for (size_t r = 0; r < kRows; ++r) {
    vst1q_s32(sums + r * kChannels, left[r]);
    vst1q_s32(sums + r * kChannels + 4, right[r]);
  }
}

// A register of usmmla's left side holds eight bytes of two rows, one of its right side eight of
// two channels, the sums are [row][channel]. The last row of an odd number is its own neighbour.
template <size_t kRows>
LOCKSTEP_WITH_I8MM void accumulate_matrices(const uint8_t* rows, size_t row_stride,
                                            const int8_t* panel, size_t depth, int32_t* sums) {
  constexpr size_t kStep = 8;
  constexpr size_t kRowPairs = (kRows + 1) / 2;
  constexpr size_t kChannelPairs = kChannels / 2;
  int32x4_t sum[kRowPairs][kChannelPairs];
#pragma GCC unroll 4
  for (size_t r = 0; r < kRowPairs; ++r) {
#pragma GCC unroll 4
    for (size_t c = 0; c < kChannelPairs; ++c) sum[r][c] = vdupq_n_s32(0);
  }
  for (size_t k = 0; k < depth; k += kStep) {
    int8x16_t weights[kChannelPairs];
#pragma GCC unroll 4
    for (size_t c = 0; c < kChannelPairs; ++c) {
      weights[c] = vld1q_s8(panel + k * kChannels + c * 2 * kStep);
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < kRowPairs; ++r) {
      const size_t first = 2 * r;
      const size_t second = first + 1 < kRows ? first + 1 : first;
      const uint8x16_t two_rows = vcombine_u8(vld1_u8(rows + first * row_stride + k),
                                              vld1_u8(rows + second * row_stride + k));
#pragma GCC unroll 4
      for (size_t c = 0; c < kChannelPairs; ++c) {
        sum[r][c] = vusmmlaq_s32(sum[r][c], two_rows, weights[c]);
      }
    }
  }
#pragma GCC unroll 4
  for (size_t r = 0; r < kRowPairs; ++r) {
#pragma GCC unroll 4
    for (size_t c = 0; c < kChannelPairs; ++c) {
      vst1_s32(sums + 2 * r * kChannels + 2 * c, vget_low_s32(sum[r][c]));
      if (2 * r + 1 < kRows) {
        vst1_s32(sums + (2 * r + 1) * kChannels + 2 * c, vget_high_s32(sum[r][c]));
      }
    }
  }
}

// [rows - 1]
template <size_t... kIndices>
constexpr std::array<TileFunction, kMostRows> dot_product_tiles(std::index_sequence<kIndices...>) {
  return {accumulate_dot_products<kIndices + 1>...};
}
template <size_t... kIndices>
constexpr std::array<TileFunction, kMostRows> matrix_tiles(std::index_sequence<kIndices...>) {
  return {accumulate_matrices<kIndices + 1>...};
}

constexpr auto kDotProductTiles = dot_product_tiles(std::make_index_sequence<kMostRows>());
constexpr auto kMatrixTiles = matrix_tiles(std::make_index_sequence<kMostRows>());

template <const std::array<TileFunction, kMostRows>& kTiles>
void accumulate(const void* rows, size_t row_stride, size_t row_count, const int8_t* panels, size_t,
                size_t, size_t depth, int32_t* accumulators) {
  kTiles[row_count - 1](static_cast<const uint8_t*>(rows), row_stride, panels, depth, accumulators);
}

}  // namespace

const GemmKernel& dot_product_kernel() {
  static constexpr GemmKernel kKernel = {.isa = Isa::kNeonDotProduct,
                                         .depth_block = 4,
                                         .panel_depth = 16,
                                         .panel_channels = kChannels,
                                         .tile_rows = kMostRows,
                                         .tile_panels = 1,
                                         .row_offset = 128,
                                         .accumulate = accumulate<kDotProductTiles>};
  return kKernel;
}

const GemmKernel& matrix_kernel() {
  static constexpr GemmKernel kKernel = {.isa = Isa::kNeonI8mm,
                                         .depth_block = 8,
                                         .panel_depth = 8,
                                         .panel_channels = kChannels,
                                         .tile_rows = kMostRows,
                                         .tile_panels = 1,
                                         .accumulate = accumulate<kMatrixTiles>};
  return kKernel;
}

}  // namespace lockstep::backend::cpu

#undef LOCKSTEP_WITH_DOT_PRODUCT
#undef LOCKSTEP_WITH_I8MM
#endif
