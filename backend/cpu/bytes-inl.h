// Vectors of bytes, widened and narrowed within blocks of 128 bits: what widens to four vectors of
// words packs to the order it had. Included by files of kernels, once for each kind of vectors.
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "backend/cpu/requantization-inl.h"

#if defined(LOCKSTEP_CPU_BYTES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_CPU_BYTES_INL
#undef LOCKSTEP_CPU_BYTES_INL
#else
#define LOCKSTEP_CPU_BYTES_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace lockstep::backend::cpu {
namespace HWY_NAMESPACE {

using Bytes = hn::ScalableTag<uint8_t>;
using HalfWords = hn::ScalableTag<int16_t>;
using UnsignedHalfWords = hn::ScalableTag<uint16_t>;
using ByteVector = hn::Vec<Bytes>;
using HalfWordVector = hn::Vec<HalfWords>;
using UnsignedHalfWordVector = hn::Vec<UnsignedHalfWords>;

// As many bytes as a register holds, at most kReadSlack.
inline constexpr size_t kByteLanes = HWY_MAX_BYTES;

// Elements 0 to 7, or 8 to 15, of each block.
HWY_INLINE UnsignedHalfWordVector widen_lower(ByteVector bytes) {
  const Bytes d;
  return hn::BitCast(UnsignedHalfWords(), hn::InterleaveLower(d, bytes, hn::Zero(d)));
}
HWY_INLINE UnsignedHalfWordVector widen_upper(ByteVector bytes) {
  const Bytes d;
  return hn::BitCast(UnsignedHalfWords(), hn::InterleaveUpper(d, bytes, hn::Zero(d)));
}

// Elements 0 to 3, or 4 to 7, of each block.
HWY_INLINE WordVector widen_lower(UnsignedHalfWordVector half_words) {
  const UnsignedHalfWords d;
  return hn::BitCast(Words(), hn::InterleaveLower(d, half_words, hn::Zero(d)));
}
HWY_INLINE WordVector widen_upper(UnsignedHalfWordVector half_words) {
  const UnsignedHalfWords d;
  return hn::BitCast(Words(), hn::InterleaveUpper(d, half_words, hn::Zero(d)));
}

// The elements of a vector of bytes as words.
struct Quarters {
  WordVector words[4];

  // Not left to the compiler: what it adds is not compiled for these vectors.
  HWY_INLINE Quarters() {}
  HWY_INLINE Quarters(WordVector first, WordVector second, WordVector third, WordVector fourth)
      : words{first, second, third, fourth} {}

  static HWY_INLINE Quarters of(ByteVector bytes) {
    const UnsignedHalfWordVector lower = widen_lower(bytes);
    const UnsignedHalfWordVector upper = widen_upper(bytes);
    return {widen_lower(lower), widen_upper(lower), widen_lower(upper), widen_upper(upper)};
  }
};

// Both with saturation.
HWY_INLINE HalfWordVector pack(WordVector lower, WordVector upper) {
  return hn::ReorderDemote2To(HalfWords(), lower, upper);
}
HWY_INLINE ByteVector pack(HalfWordVector lower, HalfWordVector upper) {
#if HWY_TARGET == HWY_AVX3
  return ByteVector{_mm512_packus_epi16(lower.raw, upper.raw)};
#elif HWY_TARGET == HWY_AVX2
  return ByteVector{_mm256_packus_epi16(lower.raw, upper.raw)};
#elif HWY_TARGET == HWY_SSE4
  return ByteVector{_mm_packus_epi16(lower.raw, upper.raw)};
#else
  const hn::Half<Bytes> half;
  return hn::Combine(Bytes(), hn::DemoteTo(half, upper), hn::DemoteTo(half, lower));
#endif
}

HWY_INLINE ByteVector pack(const Quarters& quarters) {
  return pack(pack(quarters.words[0], quarters.words[1]),
              pack(quarters.words[2], quarters.words[3]));
}

// What four vectors of words were packed to, one vector after the other.
HWY_INLINE ByteVector in_order(ByteVector packed) {
#if HWY_TARGET == HWY_AVX3
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return ByteVector{_mm512_permutexvar_epi32(order, packed.raw)};
#elif HWY_TARGET == HWY_AVX2
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  return ByteVector{_mm256_permutevar8x32_epi32(packed.raw, order)};
#else
  return packed;
#endif
}

// clamp(scaled + zero_point) of four vectors at once, in the byte domain: the sum saturates to 16
// bits, then to bytes, neither of which the bounds see.
struct ByteBounds {
  HalfWordVector zero_point;
  ByteVector minimum;
  ByteVector maximum;

  static HWY_INLINE ByteBounds load(const Requantization& from) {
    return {hn::Set(HalfWords(), static_cast<int16_t>(from.zero_point)),
            hn::Set(Bytes(), static_cast<uint8_t>(from.minimum)),
            hn::Set(Bytes(), static_cast<uint8_t>(from.maximum))};
  }

  // One vector after the other.
  HWY_INLINE ByteVector finish(WordVector a, WordVector b, WordVector c, WordVector d) const {
    const HalfWordVector lower = hn::SaturatedAdd(pack(a, b), zero_point);
    const HalfWordVector upper = hn::SaturatedAdd(pack(c, d), zero_point);
    return hn::Min(hn::Max(in_order(pack(lower, upper)), minimum), maximum);
  }
};

// Part `part` of four, or of two.
HWY_INLINE void store_quarter(ByteVector bytes, size_t part, uint8_t* output) {
#if HWY_TARGET == HWY_AVX3
  auto* to = reinterpret_cast<__m128i*>(output);
  switch (part) {
    case 0:
      return _mm_storeu_si128(to, _mm512_castsi512_si128(bytes.raw));
    case 1:
      return _mm_storeu_si128(to, _mm512_extracti32x4_epi32(bytes.raw, 1));
    case 2:
      return _mm_storeu_si128(to, _mm512_extracti32x4_epi32(bytes.raw, 2));
    default:
      return _mm_storeu_si128(to, _mm512_extracti32x4_epi32(bytes.raw, 3));
  }
#else
  HWY_ALIGN uint8_t all[kByteLanes];
  hn::Store(bytes, Bytes(), all);
  std::memcpy(output, all + part * kLanes, kLanes);
#endif
}
HWY_INLINE void store_half(ByteVector bytes, size_t part, uint8_t* output) {
  const hn::Half<Bytes> half;
  hn::StoreU(part == 0 ? hn::LowerHalf(half, bytes) : hn::UpperHalf(half, bytes), half, output);
}

// a[2i] * b[2i] + a[2i + 1] * b[2i + 1]. Precondition: not both sides all -2^15.
HWY_INLINE WordVector pair_products(HalfWordVector a, HalfWordVector b) {
#if HWY_TARGET == HWY_AVX3
  return WordVector{_mm512_madd_epi16(a.raw, b.raw)};
#elif HWY_TARGET == HWY_AVX2
  return WordVector{_mm256_madd_epi16(a.raw, b.raw)};
#elif HWY_TARGET == HWY_SSE4
  return WordVector{_mm_madd_epi16(a.raw, b.raw)};
#else
  const Words d;
  const auto even = [d](HalfWordVector pairs) {
    return hn::ShiftRight<16>(hn::ShiftLeft<16>(hn::BitCast(d, pairs)));
  };
  const auto odd = [d](HalfWordVector pairs) { return hn::ShiftRight<16>(hn::BitCast(d, pairs)); };
  return hn::Add(hn::Mul(even(a), even(b)), hn::Mul(odd(a), odd(b)));
#endif
}

// (first, second, first, second, ...).
HWY_INLINE HalfWordVector repeat_pair(int32_t first, int32_t second) {
  const uint32_t pair =
      (static_cast<uint32_t>(second) << 16) | (static_cast<uint32_t>(first) & 0xffffu);
  return hn::BitCast(HalfWords(), hn::Set(Words(), static_cast<int32_t>(pair)));
}

// The first `count` elements. Precondition: count < kByteLanes.
HWY_INLINE void store_first(ByteVector bytes, size_t count, uint8_t* output) {
#if HWY_TARGET == HWY_AVX3
  _mm512_mask_storeu_epi8(output, (__mmask64{1} << count) - 1, bytes.raw);
#else
  HWY_ALIGN uint8_t all[kByteLanes];
  hn::Store(bytes, Bytes(), all);
  std::copy_n(all, count, output);
#endif
}

// output[i] = vector_at(i) for all i < count, where vector_at computes the elements from i on,
// beyond the last one too.
template <typename VectorAt>
HWY_INLINE void store_vectors(size_t count, uint8_t* output, VectorAt vector_at) {
  size_t i = 0;
  for (; i + kByteLanes <= count; i += kByteLanes) {
    hn::StoreU(vector_at(i), Bytes(), output + i);
  }
  if (i < count) {
    store_first(vector_at(i), count - i, output + i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::backend::cpu
HWY_AFTER_NAMESPACE();

#endif
