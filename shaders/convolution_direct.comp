// CONV_2D of any shape and grouping, straight from its definition:
//   accumulator[o] = bias[o] + sum (x - input_zero_point) * (w - weights_zero_points[o])
// over the taps inside the image and the input channels of o's group. Each invocation computes one
// output word, byte by byte. For the shapes that the faster kernels leave over; a depthwise
// convolution is the case of one input channel a group.
//
// With kEnd = kStoreAccumulators each output word becomes four, one for each channel.
//
// Weights: bytes [output channel][kernel_height][kernel_width][group_channels] packed into words.
// Channel parameters: uvec4 (bias, multiplier, shift, weights_zero_point), up to whole words of four
// channels. Behind them comes the epilogue.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(std430, binding = 0) readonly buffer Input { uint input_words[]; };
layout(std430, binding = 1) readonly buffer Weights { uint weights[]; };
layout(std430, binding = 2) readonly buffer ChannelParameters { uvec4 channel_parameters[]; };
uvec4 load_parameters(uint index) { return channel_parameters[index]; }

#include "epilogue.glsl"
#include "invocation.glsl"
#include "packing.glsl"
#include "requantization.glsl"

layout(constant_id = 1) const uint kEnd = 0;

layout(std430, binding = 4) writeonly buffer Output { uint output_words[]; };

layout(push_constant) uniform Shape {
  uint positions;           // batch * output_height * output_width
  uint output_channels;
  uint group_outputs;       // output channels of a group
  uint group_channels;      // input channels of a group
  uint input_stride;        // bytes from one pixel to the next
  uint output_stride;       // words of four channels from one output pixel to the next
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
  int input_zero_point;
  int output_zero_point;
  int activation_min;
  int activation_max;
};

void main() {
  uint output_words_per_position = (output_channels + 3u) / 4u;
  uint index = invocation_index();
  uint position = index / output_words_per_position;
  uint block = index - position * output_words_per_position;
  if (position >= positions) {
    return;
  }
  int output_row = int(position) / output_width;
  int image = output_row / output_height;
  int first_y = (output_row - image * output_height) * stride_height - padding_top;
  int first_x = (int(position) - output_row * output_width) * stride_width - padding_left;

  uint output_index = position * output_stride + block;
  uint word = 0u;
  for (int lane = 0; lane < 4; ++lane) {
    uint channel = min(block * 4u + uint(lane), output_channels - 1u);
    uvec4 parameters = load_parameters(channel);
    int weights_zero_point = int(parameters.w);
    uint first_channel = channel / group_outputs * group_channels;
    uint weights_byte = channel * uint(kernel_height * kernel_width) * group_channels;
    int accumulator = int(parameters.x);
    for (int tap_y = 0; tap_y < kernel_height; ++tap_y) {
      int y = first_y + tap_y * dilation_height;
      for (int tap_x = 0; tap_x < kernel_width; ++tap_x) {
        int x = first_x + tap_x * dilation_width;
        bool inside = uint(y) < uint(input_height) && uint(x) < uint(input_width);
        if (inside) {
          uint pixel = uint((image * input_height + y) * input_width + x);
          uint input_byte = pixel * input_stride + first_channel;
          for (uint c = 0u; c < group_channels; ++c) {
            int value = unpack(input_words[(input_byte + c) / 4u], int((input_byte + c) & 3u));
            int weight = unpack(weights[(weights_byte + c) / 4u], int((weights_byte + c) & 3u));
            accumulator += (value - input_zero_point) * (weight - weights_zero_point);
          }
        }
        weights_byte += group_channels;
      }
    }
    if (kEnd == kStoreAccumulators) {
      output_words[4u * output_index + uint(lane)] = uint(accumulator);
    } else {
      word |= pack(requantize(accumulator, int(parameters.y), int(parameters.z), kEnd,
                              output_zero_point, activation_min, activation_max),
                   lane);
    }
  }
  if (kEnd != kStoreAccumulators) {
    output_words[output_index] =
        apply_epilogue(word, output_index, load_epilogue(4u * output_words_per_position));
  }
}
