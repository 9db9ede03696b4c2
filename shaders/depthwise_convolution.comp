// DEPTHWISE_CONV_2D with one output channel for each input channel. Each invocation computes 16
// channels of kTileColumns neighbouring output columns:
//   accumulator[c] = folded_bias[c] + sum x * (w - weights_zero_points[c])
// over all taps, where a tap outside the image reads x = input_zero_point. The weights arrive with
// their zero point subtracted, as 16-bit integers: the sum of x that asymmetric weights need
// elsewhere would cost as much as the convolution itself here.
//
// With kRounding = kStoreAccumulators each output unit becomes four, of four channels each.
//
// Weights: uvec4 [tap][channel unit][2], channel 2i in the low and 2i + 1 in the high half of word
// i. Channel parameters: uint [channel unit][3][16] of folded_bias, multiplier, shift.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

#include "invocation.glsl"
#include "packing.glsl"
#include "requantization.glsl"

layout(constant_id = 1) const uint kRounding = 0;

const int kTileColumns = TILE_COLUMNS;

layout(std430, binding = 0) readonly buffer Input { uvec4 input_units[]; };
layout(std430, binding = 1) readonly buffer Weights { uvec4 weights[]; };
layout(std430, binding = 2) readonly buffer ChannelParameters { uvec4 channel_parameters[]; };
layout(std430, binding = 3) writeonly buffer Output { uvec4 output_units[]; };

// A unit is 16 channels of a pixel; input and output have the same number of them.
layout(push_constant) uniform Shape {
  uint output_rows;    // batch * output_height
  uint column_tiles;   // in one output row
  uint channel_units;  // of a pixel
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
  uint input_zero_point_word;  // four times the input's zero point
  int output_zero_point;
  int activation_min;
  int activation_max;
};

void main() {
  uint index = invocation_index();
  uint tile = index / channel_units;
  uint unit = index - tile * channel_units;
  uint output_row = tile / column_tiles;
  if (output_row >= output_rows) {
    return;
  }
  int first_column = int(tile - output_row * column_tiles) * kTileColumns;
  int image = int(output_row) / output_height;
  int first_y = (int(output_row) - image * output_height) * stride_height - padding_top;

  // Columns past the end repeat the last one; their results are not stored.
  int first_x[kTileColumns];
  [[unroll]] for (int column = 0; column < kTileColumns; ++column) {
    first_x[column] = min(first_column + column, output_width - 1) * stride_width - padding_left;
  }

  int accumulators[16 * kTileColumns];
  [[unroll]] for (int i = 0; i < 16 * kTileColumns; ++i) {
    accumulators[i] = 0;
  }

  uint weights_index = unit * 2u;
  for (int tap_y = 0; tap_y < kernel_height; ++tap_y) {
    int y = first_y + tap_y * dilation_height;
    int row_pixel = (image * input_height + y) * input_width;
    for (int tap_x = 0; tap_x < kernel_width; ++tap_x) {
      uvec4 x[kTileColumns];
      [[unroll]] for (int column = 0; column < kTileColumns; ++column) {
        int tap_column = first_x[column] + tap_x * dilation_width;
        bool inside = all(lessThan(uvec2(y, tap_column), uvec2(input_height, input_width)));
        uint pixel = select(inside, uint(row_pixel + tap_column), 0u);
        uvec4 value = input_units[pixel * channel_units + unit];
        x[column] = mix(uvec4(input_zero_point_word), value, bvec4(inside));
      }
      uvec4 w[2];
      w[0] = weights[weights_index];
      w[1] = weights[weights_index + 1u];
      weights_index += channel_units * 2u;
      [[unroll]] for (int channel = 0; channel < 16; ++channel) {
        uint pair = w[channel / 8][(channel / 2) % 4];
        int weight = bitfieldExtract(int(pair), 16 * (channel % 2), 16);
        [[unroll]] for (int column = 0; column < kTileColumns; ++column) {
          accumulators[16 * column + channel] +=
              unpack(x[column][channel / 4], channel % 4) * weight;
        }
      }
    }
  }

  // Where the tile's units go; columns past the end go nowhere.
  bool stored[kTileColumns];
  uint output_index[kTileColumns];
  [[unroll]] for (int column = 0; column < kTileColumns; ++column) {
    uint pixel = output_row * uint(output_width) + uint(first_column + column);
    stored[column] = first_column + column < output_width;
    output_index[column] = pixel * channel_units + unit;
  }
  uvec4 words[kTileColumns];
  [[unroll]] for (int word = 0; word < 4; ++word) {
    uvec4 bias = channel_parameters[unit * 12u + uint(word)];
    uvec4 multiplier = channel_parameters[unit * 12u + 4u + uint(word)];
    uvec4 shift = channel_parameters[unit * 12u + 8u + uint(word)];
    [[unroll]] for (int column = 0; column < kTileColumns; ++column) {
      ivec4 sums;
      [[unroll]] for (int lane = 0; lane < 4; ++lane) {
        sums[lane] = accumulators[16 * column + 4 * word + lane] + int(bias[lane]);
      }
      if (kRounding == kStoreAccumulators) {
        if (stored[column]) {
          output_units[4u * output_index[column] + uint(word)] = uvec4(sums);
        }
      } else {
        uint packed_word = 0u;
        [[unroll]] for (int lane = 0; lane < 4; ++lane) {
          packed_word |= pack(requantize(sums[lane], int(multiplier[lane]), int(shift[lane]),
                                         kRounding, output_zero_point, activation_min,
                                         activation_max),
                              lane);
        }
        words[column][word] = packed_word;
      }
    }
  }
  if (kRounding != kStoreAccumulators) {
    [[unroll]] for (int column = 0; column < kTileColumns; ++column) {
      if (stored[column]) {
        output_units[output_index[column]] = words[column];
      }
    }
  }
}
