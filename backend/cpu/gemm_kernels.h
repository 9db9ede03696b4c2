// The kernels that gemm_kernel() chooses from. One exists where its processors do.
#pragma once

#include "backend/cpu/gemm.h"

namespace lockstep::backend::cpu {

const GemmKernel& pairs_kernel(Isa isa);  // 16-bit products in pairs, for any vectors
const GemmKernel& quads_kernel();         // AVX512-VNNI
const GemmKernel& tiles_kernel();         // AMX, with quads_kernel() for odd rows
const GemmKernel& dot_product_kernel();   // ARM: sdot
const GemmKernel& matrix_kernel();        // ARM: usmmla

}  // namespace lockstep::backend::cpu
