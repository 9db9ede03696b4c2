// FULLY_CONNECTED (or a 1x1 convolution) of a single row: a matrix times a vector, which reads every
// weight once. What counts is to have many loads under way, so a workgroup of 64 invocations splits
// the depth 16 ways for 4 blocks of 4 output channels, and adds the parts up through shared memory:
//   accumulator = folded_bias + sum x * w - weights_zero_point * sum x
// A step is 16 input bytes; products are summed as dot_product.glsl tells, and integer sums are the
// same in any order.
//
// With kEnd = kStoreAccumulators each output word becomes four, one for each channel.
//
// Weights: uvec4 [step][block of 4 output channels][channel in block], bytes behind the channels
// counting as zero. Channel parameters: uvec4 (folded_bias, multiplier, shift, weights_zero_point);
// bias and domain are those of the form. Behind the last block's comes the epilogue.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#if defined(INT_DOT)
#extension GL_EXT_spirv_intrinsics : require
#endif

#include "convolution_operands.glsl"
#include "dot_product.glsl"
#include "epilogue.glsl"
#include "packing.glsl"
#include "requantization.glsl"

layout(local_size_x = 64, local_size_y = 1, local_size_z = 1) in;

// A rounding, one + kNarrow, or kStoreAccumulators. Constant 0 is the local size elsewhere.
layout(constant_id = 1) const uint kEnd = 0;
layout(constant_id = 5) const bool kAsymmetricWeights = false;

const uint kWorkgroupBlocks = 4u;
const uint kSlices = 16u;

layout(std430, binding = 4) writeonly buffer Output { uint output_words[]; };
layout(std430, binding = 4) writeonly buffer OutputAccumulators { uvec4 output_accumulators[]; };

layout(push_constant) uniform Shape {
  uint channel_blocks;  // of 4 output channels
  uint input_channels;
  uint steps;  // of 16 bytes
  int output_zero_point;
  int activation_min;
  int activation_max;
};

shared ivec4 partial_sums[kSlices][kWorkgroupBlocks];
#ifdef PACKED_PRODUCTS
shared int partial_input_sums[kSlices];
#endif

void main() {
  uint workgroup = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
  uint slice = gl_LocalInvocationID.x / kWorkgroupBlocks;
  uint workgroup_block = gl_LocalInvocationID.x % kWorkgroupBlocks;
  // Blocks past the end repeat the last one, so that all invocations meet at the barrier; their
  // results are not stored.
  uint block = workgroup * kWorkgroupBlocks + workgroup_block;
  uint loaded_block = min(block, channel_blocks - 1u);

  uvec4 parameters[4];
  int weights_excess[4];
  [[unroll]] for (int c = 0; c < 4; ++c) {
    parameters[c] = load_parameters(loaded_block * 4u + uint(c));
    weights_excess[c] = select(kAsymmetricWeights, int(parameters[c].w & 0xffu), 128);
  }
  int accumulators[4];
  [[unroll]] for (int c = 0; c < 4; ++c) {
    accumulators[c] = 0;
  }
#ifdef PACKED_PRODUCTS
  int input_sum = 0;
#endif
  for (uint s = slice; s < steps; s += kSlices) {
    uvec4 x = load_input(s);
    uint weights_index = (s * channel_blocks + loaded_block) * 4u;
#ifdef PACKED_PRODUCTS
    if (kAsymmetricWeights) {
      int channels = int(input_channels) - int(16u * s);
      x &= uvec4(byte_mask(channels), byte_mask(channels - 4), byte_mask(channels - 8),
                 byte_mask(channels - 12));
      input_sum = add_dot_16x8(x, uvec4(0x01010101u), input_sum);
    }
#endif
    [[unroll]] for (int c = 0; c < 4; ++c) {
      uvec4 w = load_weights(weights_index + uint(c));
#ifdef PACKED_PRODUCTS
      accumulators[c] = add_dot_16x8(x, w, accumulators[c]);
#else
      [[unroll]] for (int word = 0; word < 4; ++word) {
        [[unroll]] for (int lane = 0; lane < 4; ++lane) {
          accumulators[c] += unpack_unsigned(x[word] ^ kToUnsigned, lane) *
                             (unpack_unsigned(w[word], lane) - weights_excess[c]);
        }
      }
#endif
    }
  }
  partial_sums[slice][workgroup_block] =
      ivec4(accumulators[0], accumulators[1], accumulators[2], accumulators[3]);
#ifdef PACKED_PRODUCTS
  // Every block has the same.
  if (workgroup_block == 0u) {
    partial_input_sums[slice] = input_sum;
  }
#endif
  barrier();
  if (slice != 0u || block >= channel_blocks) {
    return;
  }

  ivec4 totals = ivec4(0);
  for (uint s = 0u; s < kSlices; ++s) {
    totals += partial_sums[s][workgroup_block];
  }
#ifdef PACKED_PRODUCTS
  int total_input_sum = 0;
  for (uint s = 0u; s < kSlices; ++s) {
    total_input_sum += partial_input_sums[s];
  }
#endif
  [[unroll]] for (int c = 0; c < 4; ++c) {
    totals[c] += int(parameters[c].x);
#ifdef PACKED_PRODUCTS
    if (kAsymmetricWeights) {
      totals[c] -= int(parameters[c].w) * total_input_sum;
    }
#endif
  }
  if (kEnd == kStoreAccumulators) {
    output_accumulators[block] = uvec4(totals);
  } else {
    uint word = 0u;
    [[unroll]] for (int c = 0; c < 4; ++c) {
      ChannelEnd end = channel_end(int(parameters[c].y), int(parameters[c].z), kEnd);
      word |= pack(requantize(totals[c], end, kEnd, output_zero_point, activation_min,
                              activation_max),
                   c);
    }
    output_words[block] = apply_epilogue(word, block, load_epilogue(channel_blocks * 4u));
  }
}
