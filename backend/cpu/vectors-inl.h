// The vectors that a file of kernels is compiled for: see vector_targets.h.
#include <hwy/highway.h>

#include "backend/cpu/isa.h"

#if defined(LOCKSTEP_CPU_VECTORS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_CPU_VECTORS_INL
#undef LOCKSTEP_CPU_VECTORS_INL
#else
#define LOCKSTEP_CPU_VECTORS_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace lockstep::backend::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// As many lanes as a register holds.
using Words = hn::ScalableTag<int32_t>;
using Floats = hn::ScalableTag<float>;
using WordVector = hn::Vec<Words>;
using FloatVector = hn::Vec<Floats>;

inline constexpr size_t kLanes = HWY_MAX_BYTES / sizeof(int32_t);

// The least instruction set with these vectors.
#if HWY_TARGET == HWY_AVX3
inline constexpr Isa kVectorsIsa = Isa::kAvx512;
#elif HWY_TARGET == HWY_AVX2
inline constexpr Isa kVectorsIsa = Isa::kAvx2;
#elif HWY_TARGET == HWY_NEON
inline constexpr Isa kVectorsIsa = Isa::kNeon;
#else
inline constexpr Isa kVectorsIsa = Isa::kSse4;
#endif

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::backend::cpu
HWY_AFTER_NAMESPACE();

#endif
