#include "backend/vulkan/addition.h"

#include <cstdint>
#include <utility>

#include "backend/vulkan/dispatch_building.h"
#include "numerics/requantization.h"

namespace lockstep::backend::vulkan {
namespace {

// No |x * scale|, rounded, with |x| <= bound < 2^28 exceeds it. Precondition: -32 <= shift <= 0.
int64_t scaled_bound(numerics::ChannelScale scale, int64_t bound) {
  return ((bound * scale.multiplier) >> (31 - scale.shift)) + 1;
}

// Whether all three scales are narrow for every pair of operands.
bool is_narrow(const Addition& addition, numerics::Rounding rounding) {
  constexpr int64_t kLargestOperand = 255;
  constexpr int32_t kLargestLeftShift = 20;
  if (addition.left_shift < 0 || addition.left_shift > kLargestLeftShift) {
    return false;
  }
  const int64_t operand_bound = kLargestOperand << addition.left_shift;
  int64_t sum_bound = 0;
  for (const numerics::ChannelScale scale : {addition.left, addition.right}) {
    if (scale.shift > 0 || !numerics::is_narrow(scale, rounding, operand_bound)) {
      return false;
    }
    sum_bound += scaled_bound(scale, operand_bound);
  }
  return numerics::is_narrow(addition.sum, rounding, sum_bound);
}

}  // namespace

Addition addition_of(const graph::LoweredAdd& op) {
  const graph::OutputStage& stage = op.output_stage;
  const bool shared = op.arithmetic == graph::AddArithmetic::kSharedShift;
  Addition addition;
  addition.arithmetic = static_cast<uint32_t>(op.arithmetic);
  addition.left_zero_point = op.left_zero_point;
  addition.right_zero_point = op.right_zero_point;
  addition.left_shift = op.left_shift;
  addition.left = op.left_scale;
  addition.right = op.right_scale;
  addition.sum = shared ? numerics::ChannelScale{op.shared_bias, op.shared_shift} : stage.scales[0];
  addition.output_zero_point = stage.zero_point;
  addition.activation_min = stage.activation_min;
  addition.activation_max = stage.activation_max;
  addition.end = end_constant(stage);
  if (!shared && is_narrow(addition, stage.rounding)) {
    addition.end += kNarrow;
  }
  return addition;
}

Addition with_operands_swapped(const Addition& addition) {
  Addition swapped = addition;
  std::swap(swapped.left_zero_point, swapped.right_zero_point);
  std::swap(swapped.left, swapped.right);
  return swapped;
}

}  // namespace lockstep::backend::vulkan
