// CONV_2D of images with 1 to 4 channels, the first layer of most networks. A pixel is one word.
// Each invocation computes TILE_COLUMNS neighbouring output columns x 8 output channels:
//   accumulator = bias + sum (x + 128) * (w - weights_zero_point)
// over all taps, where a tap outside the image reads x = input_zero_point; see dot_product.glsl for
// the 128. Only bytes that are channels are multiplied: the general kernels spend as much on the
// fourth byte of an RGB pixel, and on the taps that fill up their last step.
//
// With kEnd = kStoreAccumulators each output word becomes four, one for each channel.
//
// Weights: uvec4 [block of 8 output channels][tap][2], a word for each output channel, with the
// domain that convolution.comp's have. Channel parameters: uvec4 (bias, multiplier, shift,
// weights_zero_point + 128). Behind the last block's comes the epilogue.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

#define INPUT_WORDS
#include "convolution_operands.glsl"
#include "division.glsl"
#include "dot_product.glsl"
#include "epilogue.glsl"
#include "invocation.glsl"
#include "packing.glsl"
#include "requantization.glsl"

// A rounding, one + kNarrow, or kStoreAccumulators.
layout(constant_id = 1) const uint kEnd = 0;
layout(constant_id = 5) const uint kImageChannels = 4;

const int kTileColumns = TILE_COLUMNS;
const int kTileChannels = 8;
const uint kTileWords = 2u;

layout(std430, binding = 4) writeonly buffer Output { uvec2 output_tiles[]; };
layout(std430, binding = 4) writeonly buffer OutputAccumulators { uvec4 output_accumulators[]; };

layout(push_constant) uniform Shape {
  uint output_rows;     // batch * output_height
  uint column_tiles;    // in one output row
  uint channel_blocks;  // of 8 output channels
  uint output_stride;   // words of four channels from one output pixel to the next
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
  uint column_tiles_multiplier;
  uint channel_blocks_multiplier;
  uint output_height_multiplier;
};

void main() {
  uint index = invocation_index();
  uint tile = divide(index, channel_blocks, channel_blocks_multiplier);
  uint block = index - tile * channel_blocks;
  uint output_row = divide(tile, column_tiles, column_tiles_multiplier);
  if (output_row >= output_rows) {
    return;
  }
  int first_column = int(tile - output_row * column_tiles) * kTileColumns;
  int image = int(divide(output_row, uint(output_height), output_height_multiplier));
  int first_y = (int(output_row) - image * output_height) * stride_height - padding_top;

  // Columns past the end repeat the last one; their results are not stored.
  int first_x[kTileColumns];
  [[unroll]] for (int column = 0; column < kTileColumns; ++column) {
    first_x[column] = min(first_column + column, output_width - 1) * stride_width - padding_left;
  }
  uint first_channel = block * uint(kTileChannels);
  uvec4 parameters[kTileChannels];
  int accumulators[kTileColumns * kTileChannels];
  [[unroll]] for (int c = 0; c < kTileChannels; ++c) {
    parameters[c] = load_parameters(first_channel + uint(c));
    [[unroll]] for (int column = 0; column < kTileColumns; ++column) {
      accumulators[kTileChannels * column + c] = int(parameters[c].x);
    }
  }

  uint weights_index = block * uint(kernel_height * kernel_width) * 2u;
  // One loop over the taps: compilers for processors copy every accumulator where a loop begins and
  // where it ends.
  int tap_y = 0;  // in rows of the input
  int tap_x = 0;
  for (int tap = 0; tap < kernel_height * kernel_width; ++tap) {
    int y = first_y + tap_y;
    int row_pixel = (image * input_height + y) * input_width;
    uint x[kTileColumns];
    [[unroll]] for (int column = 0; column < kTileColumns; ++column) {
      int tap_column = first_x[column] + tap_x;
      bool inside = all(lessThan(uvec2(y, tap_column), uvec2(input_height, input_width)));
      uint value = load_input(select(inside, uint(row_pixel + tap_column), 0u));
      x[column] = select(inside, value, input_zero_point_word) ^ kToUnsigned;
    }
    uvec4 w[2];
    w[0] = load_weights(weights_index);
    w[1] = load_weights(weights_index + 1u);
    weights_index += 2u;
    [[unroll]] for (int lane = 0; lane < 4; ++lane) {
      if (uint(lane) < kImageChannels) {
        [[unroll]] for (int c = 0; c < kTileChannels; ++c) {
          // The mask tells the compiler what is known anyway: that the factor fits 16 bits.
          int factor = unpack_unsigned(w[c / 4][c % 4], lane) - int(parameters[c].w & 0xffu);
          [[unroll]] for (int column = 0; column < kTileColumns; ++column) {
            accumulators[kTileChannels * column + c] += unpack_unsigned(x[column], lane) * factor;
          }
        }
      }
    }
    tap_x += dilation_width;
    bool next_row = tap_x == kernel_width * dilation_width;
    tap_x = select(next_row, 0, tap_x);
    tap_y += select(next_row, dilation_height, 0);
  }

  ChannelEnd ends[kTileChannels];
  [[unroll]] for (int c = 0; c < kTileChannels; ++c) {
    ends[c] = channel_end(int(parameters[c].y), int(parameters[c].z), kEnd);
  }
  Epilogue epilogue = load_epilogue(channel_blocks * uint(kTileChannels));
  [[unroll]] for (int column = 0; column < kTileColumns; ++column) {
    bool is_stored = first_column + column < output_width;
    uint pixel = output_row * uint(output_width) + uint(min(first_column + column, output_width - 1));
    uint first_word = pixel * output_stride + block * kTileWords;
    if (kEnd == kStoreAccumulators) {
      if (is_stored) {
        [[unroll]] for (int word = 0; word < 2; ++word) {
          int c = kTileChannels * column + 4 * word;
          output_accumulators[first_word + uint(word)] =
              uvec4(accumulators[c], accumulators[c + 1], accumulators[c + 2], accumulators[c + 3]);
        }
      }
    } else {
      uvec2 words = uvec2(0u);
      [[unroll]] for (int c = 0; c < kTileChannels; ++c) {
        int value = requantize(accumulators[kTileChannels * column + c], ends[c], kEnd,
                               output_zero_point, activation_min, activation_max);
        words[c / 4] |= pack(value, c % 4);
      }
      [[unroll]] for (int word = 0; word < 2; ++word) {
        words[word] = apply_epilogue(words[word], first_word + uint(word), epilogue);
      }
      if (is_stored) {
        output_tiles[first_word / kTileWords] = words;
      }
    }
  }
}
