// DEPTHWISE_CONV_2D with one output channel for each input channel. Each invocation computes 16
// channels of kTileColumns neighbouring output columns:
//   accumulator[c] = bias[c] + sum (x + 128) * (w - weights_zero_points[c])
// over all taps, where a tap outside the image reads x = input_zero_point. The bias has what the
// zero points and the 128 add folded in: see dot_product.glsl for why inputs are made unsigned. The
// weights arrive with their zero point subtracted, as 16-bit integers: the sum of x that asymmetric
// weights need elsewhere would cost as much as the convolution itself here.
//
// KERNEL_WIDTH, STRIDE_WIDTH: windows of that width and stride, without dilation across. What the
// tile's columns see of an input row overlaps, and is then loaded and unpacked once.
//
// With kEnd = kStoreAccumulators each output unit becomes four, of four channels each.
//
// Weights: uvec4 [tap][channel unit][2], channel 2i in the low and 2i + 1 in the high half of word
// i. Channel parameters: uint [channel unit][3][16] of bias, multiplier, shift. Behind the last
// unit's comes the epilogue.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

#include "convolution_operands.glsl"
#include "division.glsl"
#include "dot_product.glsl"
#include "epilogue.glsl"
#include "invocation.glsl"
#include "packing.glsl"
#include "requantization.glsl"

// A rounding, one + kNarrow, or kStoreAccumulators.
layout(constant_id = 1) const uint kEnd = 0;

const int kTileColumns = TILE_COLUMNS;

layout(std430, binding = 4) writeonly buffer Output { uvec4 output_units[]; };

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
  // For divide().
  uint channel_units_multiplier;
  uint column_tiles_multiplier;
  uint output_height_multiplier;
};

// A unit of the pixel at column x of input row y, in the unsigned domain; the zero point outside.
uvec4 load_inside(int row_pixel, int y, int x, uint unit) {
  bool inside = all(lessThan(uvec2(y, x), uvec2(input_height, input_width)));
  uvec4 value = load_input(select(inside, uint(row_pixel + x), 0u) * channel_units + unit);
  return mix(uvec4(input_zero_point_word), value, bvec4(inside)) ^ kToUnsigned;
}

// One tap of all columns.
void accumulate(inout int accumulators[16 * kTileColumns], uvec4 x[kTileColumns],
                uint weights_index) {
  uvec4 w[2];
  w[0] = load_weights(weights_index);
  w[1] = load_weights(weights_index + 1u);
  [[unroll]] for (int channel = 0; channel < 16; ++channel) {
    uint pair = w[channel / 8][(channel / 2) % 4];
    int weight = bitfieldExtract(int(pair), 16 * (channel % 2), 16);
    [[unroll]] for (int column = 0; column < kTileColumns; ++column) {
      accumulators[16 * column + channel] +=
          unpack_unsigned(x[column][channel / 4], channel % 4) * weight;
    }
  }
}

void main() {
  uint index = invocation_index();
  uint tile = divide(index, channel_units, channel_units_multiplier);
  uint unit = index - tile * channel_units;
  uint output_row = divide(tile, column_tiles, column_tiles_multiplier);
  if (output_row >= output_rows) {
    return;
  }
  int first_column = int(tile - output_row * column_tiles) * kTileColumns;
  int image = int(divide(output_row, uint(output_height), output_height_multiplier));
  int first_y = (int(output_row) - image * output_height) * stride_height - padding_top;

  // Of columns past the end the results are not stored.
  int first_x[kTileColumns];
  [[unroll]] for (int column = 0; column < kTileColumns; ++column) {
    first_x[column] = (first_column + column) * stride_width - padding_left;
  }

  int accumulators[16 * kTileColumns];
  [[unroll]] for (int i = 0; i < 16 * kTileColumns; ++i) {
    accumulators[i] = 0;
  }

  uint weights_index = unit * 2u;
#ifdef KERNEL_WIDTH
  for (int tap_y = 0; tap_y < kernel_height; ++tap_y) {
    int y = first_y + tap_y * dilation_height;
    int row_pixel = (image * input_height + y) * input_width;
    // What the tile's columns see of this input row, each pixel loaded once.
    const int kWindow = (kTileColumns - 1) * STRIDE_WIDTH + KERNEL_WIDTH;
    uvec4 window[kWindow];
    [[unroll]] for (int i = 0; i < kWindow; ++i) {
      window[i] = load_inside(row_pixel, y, first_x[0] + i, unit);
    }
    [[unroll]] for (int tap_x = 0; tap_x < KERNEL_WIDTH; ++tap_x) {
      uvec4 x[kTileColumns];
      [[unroll]] for (int column = 0; column < kTileColumns; ++column) {
        x[column] = window[column * STRIDE_WIDTH + tap_x];
      }
      accumulate(accumulators, x, weights_index);
      weights_index += channel_units * 2u;
    }
  }
#else
  // One loop over the taps: compilers for processors copy every accumulator where a loop begins and
  // where it ends.
  int tap_y = 0;  // in rows of the input
  int tap_x = 0;
  for (int tap = 0; tap < kernel_height * kernel_width; ++tap) {
    int y = first_y + tap_y;
    int row_pixel = (image * input_height + y) * input_width;
    uvec4 x[kTileColumns];
    [[unroll]] for (int column = 0; column < kTileColumns; ++column) {
      x[column] = load_inside(row_pixel, y, first_x[column] + tap_x, unit);
    }
    accumulate(accumulators, x, weights_index);
    weights_index += channel_units * 2u;
    tap_x += dilation_width;
    bool next_row = tap_x == kernel_width * dilation_width;
    tap_x = select(next_row, 0, tap_x);
    tap_y += select(next_row, dilation_height, 0);
  }
#endif

  // Where the tile's units go; columns past the end go nowhere.
  bool stored[kTileColumns];
  uint output_index[kTileColumns];
  [[unroll]] for (int column = 0; column < kTileColumns; ++column) {
    uint pixel = output_row * uint(output_width) + uint(min(first_column + column, output_width - 1));
    stored[column] = first_column + column < output_width;
    output_index[column] = pixel * channel_units + unit;
  }
  Epilogue epilogue = load_epilogue(channel_units * 12u);
  uvec4 words[kTileColumns];
  [[unroll]] for (int word = 0; word < 4; ++word) {
    uvec4 bias = load_parameters(unit * 12u + uint(word));
    uvec4 multiplier = load_parameters(unit * 12u + 4u + uint(word));
    uvec4 shift = load_parameters(unit * 12u + 8u + uint(word));
    ChannelEnd ends[4];
    [[unroll]] for (int lane = 0; lane < 4; ++lane) {
      ends[lane] = channel_end(int(multiplier[lane]), int(shift[lane]), kEnd);
    }
    [[unroll]] for (int column = 0; column < kTileColumns; ++column) {
      ivec4 sums;
      [[unroll]] for (int lane = 0; lane < 4; ++lane) {
        sums[lane] = accumulators[16 * column + 4 * word + lane] + int(bias[lane]);
      }
      if (kEnd == kStoreAccumulators) {
        if (stored[column]) {
          output_units[4u * output_index[column] + uint(word)] = uvec4(sums);
        }
      } else {
        uint packed_word = 0u;
        [[unroll]] for (int lane = 0; lane < 4; ++lane) {
          packed_word |= pack(requantize(sums[lane], ends[lane], kEnd, output_zero_point,
                                         activation_min, activation_max),
                              lane);
        }
        words[column][word] =
            apply_epilogue(packed_word, 4u * output_index[column] + uint(word), epilogue);
      }
    }
  }
  if (kEnd != kStoreAccumulators) {
    [[unroll]] for (int column = 0; column < kTileColumns; ++column) {
      if (stored[column]) {
        output_units[output_index[column]] = words[column];
      }
    }
  }
}
