// What is done with a tile of accumulators, in any vectors.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/gemm_tiles.cpp"
#include "backend/cpu/vector_targets.h"
// Highway's order.
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "backend/cpu/gemm.h"
#include "backend/cpu/requantization-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::backend::cpu {
namespace HWY_NAMESPACE {

// accumulators + bias + row_term * factors, modulo 2^32.
HWY_INLINE WordVector complete(const int32_t* accumulators, WordVector bias,
                               const int32_t* row_term, WordVector factors) {
  const Words d;
  WordVector sum = hn::Add(hn::LoadU(d, accumulators), bias);
  if (row_term != nullptr) sum = hn::Add(sum, hn::Mul(hn::Set(d, *row_term), factors));
  return sum;
}

// In the order of the accumulators' columns, so that constants stay in registers.
template <typename Scales>
void requantize_vectors(const Requantization& requantization, size_t first_channel,
                        const int32_t* accumulators, size_t accumulator_stride, size_t rows,
                        size_t channels, const int32_t* row_terms, const int32_t* factors,
                        uint8_t* output, size_t output_stride) {
  const Words d;
  const OutputBounds bounds = OutputBounds::load(requantization);
  for (size_t c = 0; c < channels; c += kLanes) {
    const size_t channel = first_channel + c;
    const Scales scales = Scales::load(requantization, channel);
    const WordVector bias = hn::LoadU(d, requantization.bias.data() + channel);
    const WordVector factor = row_terms == nullptr ? bias : hn::LoadU(d, factors + channel);
    const size_t count = std::min(channels - c, kLanes);
    for (size_t r = 0; r < rows; ++r) {
      const WordVector sum = complete(accumulators + r * accumulator_stride + c, bias,
                                      row_terms == nullptr ? nullptr : row_terms + r, factor);
      const WordVector bytes = bounds.finish(scales.scale(sum));
      if (count == kLanes) {
        store_bytes(bytes, output + r * output_stride + c);
      } else {
        store_some_bytes(bytes, count, output + r * output_stride + c);
      }
    }
  }
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
      const WordVector factor =
          row_terms == nullptr ? hn::Zero(d) : hn::LoadU(d, factors + channel);
      hn::Store(complete(accumulators + r * accumulator_stride + c,
                         hn::LoadU(d, requantization.bias.data() + channel),
                         row_terms == nullptr ? nullptr : row_terms + r, factor),
                d, sums);
      std::copy_n(sums, std::min(channels - c, kLanes), output + r * output_stride + c);
    }
  }
}

void requantize(const Requantization& requantization, size_t first_channel,
                const int32_t* accumulators, size_t accumulator_stride, size_t rows,
                size_t channels, const int32_t* row_terms, const int32_t* factors, uint8_t* output,
                size_t output_stride) {
  switch (requantization.form) {
    case ScaleForm::kFloat32:
      return requantize_vectors<FloatScales>(requantization, first_channel, accumulators,
                                             accumulator_stride, rows, channels, row_terms, factors,
                                             output, output_stride);
    case ScaleForm::kNarrow:
      return requantize_vectors<NarrowScales>(requantization, first_channel, accumulators,
                                              accumulator_stride, rows, channels, row_terms,
                                              factors, output, output_stride);
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
  auto sum = static_cast<int32_t>(hn::GetLane(hn::SumOfLanes(d64, sums)));
  for (; i < count; ++i) sum += bytes[i];
  return sum;
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
