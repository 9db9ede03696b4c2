// The sum of two quantized values, as graph::LoweredAdd says it; ADD and the convolutions that end
// in one share it.
//   rescaled operands:
//     scale(left_scale((left - left_zero_point) << left_shift) +
//           right_scale((right - right_zero_point) << left_shift))
//   shared shift:
//     (bias + left * left_multiplier + right * right_multiplier) >> shift
// then zero point and clamp.
#ifndef LOCKSTEP_ADDITION_GLSL
#define LOCKSTEP_ADDITION_GLSL

#include "requantization.glsl"

// Values of graph::AddArithmetic.
const uint kSharedShift = 1u;
// In its place where nothing is added.
const uint kNoAddition = 2u;

struct Addition {
  int left_zero_point;
  int right_zero_point;
  int left_shift;
  ChannelEnd left;   // of the shared shift: the multiplier only
  ChannelEnd right;  // likewise
  ChannelEnd sum;    // of the shared shift: its bias in the multiplier's place, and its shift
  int output_zero_point;
  int activation_min;
  int activation_max;
};

// `end`: of all three scales, see ChannelEnd; of the shared shift it is not used.
int add_quantized(int left, int right, Addition addition, uint arithmetic, uint end) {
  int scaled;
  if (arithmetic == kSharedShift) {
    scaled = (addition.sum.multiplier + left * addition.left.multiplier +
              right * addition.right.multiplier) >> addition.sum.shift;
  } else {
    int left_scaled = scale_accumulator(
        (left - addition.left_zero_point) << addition.left_shift, addition.left, end);
    int right_scaled = scale_accumulator(
        (right - addition.right_zero_point) << addition.left_shift, addition.right, end);
    scaled = scale_accumulator(left_scaled + right_scaled, addition.sum, end);
  }
  return clamp_output(scaled, addition.output_zero_point, addition.activation_min,
                      addition.activation_max);
}

#endif
