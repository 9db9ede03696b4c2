#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/depthwise_kernels.cpp"
#include "backend/cpu/vector_targets.h"
// Highway's order.
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "backend/cpu/bytes-inl.h"
#include "backend/cpu/depthwise_kernels.h"
#include "backend/cpu/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::backend::cpu {
namespace HWY_NAMESPACE {

// Two taps a lane, as 16-bit numbers.
struct TapPairs {
  static constexpr size_t kRows = 2;
  using Sums = PairSums;
  using Vector = Sums::Operand;

  static HWY_INLINE Vector load(const std::byte* from) {
    const hn::Repartition<int16_t, Words> d16;
    return hn::LoadU(d16, reinterpret_cast<const int16_t*>(from));
  }
  static HWY_INLINE WordVector interleave(const uint8_t* first, const uint8_t* second) {
    const Words d;
    const hn::Rebind<uint8_t, Words> d8;
    const WordVector low = hn::PromoteTo(d, hn::LoadU(d8, first));
    const WordVector high = hn::PromoteTo(d, hn::LoadU(d8, second));
    return hn::Or(low, hn::ShiftLeft<16>(high));
  }
  static void interleave_columns(const InterleavedRows& from, size_t columns, std::byte* strip) {
    auto* words = reinterpret_cast<int32_t*>(strip);
    const uint8_t* first = from.rows[0];
    const uint8_t* second = from.rows[1];
    for (size_t column = 0; column < columns; ++column) {
      hn::StoreU(interleave(first, second), Words(), words + column * kLanes);
      first += from.steps[0];
      second += from.steps[1];
    }
  }
  static void fill(uint8_t value, size_t columns, std::byte* strip) {
    std::fill_n(reinterpret_cast<int32_t*>(strip), columns * kLanes, value * 0x10001);
  }
};

#if HWY_TARGET == HWY_AVX3
// Four taps a lane, as bytes: unsigned inputs, signed weights.
struct TapQuads {
  static constexpr size_t kRows = 4;
  using Sums = QuadSums;
  using Vector = Sums::Operand;

  static HWY_INLINE Vector load(const std::byte* from) {
    return WordVector{_mm512_loadu_si512(from)};
  }
  static void interleave_columns(const InterleavedRows& from, size_t columns, std::byte* strip) {
    // Four words of each row become words of four rows, whose bytes then change places: a 16x4
    // matrix of bytes is transposed.
    const __m512i to_words =
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i to_bytes =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    const uint8_t* row0 = from.rows[0];
    const uint8_t* row1 = from.rows[1];
    const uint8_t* row2 = from.rows[2];
    const uint8_t* row3 = from.rows[3];
    const auto load_row = [](const uint8_t* row) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(row));
    };
    for (size_t column = 0; column < columns; ++column) {
      __m512i rows = _mm512_castsi128_si512(load_row(row0));
      rows = _mm512_inserti32x4(rows, load_row(row1), 1);
      rows = _mm512_inserti32x4(rows, load_row(row2), 2);
      rows = _mm512_inserti32x4(rows, load_row(row3), 3);
      const __m512i words = _mm512_permutexvar_epi32(to_words, rows);
      _mm512_storeu_si512(strip + column * sizeof(__m512i), _mm512_shuffle_epi8(words, to_bytes));
      row0 += from.steps[0];
      row1 += from.steps[1];
      row2 += from.steps[2];
      row3 += from.steps[3];
    }
  }
  static void fill(uint8_t value, size_t columns, std::byte* strip) {
    std::fill_n(strip, columns * kLanes * sizeof(int32_t), std::byte{value});
  }
};
#endif

// The sums of one output pixel; kTaps of them with weights in registers, or any number.
template <typename Taps, size_t kTaps>
struct Window {
  typename Taps::Vector weights[kTaps];
  size_t offsets[kTaps];

  HWY_INLINE explicit Window(const DepthwiseRow& row) {
    HWY_UNROLL(16)
    for (size_t t = 0; t < kTaps; ++t) {
      weights[t] = Taps::load(row.weights + t * kLanes * sizeof(int32_t));
      offsets[t] = row.offsets[t];
    }
  }
  HWY_INLINE WordVector sum(const std::byte* strips) const {
    typename Taps::Sums sums;
    sums.clear();
    HWY_UNROLL(16)
    for (size_t t = 0; t < kTaps; ++t) {
      sums.add(Taps::load(strips + offsets[t]), weights[t]);
    }
    return sums.sum();
  }
};

template <typename Taps>
struct Window<Taps, 0> {
  const DepthwiseRow& row;

  HWY_INLINE explicit Window(const DepthwiseRow& of) : row(of) {}
  HWY_INLINE WordVector sum(const std::byte* strips) const {
    typename Taps::Sums sums;
    sums.clear();
    for (size_t t = 0; t < row.taps; ++t) {
      sums.add(Taps::load(strips + row.offsets[t]),
               Taps::load(row.weights + t * kLanes * sizeof(int32_t)));
    }
    return sums.sum();
  }
};

template <typename Scales, typename Taps, size_t kTaps>
HWY_NOINLINE void requantize_row(const DepthwiseRow& row) {
  const Requantization& requantization = *row.requantization;
  const Window<Taps, kTaps> window(row);
  const Scales scales = Scales::load(requantization, row.channel);
  const WordVector bias = hn::LoadU(Words(), requantization.bias.data() + row.channel);
  auto* const output = static_cast<uint8_t*>(row.output);
  const std::byte* const strips = row.strips;
  const size_t step = row.step;
  const size_t output_step = row.output_step;
  const size_t outputs = row.outputs;
  if (row.channels == kLanes && outputs >= 4) {
    const ByteBounds bounds = ByteBounds::load(requantization);
    for (size_t first = 0; first < outputs; first += 4) {
      // The last four may include some of those before.
      const size_t begin = first + 4 <= outputs ? first : outputs - 4;
      const auto scaled = [&](size_t i) HWY_ATTR {
        return scales.scale_to_pack(hn::Add(window.sum(strips + (begin + i) * step), bias));
      };
      const ByteVector bytes = bounds.finish(scaled(0), scaled(1), scaled(2), scaled(3));
      HWY_UNROLL(4)
      for (size_t part = 0; part < 4; ++part) {
        store_quarter(bytes, part, output + (begin + part) * output_step);
      }
    }
    return;
  }
  const OutputBounds bounds = OutputBounds::load(requantization);
  for (size_t i = 0; i < outputs; ++i) {
    const WordVector sum = hn::Add(window.sum(strips + i * step), bias);
    store_some_bytes(bounds.finish(scales.scale(sum)), row.channels, output + i * output_step);
  }
}

// kNone and kGeneral.
template <typename Taps>
void store_row(const DepthwiseRow& row) {
  const Requantization& requantization = *row.requantization;
  const Window<Taps, 0> window(row);
  const WordVector bias = hn::LoadU(Words(), requantization.bias.data() + row.channel);
  HWY_ALIGN int32_t sums[kLanes];
  for (size_t i = 0; i < row.outputs; ++i) {
    hn::Store(hn::Add(window.sum(row.strips + i * row.step), bias), Words(), sums);
    const size_t element = i * row.output_step;
    if (requantization.form == ScaleForm::kNone) {
      std::copy_n(sums, row.channels, static_cast<int32_t*>(row.output) + element);
    } else {
      requantize_generally(requantization, row.channel, sums, row.channels,
                           static_cast<uint8_t*>(row.output) + element);
    }
  }
}

template <typename Scales, typename Taps>
void requantize_row_of_any_taps(const DepthwiseRow& row) {
  switch (row.taps) {
    case 3:
      return requantize_row<Scales, Taps, 3>(row);
    case 6:
      return requantize_row<Scales, Taps, 6>(row);
    case 10:
      return requantize_row<Scales, Taps, 10>(row);
    default:
      return requantize_row<Scales, Taps, 0>(row);
  }
}

template <typename Taps>
void compute_row(const DepthwiseRow& row) {
  switch (row.requantization->form) {
    case ScaleForm::kFloat32:
      return requantize_row_of_any_taps<FloatScales, Taps>(row);
    case ScaleForm::kNarrow:
      return requantize_row_of_any_taps<NarrowScales<false>, Taps>(row);
    case ScaleForm::kNarrowTiesAway:
      return requantize_row_of_any_taps<NarrowScales<true>, Taps>(row);
    case ScaleForm::kGeneral:
    case ScaleForm::kNone:
      return store_row<Taps>(row);
  }
}

template <typename Taps>
constexpr DepthwiseKernel make_kernel(Isa isa, bool takes_words) {
  return {.isa = isa,
          .lanes = kLanes,
          .interleaved_rows = Taps::kRows,
          .takes_words = takes_words,
          .interleave = Taps::interleave_columns,
          .fill = Taps::fill,
          .compute_row = compute_row<Taps>};
}

const DepthwiseKernel kTapPairsKernel = make_kernel<TapPairs>(kVectorsIsa, /*takes_words=*/true);
#if HWY_TARGET == HWY_AVX3
const DepthwiseKernel kTapQuadsKernel =
    make_kernel<TapQuads>(Isa::kAvx512Vnni, /*takes_words=*/false);
#endif

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::backend::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::backend::cpu {

const DepthwiseKernel& depthwise_kernel(Isa isa, [[maybe_unused]] bool weights_are_bytes) {
#if defined(__x86_64__)
  if (weights_are_bytes && isa >= Isa::kAvx512Vnni) return N_AVX3::kTapQuadsKernel;
#endif
  return ForVectors<DepthwiseKernel> LOCKSTEP_FOR_VECTORS(kTapPairsKernel).select(isa);
}

}  // namespace lockstep::backend::cpu
#endif
