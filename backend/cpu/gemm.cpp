#include "backend/cpu/gemm.h"

#include "backend/cpu/gemm_kernels.h"

namespace lockstep::backend::cpu {

const GemmKernel& gemm_kernel(Isa isa, [[maybe_unused]] int64_t rows,
                              [[maybe_unused]] int64_t depth) {
#if defined(__x86_64__)
  constexpr int64_t kTileRows = 16;
  if (isa == Isa::kAmxInt8 && rows >= kTileRows) return tiles_kernel();
  if (isa == Isa::kAmxInt8 || isa == Isa::kAvx512Vnni) return quads_kernel();
#elif defined(__aarch64__)
  if (isa == Isa::kNeonI8mm) return matrix_kernel();
  if (isa == Isa::kNeonDotProduct) return dot_product_kernel();
#endif
  return pairs_kernel(isa);
}

}  // namespace lockstep::backend::cpu
