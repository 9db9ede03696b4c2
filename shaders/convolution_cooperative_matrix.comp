// CONV_2D and FULLY_CONNECTED of one group as an implicit matrix product on cooperative matrices
// (VK_KHR_cooperative_matrix): rows are output positions (pixels), columns are output channels, and
// the depth runs over the taps and their input channels.
//   accumulator = folded_bias + sum x * w - weights_zero_point * sum x
// where a tap outside the image reads x = input_zero_point.
//
// Exactness: int8 x int8 products are accumulated in int32 by coopMatMulAdd without the
// SaturatingAccumulation operand. Integer addition modulo 2^32 is associative, so the order in which
// a device adds does not matter: every shape on every device computes the sum of the formula above,
// modulo 2^32, as the other kernels do.
//
// A workgroup computes a tile of kTileRows positions x kTileColumns channels. Its subgroups stand in
// a grid of kSubgroupRows x kSubgroupColumns, and each owns kRowMatrices x kColumnMatrices
// accumulator matrices. The depth advances in steps of kStepUnits units of 16 bytes: the workgroup
// copies the step's rows of the input and columns of the weights to shared memory, from where the
// subgroups load their matrices. The next step's units travel to registers meanwhile; with two
// buffers one barrier a step is enough.
//
// The units of the input:
//   POINTWISE  1x1 without stride or padding: unit u is channels 16 u .. 16 u + 15 of the position.
//   (neither)  16 channels of one tap; the taps of a window one after the other.
//   WORDS      four taps of an image of up to four channels, a word each.
//
// With kEnd = kStoreAccumulators each output word becomes four, one for each channel.
//
// Weights: uvec4 [step][output channel][unit of the step], the channels up to whole tiles, zeros
// behind the channels and behind the last unit. Channel parameters: uvec4 (folded_bias, multiplier,
// shift, weights_zero_point), up to whole tiles. Behind them comes the epilogue.
//
// Whoever changes this file or what it includes: scripts/precompile_shaders.sh.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_cooperative_matrix : require

#ifdef WORDS
#define INPUT_WORDS
#endif
#include "convolution_operands.glsl"
#include "epilogue.glsl"
#include "packing.glsl"
#include "requantization.glsl"

layout(local_size_x_id = 0, local_size_y = 1, local_size_z = 1) in;

layout(constant_id = 1) const uint kEnd = 0;
layout(constant_id = 5) const bool kAsymmetricWeights = false;
// Of one matrix; the device must offer this shape. The depth is 8 or a multiple of 16.
layout(constant_id = 6) const uint kMatrixRows = 16;
layout(constant_id = 7) const uint kMatrixColumns = 16;
layout(constant_id = 8) const uint kMatrixDepth = 16;
layout(constant_id = 9) const uint kSubgroupSize = 32;
layout(constant_id = 10) const uint kSubgroupRows = 1;
layout(constant_id = 11) const uint kSubgroupColumns = 1;
layout(constant_id = 12) const uint kRowMatrices = 1;
layout(constant_id = 13) const uint kColumnMatrices = 1;
layout(constant_id = 14) const uint kStepUnits = 1;
layout(constant_id = 15) const uint kBuffers = 1;

const uint kInvocations = kSubgroupSize * kSubgroupRows * kSubgroupColumns;
const uint kTileRows = kSubgroupRows * kRowMatrices * kMatrixRows;
const uint kTileColumns = kSubgroupColumns * kColumnMatrices * kMatrixColumns;

// Shared memory is counted in slots of 16 bytes, at which every matrix must begin. A unit takes one;
// where a matrix is only 8 bytes deep it takes two half-filled ones. The slot behind each row keeps
// neighbouring rows out of the same banks.
const uint kUnitSlots = kMatrixDepth == 8u ? 2u : 1u;
const uint kMatrixSlots = kMatrixDepth == 8u ? 1u : kMatrixDepth / 16u;
const uint kStepMatrices = kStepUnits * kUnitSlots / kMatrixSlots;
const uint kRowSlots = kStepUnits * kUnitSlots + 1u;
const uint kWeightsSlot = kTileRows * kRowSlots;
const uint kBufferSlots = (kTileRows + kTileColumns) * kRowSlots;

// The results pass through the same memory, one matrix of each row of subgroups at a time; the two
// slots of padding are again for the banks.
const uint kTileWords = kTileColumns / 4u;
const uint kResultRows = kSubgroupRows * kMatrixRows;
const uint kResultStride = kTileWords + 2u;
const uint kResultSlots = kResultRows * kResultStride;
const uint kSlots =
    kBuffers * kBufferSlots > kResultSlots ? kBuffers * kBufferSlots : kResultSlots;

// An invocation copies the same unit of every kPassRows-th row.
const uint kPassRows = kInvocations / kStepUnits;
const uint kInputCopies = kTileRows / kPassRows;
const uint kWeightCopies = kTileColumns / kPassRows;

shared uvec4 slots[kSlots];
// By row and unit; the sum of a row's is the sum of x.
shared int input_sums[kAsymmetricWeights ? kTileRows * kStepUnits : 1u];

layout(std430, binding = 4) writeonly buffer Output { uint output_words[]; };

layout(push_constant) uniform Shape {
  uint positions;              // batch * output_height * output_width
  uint channel_blocks;         // of 4 output channels
  uint row_tiles;              // along the positions
  uint column_tiles;           // along the channels
  uint band_rows;              // see main()
  uint input_stride;           // input units (WORDS: words) from one pixel to the next
  uint output_stride;          // words of four channels from one output pixel to the next
  uint tap_units;              // of one tap, the last one partly used
  uint input_channels;
  uint steps;
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

uvec4 input_units[kInputCopies];
uvec4 weight_units[kWeightCopies];
int copied_sums[kInputCopies];

int sum_of_bytes(uvec4 unit) {
  int sum = 0;
  [[unroll]] for (int word = 0; word < 4; ++word) {
    [[unroll]] for (int lane = 0; lane < 4; ++lane) {
      sum += unpack(unit[word], lane);
    }
  }
  return sum;
}

// The bytes of a 16-byte unit that hold channels, of which `channels` are left.
uvec4 channel_mask(int channels) {
  return uvec4(byte_mask(channels), byte_mask(channels - 4), byte_mask(channels - 8),
               byte_mask(channels - 12));
}

// Which unit this invocation copies in the current step, and where its rows lie. Behind the last
// unit the weights are zero, so whatever is read there does not matter.
#ifdef POINTWISE
uint unit;
uint first_unit[kInputCopies];

void begin_input(uint first_row, uint column) {
  unit = column;
  [[unroll]] for (uint i = 0u; i < kInputCopies; ++i) {
    first_unit[i] = min(first_row + i * kPassRows, positions - 1u) * input_stride;
  }
}

void fetch_input() {
  uint place = min(unit, tap_units - 1u);
  [[unroll]] for (uint i = 0u; i < kInputCopies; ++i) {
    input_units[i] = load_input(first_unit[i] + place);
  }
  if (kAsymmetricWeights) {
    uvec4 mask = channel_mask(int(input_channels) - int(16u * unit));
    [[unroll]] for (uint i = 0u; i < kInputCopies; ++i) {
      copied_sums[i] += sum_of_bytes(input_units[i] & mask);
    }
  }
  unit += kStepUnits;
}
#else
// Of each row: the input row and column under the first tap, and the image's first pixel.
int first_y[kInputCopies];
int first_x[kInputCopies];
int first_pixel[kInputCopies];

void locate_rows(uint first_row) {
  [[unroll]] for (uint i = 0u; i < kInputCopies; ++i) {
    int position = int(min(first_row + i * kPassRows, positions - 1u));
    int output_row = position / output_width;
    int image = output_row / output_height;
    first_y[i] = (output_row - image * output_height) * stride_height - padding_top;
    first_x[i] = (position - output_row * output_width) * stride_width - padding_left;
    first_pixel[i] = image * input_height * input_width;
  }
}

bool tap_is_inside(uint i, int tap_y, int tap_x, out uint pixel) {
  int y = first_y[i] + tap_y * dilation_height;
  int x = first_x[i] + tap_x * dilation_width;
  bool inside = all(lessThan(uvec2(y, x), uvec2(input_height, input_width)));
  pixel = select(inside, uint(first_pixel[i] + y * input_width + x), 0u);
  return inside;
}

#ifdef WORDS
int tap;

void begin_input(uint first_row, uint column) {
  tap = int(4u * column);
  locate_rows(first_row);
}

void fetch_input() {
  [[unroll]] for (int word = 0; word < 4; ++word) {
    int tap_y = (tap + word) / kernel_width;
    int tap_x = tap + word - tap_y * kernel_width;
    uint mask = select(tap_y < kernel_height, byte_mask(int(input_channels)), 0u);
    [[unroll]] for (uint i = 0u; i < kInputCopies; ++i) {
      uint pixel;
      bool inside = tap_is_inside(i, tap_y, tap_x, pixel);
      uint value = load_input(pixel * input_stride);
      input_units[i][word] = select(inside, value, input_zero_point_word);
      if (kAsymmetricWeights) {
        uint masked = input_units[i][word] & mask;
        copied_sums[i] +=
            unpack(masked, 0) + unpack(masked, 1) + unpack(masked, 2) + unpack(masked, 3);
      }
    }
  }
  tap += int(4u * kStepUnits);
}
#else
int tap_y;
int tap_x;
uint unit;  // of the tap

void reach_tap() {
  while (unit >= tap_units) {
    unit -= tap_units;
    ++tap_x;
    bool next_row = tap_x == kernel_width;
    tap_x = select(next_row, 0, tap_x);
    tap_y += int(next_row);
  }
}

void begin_input(uint first_row, uint column) {
  tap_y = 0;
  tap_x = 0;
  unit = column;
  reach_tap();
  locate_rows(first_row);
}

void fetch_input() {
  [[unroll]] for (uint i = 0u; i < kInputCopies; ++i) {
    uint pixel;
    bool inside = tap_is_inside(i, tap_y, tap_x, pixel);
    uvec4 value = load_input(pixel * input_stride + unit);
    input_units[i] = mix(uvec4(input_zero_point_word), value, bvec4(inside));
  }
  if (kAsymmetricWeights) {
    int channels = select(tap_y < kernel_height, int(input_channels) - int(16u * unit), 0);
    uvec4 mask = channel_mask(channels);
    [[unroll]] for (uint i = 0u; i < kInputCopies; ++i) {
      copied_sums[i] += sum_of_bytes(input_units[i] & mask);
    }
  }
  unit += kStepUnits;
  reach_tap();
}
#endif
#endif

void store_unit(uint row_slot, uint column, uvec4 value) {
  if (kMatrixDepth == 8u) {
    slots[row_slot + 2u * column] = uvec4(value.xy, 0u, 0u);
    slots[row_slot + 2u * column + 1u] = uvec4(value.zw, 0u, 0u);
  } else {
    slots[row_slot + column] = value;
  }
}

void main() {
  // Tiles are numbered in bands of band_rows rows, down the columns of a band: workgroups that run
  // at the same time then share rows of the input and columns of the weights, which stay in caches.
  uint tile = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
  if (tile >= row_tiles * column_tiles) {
    return;
  }
  uint band = tile / (band_rows * column_tiles);
  uint tile_in_band = tile - band * band_rows * column_tiles;
  uint rows_in_band = min(band_rows, row_tiles - band * band_rows);
  uint tile_column = tile_in_band / rows_in_band;
  uint tile_row = band * band_rows + tile_in_band - tile_column * rows_in_band;

  uint invocation = gl_LocalInvocationID.x;
  uint copied_row = invocation / kStepUnits;
  uint copied_unit = invocation - copied_row * kStepUnits;
  // The tile's weights of a step are contiguous, in the order of the invocations.
  uint step_weights = column_tiles * kTileColumns * kStepUnits;
  uint weights_index = tile_column * kTileColumns * kStepUnits + invocation;

  uint subgroup_row = gl_SubgroupID / kSubgroupColumns;
  uint subgroup_column = gl_SubgroupID - subgroup_row * kSubgroupColumns;

  coopmat<int, gl_ScopeSubgroup, kMatrixRows, kMatrixColumns, gl_MatrixUseAccumulator>
      accumulators[kRowMatrices * kColumnMatrices];
  [[unroll]] for (uint i = 0u; i < kRowMatrices * kColumnMatrices; ++i) {
    accumulators[i] =
        coopmat<int, gl_ScopeSubgroup, kMatrixRows, kMatrixColumns, gl_MatrixUseAccumulator>(0);
  }
  [[unroll]] for (uint i = 0u; i < kInputCopies; ++i) {
    copied_sums[i] = 0;
  }

  begin_input(tile_row * kTileRows + copied_row, copied_unit);
  uint buffer_slot = 0u;
  for (uint s = 0u; s <= steps; ++s) {
    // Fetch step s, multiply step s - 1, store step s.
    if (s < steps) {
      fetch_input();
      [[unroll]] for (uint i = 0u; i < kWeightCopies; ++i) {
        weight_units[i] = load_weights(weights_index + i * kInvocations);
      }
      weights_index += step_weights;
    }
    if (s > 0u) {
      uint row_slot = buffer_slot + subgroup_row * kRowMatrices * kMatrixRows * kRowSlots;
      uint column_slot = buffer_slot + kWeightsSlot +
                         subgroup_column * kColumnMatrices * kMatrixColumns * kRowSlots;
      for (uint depth = 0u; depth < kStepMatrices; ++depth) {
        coopmat<int8_t, gl_ScopeSubgroup, kMatrixDepth, kMatrixColumns, gl_MatrixUseB>
            columns[kColumnMatrices];
        [[unroll]] for (uint j = 0u; j < kColumnMatrices; ++j) {
          coopMatLoad(columns[j], slots,
                      column_slot + j * kMatrixColumns * kRowSlots + depth * kMatrixSlots,
                      kRowSlots, gl_CooperativeMatrixLayoutColumnMajor);
        }
        [[unroll]] for (uint i = 0u; i < kRowMatrices; ++i) {
          coopmat<int8_t, gl_ScopeSubgroup, kMatrixRows, kMatrixDepth, gl_MatrixUseA> rows;
          coopMatLoad(rows, slots, row_slot + i * kMatrixRows * kRowSlots + depth * kMatrixSlots,
                      kRowSlots, gl_CooperativeMatrixLayoutRowMajor);
          [[unroll]] for (uint j = 0u; j < kColumnMatrices; ++j) {
            accumulators[i * kColumnMatrices + j] =
                coopMatMulAdd(rows, columns[j], accumulators[i * kColumnMatrices + j]);
          }
        }
      }
      if (kBuffers == 1u) {
        barrier();
      } else {
        buffer_slot = kBufferSlots - buffer_slot;
      }
    }
    if (s < steps) {
      [[unroll]] for (uint i = 0u; i < kInputCopies; ++i) {
        store_unit(buffer_slot + (copied_row + i * kPassRows) * kRowSlots, copied_unit,
                   input_units[i]);
      }
      [[unroll]] for (uint i = 0u; i < kWeightCopies; ++i) {
        store_unit(buffer_slot + kWeightsSlot + (copied_row + i * kPassRows) * kRowSlots,
                   copied_unit, weight_units[i]);
      }
    }
    barrier();
  }
  if (kAsymmetricWeights) {
    [[unroll]] for (uint i = 0u; i < kInputCopies; ++i) {
      input_sums[(copied_row + i * kPassRows) * kStepUnits + copied_unit] = copied_sums[i];
    }
  }

  // Each invocation ends the same block of four channels in several rows.
  uint word = invocation % kTileWords;
  uint block = tile_column * kTileWords + word;
  uvec4 parameters[4];
  ChannelEnd ends[4];
  [[unroll]] for (uint c = 0u; c < 4u; ++c) {
    parameters[c] = load_parameters(block * 4u + c);
    ends[c] = channel_end(int(parameters[c].y), int(parameters[c].z), kEnd);
  }
  Epilogue epilogue = load_epilogue(column_tiles * kTileColumns);
  uint result_slot = subgroup_row * kMatrixRows * kResultStride +
                     subgroup_column * kColumnMatrices * kMatrixColumns / 4u;
  for (uint i = 0u; i < kRowMatrices; ++i) {
    // Registers cannot be indexed: the loop over matrices is unrolled, and the end, which is long,
    // stands in the program once.
    [[unroll]] for (uint matrix = 0u; matrix < kRowMatrices; ++matrix) {
      if (matrix == i) {
        [[unroll]] for (uint j = 0u; j < kColumnMatrices; ++j) {
          coopMatStore(accumulators[matrix * kColumnMatrices + j], slots,
                       result_slot + j * kMatrixColumns / 4u, kResultStride,
                       gl_CooperativeMatrixLayoutRowMajor);
        }
      }
    }
    barrier();
    for (uint row = invocation / kTileWords; row < kResultRows; row += kInvocations / kTileWords) {
      uint row_of_subgroups = row / kMatrixRows;
      uint row_in_tile = row + (row_of_subgroups * (kRowMatrices - 1u) + i) * kMatrixRows;
      uint position = tile_row * kTileRows + row_in_tile;
      ivec4 sums = ivec4(slots[row * kResultStride + word]);
      int input_sum = 0;
      if (kAsymmetricWeights) {
        for (uint u = 0u; u < kStepUnits; ++u) {
          input_sum += input_sums[row_in_tile * kStepUnits + u];
        }
      }
      [[unroll]] for (int c = 0; c < 4; ++c) {
        sums[c] += int(parameters[c].x);
        if (kAsymmetricWeights) {
          sums[c] -= int(parameters[c].w) * input_sum;
        }
      }
      bool is_output = position < positions && block < channel_blocks;
      uint output_index = position * output_stride + block;
      if (kEnd == kStoreAccumulators) {
        if (is_output) {
          [[unroll]] for (int c = 0; c < 4; ++c) {
            output_words[4u * output_index + uint(c)] = uint(sums[c]);
          }
        }
      } else {
        uint result = 0u;
        [[unroll]] for (int c = 0; c < 4; ++c) {
          int value = requantize(sums[c], ends[c], kEnd, output_zero_point, activation_min,
                                 activation_max);
          result |= pack(value, c);
        }
        if (is_output) {
          output_words[output_index] = apply_epilogue(result, output_index, epilogue);
        }
      }
    }
    barrier();
  }
}
