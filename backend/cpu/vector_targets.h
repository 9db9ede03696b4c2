// Before <hwy/foreach_target.h>: for which vectors a file of kernels is compiled. Such a file is
// included once for each of them, with HWY_NAMESPACE another one each time; at its end, under
// HWY_ONCE, LOCKSTEP_FOR_VECTORS(object) is a list of the `object` of each namespace, to choose
// from with ForVectors::select().
#pragma once

#if defined(__x86_64__)
#define HWY_BASELINE_TARGETS HWY_SSE4  // the least: see executable_isas()
#endif
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)

#include <hwy/detect_targets.h>

#include "backend/cpu/isa.h"

namespace lockstep::backend::cpu {

// What was compiled for each kind of vectors. Null: not for this architecture.
template <typename T>
struct ForVectors {
  const T* sse4 = nullptr;
  const T* avx2 = nullptr;
  const T* avx512 = nullptr;
  const T* neon = nullptr;

  // Precondition: one of executable_isas().
  const T& select(Isa isa) const {
    switch (vector_extension(isa)) {
      case VectorExtension::kSse4:
        return *sse4;
      case VectorExtension::kAvx2:
        return *avx2;
      case VectorExtension::kAvx512:
        return *avx512;
      case VectorExtension::kNeon:
        return *neon;
    }
    return *sse4;
  }
};

}  // namespace lockstep::backend::cpu

#if defined(__x86_64__)
#define LOCKSTEP_FOR_VECTORS(object) \
  { .sse4 = &N_SSE4::object, .avx2 = &N_AVX2::object, .avx512 = &N_AVX3::object }
#elif defined(__aarch64__)
#define LOCKSTEP_FOR_VECTORS(object) \
  { .neon = &N_NEON::object }
#else
#define LOCKSTEP_FOR_VECTORS(object) \
  {}
#endif
