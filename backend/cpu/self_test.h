// Whether kernels compute what they should on this very processor. A product that saturates, a
// rounding that is another, a register that an operating system forgets: all would change results
// silently.
#pragma once

#include "backend/cpu/depthwise_kernels.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/isa.h"

namespace lockstep::backend::cpu {

// Sums of the largest products of either sign, of which any saturation or lost carry would show,
// compared with plain arithmetic.
bool computes_exactly(const GemmKernel& kernel);
bool computes_exactly(const DepthwiseKernel& kernel);
// The scaling of accumulators at and beside ties, of every rounding.
bool computes_exactly(const GemmTileKernels& kernels);

// All that an Isa uses. Takes about a millisecond.
bool computes_exactly(Isa isa);

}  // namespace lockstep::backend::cpu
