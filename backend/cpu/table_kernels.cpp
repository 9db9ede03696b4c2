#include "backend/cpu/table_kernels.h"

#include "backend/cpu/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/table_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backend/cpu/bytes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::backend::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3

// Words of two bytes of the table: 32 in a register, 64 in a pair of registers that vpermi2w
// chooses from.
class TableOfVectors {
 public:
  explicit HWY_INLINE TableOfVectors(const ByteToByte& table) {
    for (int i = 0; i < 4; ++i) {
      words_[i] = _mm512_loadu_si512(table.data() + 64 * i);
    }
  }

  HWY_INLINE ByteVector operator[](ByteVector indices) const {
    const __m512i even = look_up(_mm512_and_si512(indices.raw, _mm512_set1_epi16(0xff)));
    const __m512i odd = look_up(_mm512_srli_epi16(indices.raw, 8));
    constexpr __mmask64 kOddBytes = 0xaaaaaaaaaaaaaaaa;
    return ByteVector{_mm512_mask_blend_epi8(kOddBytes, even, _mm512_slli_epi16(odd, 8))};
  }

 private:
  // In the lower byte of each word, the entry of its index below 256; the upper byte is any.
  HWY_INLINE __m512i look_up(__m512i indices) const {
    const __m512i pairs = _mm512_srli_epi16(indices, 1);
    const __m512i lower = _mm512_permutex2var_epi16(words_[0], pairs, words_[1]);
    const __m512i upper = _mm512_permutex2var_epi16(words_[2], pairs, words_[3]);
    const __mmask32 is_upper = _mm512_test_epi16_mask(indices, _mm512_set1_epi16(0x80));
    const __m512i words = _mm512_mask_blend_epi16(is_upper, lower, upper);
    const __mmask32 is_odd = _mm512_test_epi16_mask(indices, _mm512_set1_epi16(1));
    return _mm512_mask_srli_epi16(words, is_odd, words, 8);
  }

  __m512i words_[4];
};

#elif HWY_TARGET == HWY_AVX2

// Slices of 16 entries. Of each, vpshufb looks up the lower 4 bits of an index, and gives 0 where
// its highest bit is set: with (index ^ first entry) + 0x70, saturated, it is set for the indices
// of all other slices.
class TableOfVectors {
 public:
  explicit HWY_INLINE TableOfVectors(const ByteToByte& table) : table_(table.data()) {}

  HWY_INLINE ByteVector operator[](ByteVector indices) const {
    const Bytes d;
    ByteVector found = hn::Zero(d);
    for (int slice = 0; slice < 16; ++slice) {
      const ByteVector entries = hn::LoadDup128(d, table_ + 16 * slice);
      const ByteVector own = hn::Xor(indices, hn::Set(d, static_cast<uint8_t>(16 * slice)));
      found = hn::Or(found, hn::TableLookupBytes(entries, hn::SaturatedAdd(own, hn::Set(d, 0x70))));
    }
    return found;
  }

 private:
  const uint8_t* table_;
};

#elif HWY_TARGET == HWY_NEON

// Quarters of 64 entries, from which tbl looks up: 0, or what was there, for indices beyond it.
class TableOfVectors {
 public:
  explicit HWY_INLINE TableOfVectors(const ByteToByte& table) {
    for (int i = 0; i < 4; ++i) {
      quarters_[i] = vld1q_u8_x4(table.data() + 64 * i);
    }
  }

  HWY_INLINE ByteVector operator[](ByteVector indices) const {
    const uint8x16_t quarter = vdupq_n_u8(64);
    uint8x16_t index = indices.raw;
    uint8x16_t found = vqtbl4q_u8(quarters_[0], index);
    for (int i = 1; i < 4; ++i) {
      index = vsubq_u8(index, quarter);
      found = vqtbx4q_u8(found, quarters_[i], index);
    }
    return ByteVector(found);
  }

 private:
  uint8x16x4_t quarters_[4];
};

#endif

void look_up(const ByteToByte& table, const uint8_t* input, size_t count, uint8_t* output) {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_NEON
  const TableOfVectors entries(table);
  store_vectors(count, output,
                [&](size_t i) HWY_ATTR { return entries[hn::LoadU(Bytes(), input + i)]; });
#else
  for (size_t i = 0; i < count; ++i) {
    output[i] = table[input[i]];
  }
#endif
}

constexpr TableKernels kTableKernels{.look_up = look_up};

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::backend::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::backend::cpu {

const TableKernels& table_kernels(Isa isa) {
  static constexpr ForVectors<TableKernels> kKernels = LOCKSTEP_FOR_VECTORS(kTableKernels);
  return kKernels.select(isa);
}

}  // namespace lockstep::backend::cpu
#endif
