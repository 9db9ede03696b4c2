// Bit-for-bit comparison of two tensors of the same type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "graph/status.h"
#include "graph/tensor.h"

namespace lockstep::tools {

struct TensorComparison {
  int64_t elements = 0;
  int64_t differing = 0;          // elements whose bits differ
  double largest_difference = 0;  // of values; infinite when a NaN meets a number
  int64_t first_differing = -1;   // element index, -1: none

  bool is_equal() const { return differing == 0; }
};

// kInvalidArgument when the sizes differ. Types we do not interpret are compared byte by byte.
Result<TensorComparison> compare_tensors(graph::DataType type, std::span<const std::byte> expected,
                                         std::span<const std::byte> actual);

}  // namespace lockstep::tools
