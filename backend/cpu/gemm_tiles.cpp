// What is done with a tile of accumulators, in any vectors.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/gemm_tiles.cpp"
#include "backend/cpu/vector_targets.h"
// Highway's order.
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "backend/cpu/bytes-inl.h"
#include "backend/cpu/gemm.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::backend::cpu {
namespace HWY_NAMESPACE {

// A tile of accumulators and what becomes of it: see GemmTileKernels::requantize.
struct Tile {
  const Requantization& requantization;
  size_t first_channel;
  const int32_t* accumulators;
  size_t accumulator_stride;
  size_t rows;
  const int32_t* row_terms;
  const int32_t* factors;
  uint8_t* output;
  size_t output_stride;
};

// A vector of a tile's channels, from `column` on. Copies what it needs, which stores of bytes
// could otherwise change as far as a compiler knows.
template <typename Scales, bool kHasRowTerms>
struct Column {
  const int32_t* accumulators;
  size_t accumulator_stride;
  const int32_t* row_terms;
  uint8_t* output;
  size_t output_stride;
  Scales scales;
  WordVector bias;
  WordVector factor;

  HWY_INLINE Column(const Tile& tile, size_t column)
      : accumulators(tile.accumulators + column),
        accumulator_stride(tile.accumulator_stride),
        row_terms(tile.row_terms),
        output(tile.output + column),
        output_stride(tile.output_stride),
        scales(Scales::load(tile.requantization, tile.first_channel + column)),
        bias(hn::LoadU(Words(), tile.requantization.bias.data() + tile.first_channel + column)),
        factor(kHasRowTerms ? hn::LoadU(Words(), tile.factors + tile.first_channel + column)
                            : bias) {}

  // accumulators + bias + row_term * factors, modulo 2^32.
  HWY_INLINE WordVector sum(size_t row) const {
    const Words d;
    WordVector result = hn::Add(hn::LoadU(d, accumulators + row * accumulator_stride), bias);
    if constexpr (kHasRowTerms) {
      result = hn::Add(result, hn::Mul(hn::Set(d, row_terms[row]), factor));
    }
    return result;
  }
  HWY_INLINE WordVector scaled(size_t row) const { return scales.scale_to_pack(sum(row)); }
  HWY_INLINE uint8_t* at(size_t row) const { return output + row * output_stride; }

  // The first `count` channels of the rows from `first` to `end`.
  HWY_INLINE void finish_rows(const Requantization& requantization, size_t first, size_t end,
                              size_t count) const {
    const OutputBounds bounds = OutputBounds::load(requantization);
    for (size_t row = first; row < end; ++row) {
      store_some_bytes(bounds.finish(scales.scale(sum(row))), count, at(row));
    }
  }
};

// Two columns of two rows at a time.
template <typename Scales, bool kHasRowTerms>
void requantize_two_columns(const Tile& tile, size_t column) {
  const ByteBounds bounds = ByteBounds::load(tile.requantization);
  const Column<Scales, kHasRowTerms> left(tile, column);
  const Column<Scales, kHasRowTerms> right(tile, column + kLanes);
  const size_t rows = tile.rows;
  size_t row = 0;
  for (; row + 2 <= rows; row += 2) {
    const ByteVector bytes = bounds.finish(left.scaled(row), right.scaled(row),
                                           left.scaled(row + 1), right.scaled(row + 1));
    store_half(bytes, 0, left.at(row));
    store_half(bytes, 1, left.at(row + 1));
  }
  left.finish_rows(tile.requantization, row, rows, kLanes);
  right.finish_rows(tile.requantization, row, rows, kLanes);
}

// One column of four rows at a time.
template <typename Scales, bool kHasRowTerms>
void requantize_column(const Tile& tile, size_t column_index) {
  const ByteBounds bounds = ByteBounds::load(tile.requantization);
  const Column<Scales, kHasRowTerms> column(tile, column_index);
  const size_t rows = tile.rows;
  size_t row = 0;
  for (; row + 4 <= rows; row += 4) {
    const ByteVector bytes = bounds.finish(column.scaled(row), column.scaled(row + 1),
                                           column.scaled(row + 2), column.scaled(row + 3));
    HWY_UNROLL(4)
    for (size_t part = 0; part < 4; ++part) store_quarter(bytes, part, column.at(row + part));
  }
  column.finish_rows(tile.requantization, row, rows, kLanes);
}

template <typename Scales, bool kHasRowTerms>
void requantize_vectors(const Tile& tile, size_t channels) {
  size_t column = 0;
  for (; column + 2 * kLanes <= channels; column += 2 * kLanes) {
    requantize_two_columns<Scales, kHasRowTerms>(tile, column);
  }
  if (column + kLanes <= channels) {
    requantize_column<Scales, kHasRowTerms>(tile, column);
    column += kLanes;
  }
  if (column < channels) {
    Column<Scales, kHasRowTerms>(tile, column)
        .finish_rows(tile.requantization, 0, tile.rows, channels - column);
  }
}

template <typename Scales>
void requantize_vectors(const Tile& tile, size_t channels) {
  tile.row_terms == nullptr ? requantize_vectors<Scales, false>(tile, channels)
                            : requantize_vectors<Scales, true>(tile, channels);
}

void store_sums(const Requantization& requantization, size_t first_channel,
                const int32_t* accumulators, size_t accumulator_stride, size_t rows,
                size_t channels, const int32_t* row_terms, const int32_t* factors, int32_t* output,
                size_t output_stride) {
  const Words d;
  HWY_ALIGN int32_t sums[kLanes];
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < channels; c += kLanes) {
      const size_t channel = first_channel + c;
      WordVector sum = hn::Add(hn::LoadU(d, accumulators + r * accumulator_stride + c),
                               hn::LoadU(d, requantization.bias.data() + channel));
      if (row_terms != nullptr) {
        sum = hn::Add(sum, hn::Mul(hn::Set(d, row_terms[r]), hn::LoadU(d, factors + channel)));
      }
      hn::Store(sum, d, sums);
      std::copy_n(sums, std::min(channels - c, kLanes), output + r * output_stride + c);
    }
  }
}

void requantize(const Requantization& requantization, size_t first_channel,
                const int32_t* accumulators, size_t accumulator_stride, size_t rows,
                size_t channels, const int32_t* row_terms, const int32_t* factors, uint8_t* output,
                size_t output_stride) {
  const Tile tile{requantization, first_channel, accumulators, accumulator_stride, rows,
                  row_terms,      factors,       output,       output_stride};
  switch (requantization.form) {
    case ScaleForm::kFloat32:
      return requantize_vectors<FloatScales>(tile, channels);
    case ScaleForm::kNarrow:
      return requantize_vectors<NarrowScales<false>>(tile, channels);
    case ScaleForm::kNarrowTiesAway:
      return requantize_vectors<NarrowScales<true>>(tile, channels);
    case ScaleForm::kGeneral:
    case ScaleForm::kNone:
      break;
  }
  HWY_ALIGN int32_t sums[kConstantPadding];
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < channels; c += kConstantPadding) {
      const size_t count = std::min(channels - c, kConstantPadding);
      store_sums(requantization, first_channel + c, accumulators + r * accumulator_stride + c,
                 accumulator_stride, 1, count, row_terms == nullptr ? nullptr : row_terms + r,
                 factors, sums, 0);
      requantize_generally(requantization, first_channel + c, sums, count,
                           output + r * output_stride + c);
    }
  }
}

int32_t sum_bytes(const uint8_t* bytes, size_t count) {
  const hn::ScalableTag<uint8_t> d8;
  const hn::Repartition<uint64_t, decltype(d8)> d64;
  auto sums = hn::Zero(d64);
  size_t i = 0;
  for (; i + hn::Lanes(d8) <= count; i += hn::Lanes(d8)) {
    sums = hn::Add(sums, hn::SumsOf8(hn::LoadU(d8, bytes + i)));
  }
  auto sum = static_cast<uint32_t>(hn::GetLane(hn::SumOfLanes(d64, sums)));
  for (; i < count; ++i) sum += bytes[i];
  return static_cast<int32_t>(sum);
}

void widen(const uint8_t* bytes, size_t count, uint16_t* words) {
  const hn::ScalableTag<uint16_t> d16;
  const hn::Rebind<uint8_t, decltype(d16)> d8;
  size_t i = 0;
  for (; i + hn::Lanes(d16) <= count; i += hn::Lanes(d16)) {
    hn::StoreU(hn::PromoteTo(d16, hn::LoadU(d8, bytes + i)), d16, words + i);
  }
  for (; i < count; ++i) words[i] = bytes[i];
}

const GemmTileKernels kGemmTileKernels = {
    .requantize = requantize, .store_sums = store_sums, .sum_bytes = sum_bytes, .widen = widen};

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::backend::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::backend::cpu {

const GemmTileKernels& gemm_tile_kernels(Isa isa) {
  return ForVectors<GemmTileKernels> LOCKSTEP_FOR_VECTORS(kGemmTileKernels).select(isa);
}

}  // namespace lockstep::backend::cpu
#endif
