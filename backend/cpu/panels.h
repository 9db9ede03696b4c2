// Weights in the layout that a GEMM kernel wants, packed once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/cpu/aligned_memory.h"
#include "backend/cpu/gemm.h"

namespace lockstep::backend::cpu {

class Panels {
 public:
  Panels() = default;
  // weights: [channels][depth]
  Panels(const GemmKernel& kernel, std::span<const int8_t> weights, size_t channels, size_t depth);

  size_t count() const { return count_; }
  // Of a panel: the weights' depth and zeros up to a multiple of the kernel's.
  size_t depth() const { return depth_; }
  size_t panel_bytes() const { return panel_bytes_; }
  const int8_t* panel(size_t index) const { return bytes_.data() + index * panel_bytes_; }
  int64_t bytes() const { return bytes_.bytes(); }

 private:
  size_t count_ = 0;
  size_t depth_ = 0;
  size_t panel_bytes_ = 0;
  AlignedArray<int8_t> bytes_;
};

}  // namespace lockstep::backend::cpu
