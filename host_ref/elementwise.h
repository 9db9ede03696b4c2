// ADD and MUL of two tensors: the executable specification.
#pragma once

#include <cstdint>
#include <span>

#include "graph/lowered_graph.h"

namespace lockstep::host_ref {

// One element of a sum. kRescaledOperands:
//   clamp(zero_point + scale(left_scale((left - left_zero_point) << left_shift) +
//                            right_scale((right - right_zero_point) << left_shift)))
// kSharedShift:
//   clamp(zero_point + ((shared_bias + left * left_multiplier + right * right_multiplier)
//                       >> shared_shift))
int8_t add_element(const graph::LoweredAdd& operation, int8_t left, int8_t right);

// One element of a product:
//   clamp(zero_point + scale((left - left_zero_point) * (right - right_zero_point)))
int8_t multiply_element(const graph::LoweredMul& operation, int8_t left, int8_t right);

// Over whole tensors, with the broadcasting that operation.extents describes.
void add(const graph::LoweredAdd& operation, std::span<const int8_t> left,
         std::span<const int8_t> right, std::span<int8_t> output);
void multiply(const graph::LoweredMul& operation, std::span<const int8_t> left,
              std::span<const int8_t> right, std::span<int8_t> output);

}  // namespace lockstep::host_ref
