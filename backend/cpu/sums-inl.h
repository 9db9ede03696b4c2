// Sums of products in vectors of words, exact modulo 2^32: what GEMM and depthwise convolutions are
// made of. Included by files of kernels, once for each kind of vectors (see vector_targets.h).
#include <hwy/highway.h>

#include "backend/cpu/vectors-inl.h"

#if defined(LOCKSTEP_CPU_SUMS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_CPU_SUMS_INL
#undef LOCKSTEP_CPU_SUMS_INL
#else
#define LOCKSTEP_CPU_SUMS_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace lockstep::backend::cpu {
namespace HWY_NAMESPACE {

// Of two neighbours a lane, 16-bit numbers: pmaddwd and its relatives.
struct PairSums {
  using Operand = hn::Vec<hn::Repartition<int16_t, Words>>;

  WordVector first;
  WordVector second;  // not used by x86

  HWY_INLINE void clear() { first = second = hn::Zero(Words()); }
  HWY_INLINE void add(Operand left, Operand right) {
    first = hn::ReorderWidenMulAccumulate(Words(), left, right, first, second);
  }
  HWY_INLINE WordVector sum() const { return hn::RearrangeToOddPlusEven(first, second); }
};

#if HWY_TARGET == HWY_AVX3
// vpdpbusd: of four neighbours a lane, unsigned bytes by signed ones, added without saturation.
struct QuadSums {
  using Operand = WordVector;

  WordVector first;

  HWY_INLINE void clear() { first = hn::Zero(Words()); }
  // Inline assembly because g++ 12 moves registers around the intrinsic, which halves the speed;
  // and the processors that have the instruction need not have all else of HWY_AVX3_DL.
  HWY_INLINE void add(Operand unsigned_bytes, Operand signed_bytes) {
    __asm__("vpdpbusd %[signed_bytes], %[unsigned_bytes], %[sum]"
            : [sum] "+v"(first.raw)
            : [unsigned_bytes] "v"(unsigned_bytes.raw), [signed_bytes] "v"(signed_bytes.raw));
  }
  HWY_INLINE WordVector sum() const { return first; }
};
#endif

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::backend::cpu
HWY_AFTER_NAMESPACE();

#endif
