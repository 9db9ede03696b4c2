// GEMM on every processor: products of 16-bit numbers, added in pairs (pmaddwd and its relatives),
// which is exact for bytes on either side. And on AVX-512 processors with VNNI, four products of
// bytes at once.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/gemm_pairs.cpp"
#include "backend/cpu/vector_targets.h"
// Highway's order.
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <array>
#include <cstring>
#include <utility>

#include "backend/cpu/gemm.h"
#include "backend/cpu/gemm_kernels.h"
#include "backend/cpu/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::backend::cpu {
namespace HWY_NAMESPACE {

// Tile sizes for the number of registers: rows of a tile of one panel, two panels, ...
#if HWY_TARGET == HWY_AVX3
constexpr std::array<size_t, 4> kRowsOfPanels = {12, 12, 8, 6};
#elif HWY_TARGET == HWY_AVX2
constexpr std::array<size_t, 2> kRowsOfPanels = {12, 6};
#elif HWY_TARGET == HWY_NEON
constexpr std::array<size_t, 2> kRowsOfPanels = {8, 6};
#else
constexpr std::array<size_t, 2> kRowsOfPanels = {6, 4};
#endif
constexpr size_t kTileRows = 12;
constexpr size_t kTilePanels = kRowsOfPanels.size();

// accumulators += the products of two neighbours a lane: 16-bit numbers.
struct PairProducts {
  static constexpr size_t kDepthBlock = 2;
  using Element = uint16_t;

  using Sums = PairSums;
  using Operand = Sums::Operand;

  static HWY_INLINE Operand load_weights(const int8_t* weights) {
    const hn::Repartition<int16_t, Words> d16;
    return hn::PromoteTo(d16, hn::LoadU(hn::Rebind<int8_t, decltype(d16)>(), weights));
  }
  static HWY_INLINE Operand broadcast(const uint16_t* row) {
    int32_t pair;
    std::memcpy(&pair, row, sizeof(pair));
    return hn::BitCast(hn::Repartition<int16_t, Words>(), hn::Set(Words(), pair));
  }
};

#if HWY_TARGET == HWY_AVX3
// vpdpbusd: four products of an unsigned and a signed byte a lane, added without saturation.
struct QuadProducts {
  static constexpr size_t kDepthBlock = 4;
  using Element = uint8_t;

  using Sums = QuadSums;
  using Operand = Sums::Operand;

  static HWY_INLINE Operand load_weights(const int8_t* weights) {
    return WordVector{_mm512_loadu_si512(weights)};
  }
  static HWY_INLINE Operand broadcast(const uint8_t* row) {
    int32_t quad;
    std::memcpy(&quad, row, sizeof(quad));
    return hn::Set(Words(), quad);
  }
};
#endif

// One tile in registers.
template <typename Products, size_t kRows, size_t kPanels>
HWY_NOINLINE void accumulate_tile(const void* rows, size_t row_stride, const int8_t* panels,
                                  size_t panel_bytes, size_t depth_blocks, int32_t* accumulators,
                                  size_t accumulator_stride) {
  using Element = typename Products::Element;
  constexpr size_t kBlock = Products::kDepthBlock;
  typename Products::Sums sums[kRows][kPanels];
  const Element* row[kRows];
  HWY_UNROLL(16)
  for (size_t r = 0; r < kRows; ++r) {
    row[r] = reinterpret_cast<const Element*>(static_cast<const std::byte*>(rows) + r * row_stride);
  }
  HWY_UNROLL(16)
  for (size_t r = 0; r < kRows; ++r) {
    HWY_UNROLL(16)
    for (size_t p = 0; p < kPanels; ++p) sums[r][p].clear();
  }
  for (size_t block = 0; block < depth_blocks; ++block) {
    typename Products::Operand weights[kPanels];
    HWY_UNROLL(16)
    for (size_t p = 0; p < kPanels; ++p) {
      weights[p] = Products::load_weights(panels + p * panel_bytes + block * kLanes * kBlock);
    }
    HWY_UNROLL(16)
    for (size_t r = 0; r < kRows; ++r) {
      const auto operand = Products::broadcast(row[r] + block * kBlock);
      HWY_UNROLL(16)
      for (size_t p = 0; p < kPanels; ++p) sums[r][p].add(operand, weights[p]);
    }
  }
  HWY_UNROLL(16)
  for (size_t r = 0; r < kRows; ++r) {
    HWY_UNROLL(16)
    for (size_t p = 0; p < kPanels; ++p) {
      hn::StoreU(sums[r][p].sum(), Words(), accumulators + r * accumulator_stride + p * kLanes);
    }
  }
}

using TileFunction = void (*)(const void* rows, size_t row_stride, const int8_t* panels,
                              size_t panel_bytes, size_t depth_blocks, int32_t* accumulators,
                              size_t accumulator_stride);

// [rows - 1], for one number of panels.
template <typename Products, size_t kPanels, size_t... kIndices>
constexpr auto tiles_of(std::index_sequence<kIndices...>) {
  return std::array<TileFunction, kTileRows>{accumulate_tile<Products, kIndices + 1, kPanels>...};
}

// [panels - 1][rows - 1]
template <typename Products, size_t... kIndices>
constexpr auto all_tiles(std::index_sequence<kIndices...>) {
  return std::array<std::array<TileFunction, kTileRows>, kTilePanels>{
      tiles_of<Products, kIndices + 1>(std::make_index_sequence<kRowsOfPanels[kIndices]>())...};
}

template <typename Products>
void accumulate(const void* rows, size_t row_stride, size_t row_count, const int8_t* panels,
                size_t panel_bytes, size_t panel_count, size_t depth, int32_t* accumulators) {
  static constexpr auto kTiles = all_tiles<Products>(std::make_index_sequence<kTilePanels>());
  const size_t most = kRowsOfPanels[panel_count - 1];
  const size_t parts = (row_count + most - 1) / most;
  const size_t accumulator_stride = panel_count * kLanes;
  for (size_t part = 0, first = 0; part < parts; ++part) {
    const size_t count = (row_count - first + parts - part - 1) / (parts - part);
    kTiles[panel_count - 1][count - 1](
        static_cast<const std::byte*>(rows) + first * row_stride, row_stride, panels, panel_bytes,
        depth / Products::kDepthBlock, accumulators + first * accumulator_stride,
        accumulator_stride);
    first += count;
  }
}

template <typename Products>
constexpr GemmKernel make_kernel(Isa isa) {
  return {.isa = isa,
          .depth_block = Products::kDepthBlock,
          .panel_depth = Products::kDepthBlock,
          .panel_channels = kLanes,
          .tile_rows = kTileRows,
          .tile_panels = kTilePanels,
          .takes_words = sizeof(typename Products::Element) == 2,
          .accumulate = accumulate<Products>};
}

const GemmKernel kPairsKernel = make_kernel<PairProducts>(kVectorsIsa);
#if HWY_TARGET == HWY_AVX3
const GemmKernel kQuadsKernel = make_kernel<QuadProducts>(Isa::kAvx512Vnni);
#endif

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::backend::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::backend::cpu {

const GemmKernel& pairs_kernel(Isa isa) {
  return ForVectors<GemmKernel> LOCKSTEP_FOR_VECTORS(kPairsKernel).select(isa);
}

#if defined(__x86_64__)
const GemmKernel& quads_kernel() { return N_AVX3::kQuadsKernel; }
#endif

}  // namespace lockstep::backend::cpu
#endif
