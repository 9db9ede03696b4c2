// ADD and MUL of two tensors, with broadcasting. Each invocation computes one output word. With TABLE
// every result is looked up: output = table[result + 128].
//   ADD:
//     see addition.glsl
//   MULTIPLY:
//     scale((left - left_zero_point) * (right - right_zero_point)), then zero point and clamp
//
// Without BROADCAST an operand's rows repeat for a number of output rows, and its channels are
// those of the output or one for all. With BROADCAST every element finds its operands by the
// strides of up to four dimensions.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "addition.glsl"
#include "invocation.glsl"
#include "packing.glsl"
#include "requantization.glsl"

#ifdef ADD
// See add_quantized().
layout(constant_id = 1) const uint kEnd = 0;
layout(constant_id = 2) const uint kArithmetic = 0;
#else
layout(constant_id = 1) const uint kRounding = 0;
#endif

layout(std430, binding = 0) readonly buffer Left { uint left_words[]; };
layout(std430, binding = 1) readonly buffer Right { uint right_words[]; };
#ifdef TABLE
layout(std430, binding = 2) readonly buffer Table { int table[256]; };
layout(std430, binding = 3) writeonly buffer Output { uint output_words[]; };
#else
layout(std430, binding = 2) writeonly buffer Output { uint output_words[]; };
#endif

layout(push_constant) uniform Shape {
  uint words;             // invocations: output rows * output_row_words
  uint output_row_words;  // that hold channels
  uint output_stride;     // words from one row to the next
#ifdef BROADCAST
  uint output_channels;
  uint output_extents[3];  // of dimensions 1, 2, 3
  uint left_strides[4];    // in elements of the dense operand
  uint right_strides[4];
  uint left_channels;
  uint left_stride;  // bytes from one row to the next
  uint right_channels;
  uint right_stride;
#else
  uint left_repeat;  // output rows for each row of the operand
  uint left_stride;  // words from one row to the next
  uint left_single;  // 1: one channel for all
  uint right_repeat;
  uint right_stride;
  uint right_single;
#endif
  int left_zero_point;
  int right_zero_point;
  int output_multiplier;
  int output_shift;
  int output_zero_point;
  int activation_min;
  int activation_max;
#ifdef ADD
  int left_shift;
  int left_multiplier;
  int left_scale_shift;
  int right_multiplier;
  int right_scale_shift;
#endif
};

int compute(int left, int right) {
#ifdef ADD
  Addition addition =
      Addition(left_zero_point, right_zero_point, left_shift,
               channel_end(left_multiplier, left_scale_shift, kEnd),
               channel_end(right_multiplier, right_scale_shift, kEnd),
               channel_end(output_multiplier, output_shift, kEnd), output_zero_point,
               activation_min, activation_max);
  return add_quantized(left, right, addition, kArithmetic, kEnd);
#else
  int accumulator = (left - left_zero_point) * (right - right_zero_point);
  return requantize(accumulator, output_multiplier, output_shift, kRounding, output_zero_point,
                    activation_min, activation_max);
#endif
}

int combine(int left, int right) {
#ifdef TABLE
  return table[compute(left, right) + 128];
#else
  return compute(left, right);
#endif
}

#ifdef BROADCAST
uint byte_of_element(uint element, uint channels, uint stride) {
  uint row = element / channels;
  return row * stride + (element - row * channels);
}
#endif

void main() {
  uint index = invocation_index();
  if (index >= words) {
    return;
  }
  uint row = index / output_row_words;
  uint row_word = index - row * output_row_words;
  uint word = 0u;
#ifdef BROADCAST
  for (uint lane = 0u; lane < 4u; ++lane) {
    uint channel = min(row_word * 4u + lane, output_channels - 1u);
    uint rest = row * output_channels + channel;
    uint left_element = 0u;
    uint right_element = 0u;
    for (int d = 3; d > 0; --d) {
      uint quotient = rest / output_extents[d - 1];
      uint coordinate = rest - quotient * output_extents[d - 1];
      left_element += coordinate * left_strides[d];
      right_element += coordinate * right_strides[d];
      rest = quotient;
    }
    left_element += rest * left_strides[0];
    right_element += rest * right_strides[0];
    uint left_byte = byte_of_element(left_element, left_channels, left_stride);
    uint right_byte = byte_of_element(right_element, right_channels, right_stride);
    int left = unpack(left_words[left_byte / 4u], int(left_byte & 3u));
    int right = unpack(right_words[right_byte / 4u], int(right_byte & 3u));
    word |= pack(combine(left, right), int(lane));
  }
#else
  uint left = left_words[row / left_repeat * left_stride + (left_single != 0u ? 0u : row_word)];
  uint right =
      right_words[row / right_repeat * right_stride + (right_single != 0u ? 0u : row_word)];
  for (int lane = 0; lane < 4; ++lane) {
    word |= pack(combine(unpack(left, left_single != 0u ? 0 : lane),
                         unpack(right, right_single != 0u ? 0 : lane)),
                 lane);
  }
#endif
  output_words[row * output_stride + row_word] = word;
}
