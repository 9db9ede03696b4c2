// Scaling of accumulators in vectors: included by files of kernels, once for each kind of vectors
// (see vector_targets.h). The formulae are numerics/requantization.h's; tests compare each with it.
#include <algorithm>

#include "backend/cpu/requantization.h"
#include "backend/cpu/vectors-inl.h"
#include "numerics/requantization.h"

#if defined(LOCKSTEP_CPU_REQUANTIZATION_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_CPU_REQUANTIZATION_INL
#undef LOCKSTEP_CPU_REQUANTIZATION_INL
#else
#define LOCKSTEP_CPU_REQUANTIZATION_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace lockstep::backend::cpu {
namespace HWY_NAMESPACE {
// The nearest integers, ties to even; the smallest one below -2^31. Precondition: value < 2^31.
HWY_INLINE WordVector round_to_even(FloatVector value) {
#if HWY_TARGET == HWY_AVX3
  return WordVector{_mm512_cvtps_epi32(value.raw)};
#elif HWY_TARGET == HWY_AVX2
  return WordVector{_mm256_cvtps_epi32(value.raw)};
#elif HWY_TARGET == HWY_SSE4
  return WordVector{_mm_cvtps_epi32(value.raw)};
#else
  return hn::NearestInt(value);
#endif
}

// Words 1, 3, 5, ... in the places of 0, 2, 4, ...
HWY_INLINE WordVector odd_to_even(WordVector value) {
  const hn::Repartition<uint64_t, Words> pairs;
  return hn::BitCast(Words(), hn::ShiftRight<32>(hn::BitCast(pairs, value)));
}

// numerics::NarrowScale of neighbouring channels, or of one channel in all lanes.
template <bool kTiesAway>
struct NarrowScales {
  WordVector multiplier;
  WordVector odd_multiplier;
  WordVector left_shift;
  WordVector addend;
  WordVector addend_of_negative;
  WordVector right_shift;

  static HWY_INLINE NarrowScales load(const Requantization& from, size_t channel) {
    const Words d;
    const WordVector multiplier = hn::LoadU(d, from.multiplier.data() + channel);
    return {multiplier,
            odd_to_even(multiplier),
            hn::LoadU(d, from.left_shift.data() + channel),
            hn::LoadU(d, from.addend.data() + channel),
            hn::LoadU(d, from.addend_of_negative.data() + channel),
            hn::LoadU(d, from.right_shift.data() + channel)};
  }
  static HWY_INLINE NarrowScales broadcast(const Requantization& from, size_t channel) {
    const Words d;
    const WordVector multiplier = hn::Set(d, from.multiplier[channel]);
    return {multiplier,
            multiplier,
            hn::Set(d, from.left_shift[channel]),
            hn::Set(d, from.addend[channel]),
            hn::Set(d, from.addend_of_negative[channel]),
            hn::Set(d, from.right_shift[channel])};
  }

  // numerics::scale_accumulator_narrow.
  HWY_INLINE WordVector scale(WordVector accumulator) const {
    const Words d;
    const hn::Repartition<uint64_t, Words> pairs;
    const WordVector shifted = accumulator << left_shift;
    const auto even_products = hn::MulEven(shifted, multiplier);
    const auto odd_products = hn::MulEven(odd_to_even(shifted), odd_multiplier);
    const WordVector even_high =
        hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(pairs, even_products)));
    const WordVector y = hn::OddEven(hn::BitCast(d, odd_products), even_high);
    WordVector sum = hn::Add(y, addend);
    if constexpr (kTiesAway) {
      sum = hn::IfThenElse(hn::Lt(y, hn::Set(d, -1)), hn::Add(y, addend_of_negative), sum);
    }
    return sum >> right_shift;
  }
  HWY_INLINE WordVector scale_to_pack(WordVector accumulator) const { return scale(accumulator); }
};

// The float32 scales of neighbouring channels and the bounds of what is rounded.
struct FloatScales {
  FloatVector factor;
  FloatVector minimum;
  FloatVector maximum;

  static HWY_INLINE FloatScales load(const Requantization& from, size_t channel) {
    const Floats d;
    return {hn::LoadU(d, from.scale.data() + channel),
            hn::Set(d, static_cast<float>(from.minimum - from.zero_point)),
            hn::Set(d, static_cast<float>(from.maximum - from.zero_point))};
  }

  // Of one channel in all lanes.
  static HWY_INLINE FloatScales broadcast(const Requantization& from, size_t channel) {
    FloatScales scales = load(from, channel);
    scales.factor = hn::Set(Floats(), from.scale[channel]);
    return scales;
  }

  // float32(accumulator) * scale, bounded, then rounded: the bounds are integers, so that order
  // changes nothing (see numerics::requantize), and the conversion cannot overflow.
  HWY_INLINE WordVector scale(WordVector accumulator) const {
    const FloatVector product = hn::Mul(hn::ConvertTo(Floats(), accumulator), factor);
    return round_to_even(hn::Min(hn::Max(product, minimum), maximum));
  }

  // For who saturates to 16 bits afterwards: not bounded below, where a conversion that overflows
  // gives the smallest integer.
  HWY_INLINE WordVector scale_to_pack(WordVector accumulator) const {
    const FloatVector product = hn::Mul(hn::ConvertTo(Floats(), accumulator), factor);
    return round_to_even(hn::Min(product, maximum));
  }
};

// The lowest byte of each word. Precondition: words of 0 to 255.
HWY_INLINE void store_bytes(WordVector words, uint8_t* output) {
#if HWY_TARGET == HWY_AVX3
  _mm_storeu_si128(reinterpret_cast<__m128i*>(output), _mm512_cvtepi32_epi8(words.raw));
#else
  const hn::Rebind<uint8_t, Words> bytes;
  hn::StoreU(hn::DemoteTo(bytes, words), bytes, output);
#endif
}

// The first `count` of them.
HWY_INLINE void store_some_bytes(WordVector words, size_t count, uint8_t* output) {
#if HWY_TARGET == HWY_AVX3
  _mm_mask_storeu_epi8(output, static_cast<__mmask16>((1u << count) - 1u),
                       _mm512_cvtepi32_epi8(words.raw));
#else
  HWY_ALIGN uint8_t all[kLanes];
  store_bytes(words, all);
  std::copy_n(all, count, output);
#endif
}

// clamp(scaled + zero_point), in the byte domain.
struct OutputBounds {
  WordVector zero_point;
  WordVector minimum;  // less the zero point
  WordVector maximum;

  static HWY_INLINE OutputBounds load(const Requantization& from) {
    const Words d;
    return {hn::Set(d, from.zero_point), hn::Set(d, from.minimum - from.zero_point),
            hn::Set(d, from.maximum - from.zero_point)};
  }

  HWY_INLINE WordVector finish(WordVector scaled) const {
    return hn::Add(hn::Min(hn::Max(scaled, minimum), maximum), zero_point);
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::backend::cpu
HWY_AFTER_NAMESPACE();

#endif
