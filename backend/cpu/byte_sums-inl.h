// Sums of many bytes in each lane. Included by files of kernels, once for each kind of vectors.
#include <hwy/highway.h>

#include <algorithm>

#include "backend/cpu/bytes-inl.h"

#if defined(LOCKSTEP_CPU_BYTE_SUMS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_CPU_BYTE_SUMS_INL
#undef LOCKSTEP_CPU_BYTE_SUMS_INL
#else
#define LOCKSTEP_CPU_BYTE_SUMS_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace lockstep::backend::cpu {
namespace HWY_NAMESPACE {

// Adds up vectors of bytes, modulo 2^32: in 16 bits first, as often as these cannot overflow.
class ByteSums {
 public:
  HWY_INLINE ByteSums() {
    for (WordVector& words : sums_.words) words = hn::Zero(Words());
  }

  // Adds `count` vectors that begin `stride` apart.
  HWY_INLINE void add(const uint8_t* first, int64_t count, int64_t stride) {
    constexpr int64_t kMostIn16Bits = 257;  // 257 * 255 = 2^16 - 1
    while (count > 0) {
      if (half_word_count_ == kMostIn16Bits) widen();
      const int64_t now = std::min(count, kMostIn16Bits - half_word_count_);
      for (int64_t i = 0; i < now; ++i, first += stride) {
        const ByteVector bytes = hn::LoadU(Bytes(), first);
        lower_ = hn::Add(lower_, widen_lower(bytes));
        upper_ = hn::Add(upper_, widen_upper(bytes));
      }
      half_word_count_ += now;
      count -= now;
    }
  }

  HWY_INLINE Quarters sums() {
    widen();
    return sums_;
  }

 private:
  HWY_INLINE void widen() {
    sums_.words[0] = hn::Add(sums_.words[0], widen_lower(lower_));
    sums_.words[1] = hn::Add(sums_.words[1], widen_upper(lower_));
    sums_.words[2] = hn::Add(sums_.words[2], widen_lower(upper_));
    sums_.words[3] = hn::Add(sums_.words[3], widen_upper(upper_));
    lower_ = upper_ = hn::Zero(UnsignedHalfWords());
    half_word_count_ = 0;
  }

  Quarters sums_;
  UnsignedHalfWordVector lower_ = hn::Zero(UnsignedHalfWords());
  UnsignedHalfWordVector upper_ = hn::Zero(UnsignedHalfWords());
  int64_t half_word_count_ = 0;
};

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::backend::cpu
HWY_AFTER_NAMESPACE();

#endif
