// AVERAGE_POOL_2D and MAX_POOL_2D over the taps inside the image. Each invocation computes one
// output word (4 channels).
//   average: n taps, sum of x + accumulator_offset, rounded half away from zero:
//            sign(sum) * ((|sum| + n / 2) / n) - accumulator_offset
//   maximum: the largest x
// then clamped to the activation range. A window without a tap inside gives activation_min.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "invocation.glsl"
#include "packing.glsl"
#include "word_arithmetic.glsl"

layout(constant_id = 1) const bool kMaximum = false;

layout(std430, binding = 0) readonly buffer Input { uint input_words[]; };
layout(std430, binding = 1) writeonly buffer Output { uint output_words[]; };

layout(push_constant) uniform Shape {
  uint positions;     // batch * output_height * output_width
  uint row_words;     // words of a pixel that hold channels
  uint pixel_stride;  // words from one pixel to the next, input and output alike
  int input_height;
  int input_width;
  int output_height;
  int output_width;
  int kernel_height;
  int kernel_width;
  int stride_height;
  int stride_width;
  int dilation_height;
  int dilation_width;
  int padding_top;
  int padding_left;
  int accumulator_offset;
  int activation_min;
  int activation_max;
};

// Of the taps of a window that starts at `first`, those in the image: begin <= tap < end. Mirrors
// host_ref/window.h. Loops over the others would let a window cost more than its image.
struct TapRange {
  int begin;
  int end;
};

TapRange taps_in_image(int first, int dilation, int taps, int extent) {
  return TapRange(min((max(-first, 0) + dilation - 1) / dilation, taps),
                  min((max(extent - first, 0) + dilation - 1) / dilation, taps));
}

int rounded_average(int sum, int count) {
  uint quotient = (magnitude(sum) + uint(count) / 2u) / uint(count);
  return sum < 0 ? -int(quotient) : int(quotient);
}

void main() {
  uint index = invocation_index();
  uint position = index / row_words;
  uint row_word = index - position * row_words;
  if (position >= positions) {
    return;
  }
  int output_row = int(position) / output_width;
  int image = output_row / output_height;
  int first_y = (output_row - image * output_height) * stride_height - padding_top;
  int first_x = (int(position) - output_row * output_width) * stride_width - padding_left;

  TapRange rows = taps_in_image(first_y, dilation_height, kernel_height, input_height);
  TapRange columns = taps_in_image(first_x, dilation_width, kernel_width, input_width);
  int count = max(rows.end - rows.begin, 0) * max(columns.end - columns.begin, 0);

  ivec4 sums = ivec4(0);
  ivec4 maxima = ivec4(-128);
  for (int tap_y = rows.begin; tap_y < rows.end; ++tap_y) {
    int row_pixel = (image * input_height + first_y + tap_y * dilation_height) * input_width;
    for (int tap_x = columns.begin; tap_x < columns.end; ++tap_x) {
      uint pixel = uint(row_pixel + first_x + tap_x * dilation_width);
      uint word = input_words[pixel * pixel_stride + row_word];
      ivec4 values = ivec4(unpack(word, 0), unpack(word, 1), unpack(word, 2), unpack(word, 3));
      sums += values + accumulator_offset;
      maxima = max(maxima, values);
    }
  }

  uint word = 0u;
  for (int lane = 0; lane < 4; ++lane) {
    int value = activation_min;
    if (count > 0) {
      value = kMaximum ? maxima[lane] : rounded_average(sums[lane], count) - accumulator_offset;
    }
    word |= pack(clamp(value, activation_min, activation_max), lane);
  }
  output_words[position * pixel_stride + row_word] = word;
}
