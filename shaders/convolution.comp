// CONV_2D and FULLY_CONNECTED as an implicit matrix product. Each invocation computes
// TILE_POSITIONS output positions (pixels) x TILE_CHANNELS output channels (4, 8 or 16):
//   accumulator = folded_bias + sum x * w - weights_zero_point * sum x
// over all taps, where a tap outside the image reads x = input_zero_point.
//
// The sum advances in steps of 16 input bytes (a uvec4):
//   POINTWISE  1x1 without stride or padding: a step is 16 channels of the one tap; rows of the
//              input are rows of a matrix.
//   (neither)  a step is 16 channels of one tap; channels of a group are a multiple of 16, or
//              there is one group (padding bytes meet weights that count as zero).
//   WORDS      a step is four words, each 4 channels of some tap: for images of up to 4 channels,
//              and for groups whose channels are a multiple of 4.
// How products are summed is told by dot_product.glsl.
//
// With kEnd = kStoreAccumulators each output word becomes four, one for each channel.
//
// Weights: uvec4 [group][step][block of TILE_CHANNELS output channels][channel in block].
// Channel parameters: uvec4 (folded_bias, multiplier, shift, weights_zero_point); the folded bias
// and the domain of weights and their zero points are those of the form. Behind the last block's
// comes the epilogue.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#if defined(INT_DOT) || defined(INT_DOT_SATURATING)
#extension GL_EXT_spirv_intrinsics : require
#endif

#ifdef WORDS
#define INPUT_WORDS
#endif
#include "convolution_operands.glsl"
#include "division.glsl"
#include "dot_product.glsl"
#include "epilogue.glsl"
#include "invocation.glsl"
#include "packing.glsl"
#include "requantization.glsl"

// A rounding, one + kNarrow, or kStoreAccumulators.
layout(constant_id = 1) const uint kEnd = 0;
layout(constant_id = 5) const bool kAsymmetricWeights = false;

const int kTilePositions = TILE_POSITIONS;
const int kTileChannels = TILE_CHANNELS;
const int kTileWords = kTileChannels / 4;

// Four channels a word; or, as accumulators, four channels a uvec4.
#if TILE_CHANNELS == 4
#define TILE_WORDS uint
#elif TILE_CHANNELS == 8
#define TILE_WORDS uvec2
#else
#define TILE_WORDS uvec4
#endif
layout(std430, binding = 4) writeonly buffer Output { TILE_WORDS output_tiles[]; };
layout(std430, binding = 4) writeonly buffer OutputAccumulators { uvec4 output_accumulators[]; };

// Units of the input are what load_input() returns.
layout(push_constant) uniform Shape {
  uint positions;             // batch * output_height * output_width
  uint channel_blocks;        // of TILE_CHANNELS output channels, over all groups
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
  // For divide().
  uint channel_blocks_multiplier;
  uint blocks_per_group_multiplier;
  uint output_width_multiplier;
  uint output_height_multiplier;
};

// What an invocation adds up. Not a global: some compilers keep those in memory.
struct TileSums {
  int accumulators[kTilePositions * kTileChannels];
#ifdef FLOAT32
  float partial[kTilePositions * kTileChannels];
  uint pending_terms;  // in each of them
#endif
#ifdef PACKED_PRODUCTS
  int inputs[kTilePositions];
#endif
};

TileSums no_sums() {
  TileSums sums;
  [[unroll]] for (int i = 0; i < kTilePositions * kTileChannels; ++i) {
    sums.accumulators[i] = 0;
#ifdef FLOAT32
    sums.partial[i] = 0.0;
#endif
  }
#ifdef FLOAT32
  sums.pending_terms = 0u;
#endif
#ifdef PACKED_PRODUCTS
  [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
    sums.inputs[p] = 0;
  }
#endif
  return sums;
}

#ifdef FLOAT32
void flush_partial_sums(inout TileSums sums) {
  [[unroll]] for (int i = 0; i < kTilePositions * kTileChannels; ++i) {
    sums.accumulators[i] += int(sums.partial[i]);
    sums.partial[i] = 0.0;
  }
  sums.pending_terms = 0u;
}
#endif

// One step for the whole tile. weights_excess: what the stored weights of a channel are too large
// by, 0 to 255.
void accumulate(inout TileSums sums, uvec4 x[kTilePositions], uint weights_index,
                int weights_excess[kTileChannels]) {
  uvec4 w[kTileChannels];
  [[unroll]] for (int c = 0; c < kTileChannels; ++c) {
    w[c] = load_weights(weights_index + uint(c));
  }
#ifdef PACKED_PRODUCTS
  [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
    [[unroll]] for (int c = 0; c < kTileChannels; ++c) {
      int i = kTileChannels * p + c;
      sums.accumulators[i] = add_dot_16x8(x[p], w[c], sums.accumulators[i]);
    }
    if (kAsymmetricWeights) {
      sums.inputs[p] = add_dot_16x8(x[p], uvec4(0x01010101u), sums.inputs[p]);
    }
  }
#else
  // The mask tells the compiler what is known anyway: that factors fit 16 bits.
  int excess[kTileChannels];
  [[unroll]] for (int c = 0; c < kTileChannels; ++c) {
    excess[c] = select(kAsymmetricWeights, weights_excess[c] & 0xff, 128);
  }
  [[unroll]] for (int word = 0; word < 4; ++word) {
    [[unroll]] for (int lane = 0; lane < 4; ++lane) {
      FACTOR w_factor[kTileChannels];
      [[unroll]] for (int c = 0; c < kTileChannels; ++c) {
        w_factor[c] = FACTOR(unpack_unsigned(w[c][word], lane) - excess[c]);
      }
      [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
        FACTOR x_factor = FACTOR(unpack_unsigned(x[p][word] ^ kToUnsigned, lane));
        [[unroll]] for (int c = 0; c < kTileChannels; ++c) {
#ifdef FLOAT32
          sums.partial[kTileChannels * p + c] += x_factor * w_factor[c];
#else
          sums.accumulators[kTileChannels * p + c] += x_factor * w_factor[c];
#endif
        }
      }
    }
  }
#ifdef FLOAT32
  sums.pending_terms += 16u;
  if (sums.pending_terms == kExactTerms) {
    flush_partial_sums(sums);
  }
#endif
#endif
}

// The bytes of a 16-byte unit that hold channels, of which `channels` are left. Padding bytes meet
// weights that count as zero, but must not enter the sum of x.
uvec4 mask_channels(uvec4 x, int channels) {
#ifdef PACKED_PRODUCTS
  if (kAsymmetricWeights) {
    x &= uvec4(byte_mask(channels), byte_mask(channels - 4), byte_mask(channels - 8),
               byte_mask(channels - 12));
  }
#endif
  return x;
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
  uint tile = divide(index, channel_blocks, channel_blocks_multiplier);
  uint block = index - tile * channel_blocks;
  uint first_position = tile * uint(kTilePositions);
  if (first_position >= positions) {
    return;
  }
  uint group = divide(block, blocks_per_group, blocks_per_group_multiplier);
  uint step_weights = blocks_per_group * uint(kTileChannels);
  uint weights_index =
      group * steps * step_weights + (block - group * blocks_per_group) * uint(kTileChannels);
  uint first_channel = block * uint(kTileChannels);
  int weights_excess[kTileChannels];
  [[unroll]] for (int c = 0; c < kTileChannels; ++c) {
    weights_excess[c] = int(load_parameters(first_channel + uint(c)).w);
  }
  TileSums sums = no_sums();

  // Positions past the end repeat the last one; their results are not stored.
#ifdef POINTWISE
  uint row[kTilePositions];
  [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
    row[p] = min(first_position + uint(p), positions - 1u) * input_stride;
  }
  for (uint s = 0u; s < steps; ++s) {
    uvec4 x[kTilePositions];
    [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
      x[p] = mask_channels(load_input(row[p] + s), int(group_channels) - int(16u * s));
    }
    accumulate(sums, x, weights_index, weights_excess);
    weights_index += step_weights;
  }
#else
  [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
    uint position = min(first_position + uint(p), positions - 1u);
    int output_row = int(divide(position, uint(output_width), output_width_multiplier));
    int image = int(divide(uint(output_row), uint(output_height), output_height_multiplier));
    first_y[p] = (output_row - image * output_height) * stride_height - padding_top;
    first_x[p] = (int(position) - output_row * output_width) * stride_width - padding_left;
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
#ifdef PACKED_PRODUCTS
      // The last step's words behind the last tap meet weights that count as zero.
      uint mask =
          select(tap_y < kernel_height, byte_mask(int(group_channels) - int(4u * unit)), 0u);
#endif
      [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
        uint pixel;
        bool inside = tap_is_inside(p, tap_y, tap_x, pixel);
        uint value = load_input(pixel * input_stride + group_offset + unit);
        x[p][word] = select(inside, value, input_zero_point_word);
#ifdef PACKED_PRODUCTS
        if (kAsymmetricWeights) {
          x[p][word] &= mask;
        }
#endif
      }
      ++unit;
      bool next_tap = unit == group_units;
      unit = select(next_tap, 0u, unit);
      tap_x += int(next_tap);
      bool next_row = tap_x == kernel_width;
      tap_x = select(next_row, 0, tap_x);
      tap_y += int(next_row);
    }
    accumulate(sums, x, weights_index, weights_excess);
    weights_index += step_weights;
  }
#else
#ifdef TEXEL_BUFFERS
  // One loop over all steps: compilers for processors copy every accumulator, one masked store each,
  // where a loop begins and where it ends, which for each tap took as long as a step does.
  uint first_unit[kTilePositions];
  [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
    first_unit[p] = uint(first_pixel[p] + first_y[p] * input_width + first_x[p]) * input_stride +
                    group_offset;
  }
  int tap_y = 0;  // in rows of the input
  int tap_x = 0;
  uint unit = 0u;
  for (uint s = 0u; s < steps; ++s) {
    uint tap_unit = uint(tap_y * input_width + tap_x) * input_stride + unit;
    uvec4 x[kTilePositions];
    [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
      bool inside = all(lessThan(uvec2(first_y[p] + tap_y, first_x[p] + tap_x),
                                 uvec2(input_height, input_width)));
      uvec4 value = load_input(select(inside, first_unit[p] + tap_unit, 0u));
      value = mix(uvec4(input_zero_point_word), value, bvec4(inside));
      x[p] = mask_channels(value, int(group_channels) - int(16u * unit));
    }
    accumulate(sums, x, weights_index, weights_excess);
    weights_index += step_weights;
    ++unit;
    bool next_tap = unit == group_units;
    unit = select(next_tap, 0u, unit);
    tap_x += select(next_tap, dilation_width, 0);
    bool next_row = tap_x == kernel_width * dilation_width;
    tap_x = select(next_row, 0, tap_x);
    tap_y += select(next_row, dilation_height, 0);
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
        uvec4 x[kTilePositions];
        [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
          uvec4 value = load_input(first_unit[p] + unit);
          value = mix(uvec4(input_zero_point_word), value, bvec4(inside[p]));
          x[p] = mask_channels(value, int(group_channels) - int(16u * unit));
        }
        accumulate(sums, x, weights_index, weights_excess);
        weights_index += step_weights;
      }
    }
  }
#endif
#endif
#endif

#ifdef FLOAT32
  flush_partial_sums(sums);
#endif
  uvec4 parameters[kTileChannels];
  ChannelEnd ends[kTileChannels];
  [[unroll]] for (int c = 0; c < kTileChannels; ++c) {
    parameters[c] = load_parameters(first_channel + uint(c));
    ends[c] = channel_end(int(parameters[c].y), int(parameters[c].z), kEnd);
  }
  Epilogue epilogue = load_epilogue(channel_blocks * uint(kTileChannels));
  [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
    int totals[kTileChannels];
    [[unroll]] for (int c = 0; c < kTileChannels; ++c) {
      totals[c] = sums.accumulators[kTileChannels * p + c] + int(parameters[c].x);
#ifdef PACKED_PRODUCTS
      if (kAsymmetricWeights) {
        totals[c] -= int(parameters[c].w) * sums.inputs[p];
      }
#endif
    }
    uint position = first_position + uint(p);
    uint first_word = min(position, positions - 1u) * output_stride + block * uint(kTileWords);
    if (kEnd == kStoreAccumulators) {
      if (position < positions) {
        [[unroll]] for (int word = 0; word < kTileWords; ++word) {
          output_accumulators[first_word + uint(word)] = uvec4(
              totals[4 * word], totals[4 * word + 1], totals[4 * word + 2], totals[4 * word + 3]);
        }
      }
    } else {
      TILE_WORDS words = TILE_WORDS(0u);
      [[unroll]] for (int c = 0; c < kTileChannels; ++c) {
        int value = requantize(totals[c], ends[c], kEnd, output_zero_point, activation_min,
                               activation_max);
#if TILE_CHANNELS == 4
        words |= pack(value, c);
#else
        words[c / 4] |= pack(value, c % 4);
#endif
      }
#if TILE_CHANNELS == 4
      words = apply_epilogue(words, first_word, epilogue);
#else
      [[unroll]] for (int word = 0; word < kTileWords; ++word) {
        words[word] = apply_epilogue(words[word], first_word + uint(word), epilogue);
      }
#endif
      if (position < positions) {
        output_tiles[first_word / uint(kTileWords)] = words;
      }
    }
  }
}
