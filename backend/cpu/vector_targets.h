// Before <hwy/foreach_target.h>: for which vectors a file of kernels is compiled. Such a file is
// included once for each of them, with HWY_NAMESPACE another one each time; at its end, under
// HWY_ONCE, LOCKSTEP_FOR_VECTORS(object) is a list of the `object` of each namespace, to choose
// from with ForVectors::select().
#pragma once

#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#endif

// Plain C++ of 128 bits, not of single numbers. Highway avoids it with GCC before 12.3, whose
// vectorizer may get its MulHigh wrong (GCC bug 106322): kernels do not use that.
#ifndef HWY_BROKEN_EMU128
#define HWY_BROKEN_EMU128 0
#endif

#include <hwy/detect_targets.h>

#include "backend/cpu/isa.h"

namespace lockstep::backend::cpu {

// The one of these pointers that is for an Isa's vectors. Null: this binary has none.
template <typename T>
struct ForVectors {
  const T* portable = nullptr;
  const T* sse4 = nullptr;
  const T* avx2 = nullptr;
  const T* avx512 = nullptr;
  const T* neon = nullptr;

  const T& select(Isa isa) const {
    switch (vector_extension(isa)) {
      case VectorExtension::kPortable:
        return *portable;
      case VectorExtension::kSse4:
        return *sse4;
      case VectorExtension::kAvx2:
        return *avx2;
      case VectorExtension::kAvx512:
        return *avx512;
      case VectorExtension::kNeon:
        return *neon;
    }
    return *portable;
  }
};

}  // namespace lockstep::backend::cpu

#if HWY_ARCH_X86
#define LOCKSTEP_FOR_VECTORS(object)                                                 \
  {                                                                                  \
    .portable = &N_EMU128::object, .sse4 = &N_SSE4::object, .avx2 = &N_AVX2::object, \
    .avx512 = &N_AVX3::object                                                        \
  }
#elif HWY_ARCH_ARM_A64
#define LOCKSTEP_FOR_VECTORS(object) \
  { .neon = &N_NEON::object }
#else
#define LOCKSTEP_FOR_VECTORS(object) \
  { .portable = &N_EMU128::object }
#endif
