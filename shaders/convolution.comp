// CONV_2D and FULLY_CONNECTED as an implicit matrix product. Each invocation computes
// kTilePositions output positions (pixels) x 4 output channels:
//   accumulator = folded_bias + sum x * w - weights_zero_point * sum x
// over all taps, where a tap outside the image reads x = input_zero_point.
//
// The sum advances in steps of 16 input bytes (a uvec4):
//   POINTWISE  1x1 without stride or padding: a step is 16 channels of the one tap; rows of the
//              input are rows of a matrix.
//   (neither)  a step is 16 channels of one tap; channels of a group are a multiple of 16, or
//              there is one group (padding bytes meet weights of zero).
//   WORDS      a step is four words, each 4 channels of some tap: for images of up to 4 channels,
//              and for groups whose channels are a multiple of 4.
// INT_DOT multiplies with OpSDot instead of unpacking bytes.
//
// With kRounding = kStoreAccumulators each output word becomes four, one for each channel.
//
// Weights: uvec4 [group][step][block of 4 output channels][channel in block], zeros behind the
// channels. Channel parameters: uvec4 (folded_bias, multiplier, shift, weights_zero_point).
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifdef INT_DOT
#extension GL_EXT_spirv_intrinsics : require
#endif

#include "invocation.glsl"
#include "packing.glsl"
#include "requantization.glsl"

layout(constant_id = 1) const uint kRounding = 0;
layout(constant_id = 2) const bool kAsymmetricWeights = false;

const int kTilePositions = TILE_POSITIONS;

#ifdef WORDS
#define INPUT_UNIT uint
#else
#define INPUT_UNIT uvec4
#endif

layout(std430, binding = 0) readonly buffer Input { INPUT_UNIT input_data[]; };
layout(std430, binding = 1) readonly buffer Weights { uvec4 weights[]; };
layout(std430, binding = 2) readonly buffer ChannelParameters { uvec4 channel_parameters[]; };
layout(std430, binding = 3) writeonly buffer Output { uint output_words[]; };

// Units of the input are what INPUT_UNIT says.
layout(push_constant) uniform Shape {
  uint positions;             // batch * output_height * output_width
  uint channel_blocks;        // of 4 output channels, over all groups
  uint blocks_per_group;
  uint input_stride;          // input units from one pixel to the next
  uint output_stride;         // words of four channels from one output pixel to the next
  uint group_units;           // input units of one group in one pixel, the last one partly used
  uint group_channels;        // input channels of a group
  uint steps;                 // of 16 bytes over all taps
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

#ifdef INT_DOT
// OpSDot over words that hold four 8-bit integers (packed vector format 0).
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6019, 6018],
                  id = 4450)
int dot_4x8(uint a, uint b, spirv_literal int packed_vector_format);
#endif

int accumulators[kTilePositions * 4];
int input_sums[kTilePositions];

void accumulate(uvec4 x[kTilePositions], uint weights_index) {
  uvec4 w[4];
  [[unroll]] for (int c = 0; c < 4; ++c) {
    w[c] = weights[weights_index + uint(c)];
  }
#ifdef INT_DOT
  [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
    [[unroll]] for (int c = 0; c < 4; ++c) {
      accumulators[4 * p + c] += dot_4x8(x[p].x, w[c].x, 0) + dot_4x8(x[p].y, w[c].y, 0) +
                                 dot_4x8(x[p].z, w[c].z, 0) + dot_4x8(x[p].w, w[c].w, 0);
    }
    if (kAsymmetricWeights) {
      const uint kOnes = 0x01010101u;
      input_sums[p] += dot_4x8(x[p].x, kOnes, 0) + dot_4x8(x[p].y, kOnes, 0) +
                       dot_4x8(x[p].z, kOnes, 0) + dot_4x8(x[p].w, kOnes, 0);
    }
  }
#else
  [[unroll]] for (int word = 0; word < 4; ++word) {
    [[unroll]] for (int lane = 0; lane < 4; ++lane) {
      int w_byte[4];
      [[unroll]] for (int c = 0; c < 4; ++c) {
        w_byte[c] = unpack(w[c][word], lane);
      }
      [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
        int x_byte = unpack(x[p][word], lane);
        [[unroll]] for (int c = 0; c < 4; ++c) {
          accumulators[4 * p + c] += x_byte * w_byte[c];
        }
        if (kAsymmetricWeights) {
          input_sums[p] += x_byte;
        }
      }
    }
  }
#endif
}

// The bytes of a 16-byte unit that hold channels, of which `channels` are left. Padding bytes meet
// zero weights, but must not enter the sum of x.
uvec4 channel_mask(int channels) {
  return uvec4(byte_mask(channels), byte_mask(channels - 4), byte_mask(channels - 8),
               byte_mask(channels - 12));
}

#ifndef POINTWISE
// Of the tile's positions: the input row and column under the first tap, and the image's first
// pixel.
int first_y[kTilePositions];
int first_x[kTilePositions];
int first_pixel[kTilePositions];

bool tap_is_inside(int p, int tap_y, int tap_x, out uint pixel) {
  int y = first_y[p] + tap_y * dilation_height;
  int x = first_x[p] + tap_x * dilation_width;
  bool inside = all(lessThan(uvec2(y, x), uvec2(input_height, input_width)));
  pixel = select(inside, uint(first_pixel[p] + y * input_width + x), 0u);
  return inside;
}
#endif

void main() {
  uint index = invocation_index();
  uint tile = index / channel_blocks;
  uint block = index - tile * channel_blocks;
  uint first_position = tile * uint(kTilePositions);
  if (first_position >= positions) {
    return;
  }
  uint group = block / blocks_per_group;
  uint step_weights = blocks_per_group * 4u;
  uint weights_index = group * steps * step_weights + (block - group * blocks_per_group) * 4u;

  [[unroll]] for (int i = 0; i < kTilePositions * 4; ++i) {
    accumulators[i] = 0;
  }
  [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
    input_sums[p] = 0;
  }

  // Positions past the end repeat the last one; their results are not stored.
#ifdef POINTWISE
  uint row[kTilePositions];
  [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
    row[p] = min(first_position + uint(p), positions - 1u) * input_stride;
  }
  for (uint s = 0u; s < steps; ++s) {
    uvec4 mask = channel_mask(int(group_channels) - int(16u * s));
    uvec4 x[kTilePositions];
    [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
      x[p] = input_data[row[p] + s];
      if (kAsymmetricWeights) {
        x[p] &= mask;
      }
    }
    accumulate(x, weights_index);
    weights_index += step_weights;
  }
#else
  [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
    int position = int(min(first_position + uint(p), positions - 1u));
    int output_row = position / output_width;
    int image = output_row / output_height;
    first_y[p] = (output_row - image * output_height) * stride_height - padding_top;
    first_x[p] = (position - output_row * output_width) * stride_width - padding_left;
    first_pixel[p] = image * input_height * input_width;
  }
  uint group_offset = group * group_units;
#ifdef WORDS
  int tap_y = 0;
  int tap_x = 0;
  uint unit = 0u;
  for (uint s = 0u; s < steps; ++s) {
    uvec4 x[kTilePositions];
    [[unroll]] for (int word = 0; word < 4; ++word) {
      // The last step's words behind the last tap meet zero weights.
      uint mask =
          select(tap_y < kernel_height, byte_mask(int(group_channels) - int(4u * unit)), 0u);
      [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
        uint pixel;
        bool inside = tap_is_inside(p, tap_y, tap_x, pixel);
        uint value = input_data[pixel * input_stride + group_offset + unit];
        x[p][word] = select(inside, value, input_zero_point_word);
        if (kAsymmetricWeights) {
          x[p][word] &= mask;
        }
      }
      ++unit;
      bool next_tap = unit == group_units;
      unit = select(next_tap, 0u, unit);
      tap_x += int(next_tap);
      bool next_row = tap_x == kernel_width;
      tap_x = select(next_row, 0, tap_x);
      tap_y += int(next_row);
    }
    accumulate(x, weights_index);
    weights_index += step_weights;
  }
#else
  for (int tap_y = 0; tap_y < kernel_height; ++tap_y) {
    for (int tap_x = 0; tap_x < kernel_width; ++tap_x) {
      bool inside[kTilePositions];
      uint first_unit[kTilePositions];
      [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
        uint pixel;
        inside[p] = tap_is_inside(p, tap_y, tap_x, pixel);
        first_unit[p] = pixel * input_stride + group_offset;
      }
      for (uint unit = 0u; unit < group_units; ++unit) {
        uvec4 mask = channel_mask(int(group_channels) - int(16u * unit));
        uvec4 x[kTilePositions];
        [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
          uvec4 value = input_data[first_unit[p] + unit];
          x[p] = mix(uvec4(input_zero_point_word), value, bvec4(inside[p]));
          if (kAsymmetricWeights) {
            x[p] &= mask;
          }
        }
        accumulate(x, weights_index);
        weights_index += step_weights;
      }
    }
  }
#endif
#endif

  uvec4 parameters[4];
  [[unroll]] for (int c = 0; c < 4; ++c) {
    parameters[c] = channel_parameters[block * 4u + uint(c)];
  }
  [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
    ivec4 sums;
    [[unroll]] for (int c = 0; c < 4; ++c) {
      sums[c] = accumulators[4 * p + c] + int(parameters[c].x);
      if (kAsymmetricWeights) {
        sums[c] -= int(parameters[c].w) * input_sums[p];
      }
    }
    uint position = first_position + uint(p);
    uint output_index = position * output_stride + block;
    if (kRounding == kStoreAccumulators) {
      if (position < positions) {
        [[unroll]] for (int c = 0; c < 4; ++c) {
          output_words[4u * output_index + uint(c)] = uint(sums[c]);
        }
      }
    } else {
      uint word = 0u;
      [[unroll]] for (int c = 0; c < 4; ++c) {
        int value = requantize(sums[c], int(parameters[c].y), int(parameters[c].z), kRounding,
                               output_zero_point, activation_min, activation_max);
        word |= pack(value, c);
      }
      if (position < positions) {
        output_words[output_index] = word;
      }
    }
  }
}
