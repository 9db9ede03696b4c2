// CONV_2D and FULLY_CONNECTED as an implicit matrix product whose operands go through shared memory,
// for GPUs: a workgroup computes kWorkgroupPositions output positions x kWorkgroupChannels output
// channels, and loads every byte of input and weights once for all of them. Each of its 64
// invocations owns kTilePositions positions x kTileChannels channels of that:
//   accumulator = folded_bias + sum x * w - weights_zero_point * sum x
// over all taps, where a tap outside the image reads x = input_zero_point.
//
// The depth of the product is units of 16 bytes: 16 channels of one tap (the last ones of a tap
// partly used, where bytes behind the channels meet weights that count as zero). A round stages
// kRoundUnits of them. Products are summed as dot_product.glsl tells.
//
// With kEnd = kStoreAccumulators each output word becomes four, one for each channel.
//
// Weights: uvec4 [group][unit][block of kTileChannels output channels][channel in block], units
// padded to whole rounds and blocks to whole workgroups. Channel parameters: uvec4 (folded_bias,
// multiplier, shift, weights_zero_point), padded alike; bias and domain are those of the form. Behind
// the last one comes the epilogue.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#if defined(INT_DOT) || defined(INT_DOT_SATURATING)
#extension GL_EXT_spirv_intrinsics : require
#endif

#include "convolution_operands.glsl"
#include "division.glsl"
#include "dot_product.glsl"
#include "epilogue.glsl"
#include "packing.glsl"
#include "requantization.glsl"

layout(local_size_x = 64, local_size_y = 1, local_size_z = 1) in;

// A rounding, one + kNarrow, or kStoreAccumulators. Constant 0 is the local size elsewhere.
layout(constant_id = 1) const uint kEnd = 0;
layout(constant_id = 5) const bool kAsymmetricWeights = false;

const int kTilePositions = 4;
const int kTileChannels = 8;
const int kTileWords = kTileChannels / 4;
const int kPositionThreads = 8;  // the workgroup as a grid
const int kChannelThreads = 8;
const int kWorkgroupPositions = kTilePositions * kPositionThreads;  // 32
const int kWorkgroupChannels = kTileChannels * kChannelThreads;     // 64
const int kRoundUnits = 2;

layout(std430, binding = 4) writeonly buffer Output { uvec2 output_tiles[]; };
layout(std430, binding = 4) writeonly buffer OutputAccumulators { uvec4 output_accumulators[]; };

layout(push_constant) uniform Shape {
  uint positions;           // batch * output_height * output_width
  uint channel_workgroups;  // of kWorkgroupChannels output channels, in one group
  uint group_tiles;         // of kTileChannels output channels that are real, in one group
  uint input_stride;        // units from one pixel to the next
  uint output_stride;       // words of four channels from one output pixel to the next
  uint group_units;         // units of one group in one pixel, the last one partly used
  uint group_channels;      // input channels of a group
  uint rounds;
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
  uint groups;
  // For divide().
  uint channel_workgroups_multiplier;
  uint groups_multiplier;
  uint output_width_multiplier;
  uint output_height_multiplier;
  uint group_units_multiplier;
  uint kernel_width_multiplier;
};

shared uvec4 staged_inputs[kRoundUnits][kWorkgroupPositions];
shared uvec4 staged_weights[kRoundUnits][kWorkgroupChannels];

// The pixel that a staging invocation loads from.
struct Window {
  int first_y;
  int first_x;
  int first_pixel;
};

Window window_of(uint position) {
  int output_row = int(divide(position, uint(output_width), output_width_multiplier));
  int image = int(divide(uint(output_row), uint(output_height), output_height_multiplier));
  return Window((output_row - image * output_height) * stride_height - padding_top,
                (int(position) - output_row * output_width) * stride_width - padding_left,
                image * input_height * input_width);
}

// A unit of the product's depth, for one position. Past the last tap it meets weights that count as
// zero; where the sum of inputs counts, bytes that are no channels are 0.
uvec4 load_depth_unit(Window window, uint depth_unit, uint group) {
  uint tap = divide(depth_unit, group_units, group_units_multiplier);
  uint unit = depth_unit - tap * group_units;
  uint tap_y = divide(tap, uint(kernel_width), kernel_width_multiplier);
  uint tap_x = tap - tap_y * uint(kernel_width);
  int y = window.first_y + int(tap_y) * dilation_height;
  int x = window.first_x + int(tap_x) * dilation_width;
  bool inside = all(lessThan(uvec2(y, x), uvec2(input_height, input_width)));
  uint pixel = select(inside, uint(window.first_pixel + y * input_width + x), 0u);
  uvec4 value = load_input(pixel * input_stride + group * group_units + unit);
  value = mix(uvec4(input_zero_point_word), value, bvec4(inside));
#ifdef PACKED_PRODUCTS
  if (kAsymmetricWeights) {
    int channels = int(group_channels) - int(16u * unit);
    channels = select(tap_y < uint(kernel_height), channels, 0);
    value &= uvec4(byte_mask(channels), byte_mask(channels - 4), byte_mask(channels - 8),
                   byte_mask(channels - 12));
  }
#endif
  return value;
}

void main() {
  uint workgroup = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
  uint thread = gl_LocalInvocationID.x;
  uint rest = divide(workgroup, channel_workgroups, channel_workgroups_multiplier);
  uint channel_workgroup = workgroup - rest * channel_workgroups;
  uint position_workgroup = divide(rest, groups, groups_multiplier);
  uint group = rest - position_workgroup * groups;
  uint first_position = position_workgroup * uint(kWorkgroupPositions);
  // The same for the whole workgroup, so that all its invocations meet at the barriers.
  if (first_position >= positions) {
    return;
  }

  // What this invocation stages: one unit of inputs and two of weights a round.
  uint staged_position = thread % uint(kWorkgroupPositions);
  uint staged_unit = thread / uint(kWorkgroupPositions);
  Window window = window_of(min(first_position + staged_position, positions - 1u));
  uint unit_weights = channel_workgroups * uint(kWorkgroupChannels);
  uint weights_index = group * rounds * uint(kRoundUnits) * unit_weights +
                       channel_workgroup * uint(kWorkgroupChannels) + thread;

  // What it computes.
  uint position_thread = thread / uint(kChannelThreads);
  uint channel_thread = thread % uint(kChannelThreads);
  uint tile = channel_workgroup * uint(kChannelThreads) + channel_thread;
  uint first_parameter =
      group * unit_weights + tile * uint(kTileChannels);
  uvec4 parameters[kTileChannels];
  int weights_excess[kTileChannels];
  [[unroll]] for (int c = 0; c < kTileChannels; ++c) {
    parameters[c] = load_parameters(first_parameter + uint(c));
    weights_excess[c] = select(kAsymmetricWeights, int(parameters[c].w & 0xffu), 128);
  }
  int accumulators[kTilePositions * kTileChannels];
  [[unroll]] for (int i = 0; i < kTilePositions * kTileChannels; ++i) {
    accumulators[i] = 0;
  }
#ifdef PACKED_PRODUCTS
  int input_sums[kTilePositions];
  [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
    input_sums[p] = 0;
  }
#endif

  for (uint r = 0u; r < rounds; ++r) {
    uvec4 staged_input = load_depth_unit(window, r * uint(kRoundUnits) + staged_unit, group);
    barrier();
    staged_inputs[staged_unit][staged_position] = staged_input;
    [[unroll]] for (int u = 0; u < kRoundUnits; ++u) {
      staged_weights[u][thread] = load_weights(weights_index);
      weights_index += unit_weights;
    }
    barrier();
    [[unroll]] for (int u = 0; u < kRoundUnits; ++u) {
      uvec4 x[kTilePositions];
      [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
        x[p] = staged_inputs[u][int(position_thread) * kTilePositions + p];
      }
      [[unroll]] for (int c = 0; c < kTileChannels; ++c) {
        uvec4 w = staged_weights[u][int(channel_thread) * kTileChannels + c];
#ifdef PACKED_PRODUCTS
        [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
          int i = kTileChannels * p + c;
          accumulators[i] = add_dot_16x8(x[p], w, accumulators[i]);
        }
#else
        [[unroll]] for (int word = 0; word < 4; ++word) {
          [[unroll]] for (int lane = 0; lane < 4; ++lane) {
            int factor = unpack_unsigned(w[word], lane) - weights_excess[c];
            [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
              accumulators[kTileChannels * p + c] +=
                  unpack_unsigned(x[p][word] ^ kToUnsigned, lane) * factor;
            }
          }
        }
#endif
      }
#ifdef PACKED_PRODUCTS
      if (kAsymmetricWeights) {
        [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
          input_sums[p] = add_dot_16x8(x[p], uvec4(0x01010101u), input_sums[p]);
        }
      }
#endif
    }
  }

  if (tile >= group_tiles) {
    return;
  }
  ChannelEnd ends[kTileChannels];
  [[unroll]] for (int c = 0; c < kTileChannels; ++c) {
    ends[c] = channel_end(int(parameters[c].y), int(parameters[c].z), kEnd);
  }
  Epilogue epilogue = load_epilogue(groups * unit_weights);
  uint output_tile = group * group_tiles + tile;
  [[unroll]] for (int p = 0; p < kTilePositions; ++p) {
    int totals[kTileChannels];
    [[unroll]] for (int c = 0; c < kTileChannels; ++c) {
      totals[c] = accumulators[kTileChannels * p + c] + int(parameters[c].x);
#ifdef PACKED_PRODUCTS
      if (kAsymmetricWeights) {
        totals[c] -= int(parameters[c].w) * input_sums[p];
      }
#endif
    }
    uint position = first_position + position_thread * uint(kTilePositions) + uint(p);
    uint first_word = position * output_stride + output_tile * uint(kTileWords);
    if (position < positions) {
      if (kEnd == kStoreAccumulators) {
        [[unroll]] for (int word = 0; word < kTileWords; ++word) {
          output_accumulators[first_word + uint(word)] = uvec4(
              totals[4 * word], totals[4 * word + 1], totals[4 * word + 2], totals[4 * word + 3]);
        }
      } else {
        uvec2 words = uvec2(0u);
        [[unroll]] for (int c = 0; c < kTileChannels; ++c) {
          int value = requantize(totals[c], ends[c], kEnd, output_zero_point, activation_min,
                                 activation_max);
          words[c / 4] |= pack(value, c % 4);
        }
        [[unroll]] for (int word = 0; word < kTileWords; ++word) {
          words[word] = apply_epilogue(words[word], first_word + uint(word), epilogue);
        }
        output_tiles[first_word / uint(kTileWords)] = words;
      }
    }
  }
}
