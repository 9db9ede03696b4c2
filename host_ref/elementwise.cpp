#include "host_ref/elementwise.h"

#include <algorithm>
#include <cstddef>

#include "host_ref/output_stage.h"
#include "numerics/requantization.h"
#include "numerics/word_arithmetic.h"

namespace lockstep::host_ref {
namespace {

// output = function(left, right) for every element of the broadcast result.
template <typename ElementFunction>
void for_each_pair(const graph::BroadcastExtents& extents, std::span<const int8_t> left,
                   std::span<const int8_t> right, std::span<int8_t> output,
                   ElementFunction function) {
  const auto& [e0, e1, e2, e3] = extents.output;
  const auto index = [](const std::array<int32_t, 4>& strides, int32_t i0, int32_t i1, int32_t i2,
                        int32_t i3) {
    return static_cast<size_t>(int64_t{i0} * strides[0] + int64_t{i1} * strides[1] +
                               int64_t{i2} * strides[2] + int64_t{i3} * strides[3]);
  };
  size_t next = 0;
  for (int32_t i0 = 0; i0 < e0; ++i0) {
    for (int32_t i1 = 0; i1 < e1; ++i1) {
      for (int32_t i2 = 0; i2 < e2; ++i2) {
        for (int32_t i3 = 0; i3 < e3; ++i3) {
          output[next++] = function(left[index(extents.left_strides, i0, i1, i2, i3)],
                                    right[index(extents.right_strides, i0, i1, i2, i3)]);
        }
      }
    }
  }
}

int8_t add_rescaled_operands(const graph::LoweredAdd& operation, int8_t left, int8_t right) {
  const numerics::Rounding rounding = operation.output_stage.rounding;
  const auto rescale = [&](int32_t centered, numerics::ChannelScale scale) {
    return numerics::scale_accumulator(numerics::shift_left_modulo(centered, operation.left_shift),
                                       scale, rounding);
  };
  const int32_t sum = rescale(left - operation.left_zero_point, operation.left_scale) +
                      rescale(right - operation.right_zero_point, operation.right_scale);
  return finish_accumulator(operation.output_stage, 0, sum);
}

int8_t add_shared_shift(const graph::LoweredAdd& operation, int8_t left, int8_t right) {
  const int32_t sum = operation.shared_bias + left * operation.left_scale.multiplier +
                      right * operation.right_scale.multiplier;
  const graph::OutputStage& stage = operation.output_stage;
  return static_cast<int8_t>(std::clamp((sum >> operation.shared_shift) + stage.zero_point,
                                        stage.activation_min, stage.activation_max));
}

}  // namespace

int8_t add_element(const graph::LoweredAdd& operation, int8_t left, int8_t right) {
  return operation.arithmetic == graph::AddArithmetic::kSharedShift
             ? add_shared_shift(operation, left, right)
             : add_rescaled_operands(operation, left, right);
}

int8_t multiply_element(const graph::LoweredMul& operation, int8_t left, int8_t right) {
  const int32_t product = (left - operation.left_zero_point) * (right - operation.right_zero_point);
  return finish_accumulator(operation.output_stage, 0, product);
}

void add(const graph::LoweredAdd& operation, std::span<const int8_t> left,
         std::span<const int8_t> right, std::span<int8_t> output) {
  for_each_pair(operation.extents, left, right, output,
                [&](int8_t l, int8_t r) { return add_element(operation, l, r); });
}

void multiply(const graph::LoweredMul& operation, std::span<const int8_t> left,
              std::span<const int8_t> right, std::span<int8_t> output) {
  for_each_pair(operation.extents, left, right, output,
                [&](int8_t l, int8_t r) { return multiply_element(operation, l, r); });
}

}  // namespace lockstep::host_ref
