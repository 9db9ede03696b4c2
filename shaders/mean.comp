// MEAN: sum over the middle of [outer][reduced][inner], then
//   output = -128 + number of thresholds t with sum >= t,   thresholds ascending.
// Each invocation computes one output word.
//   ROWS       inner is the channel dimension: whole words are summed.
//   (neither)  any elements, byte by byte.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "invocation.glsl"
#include "packing.glsl"

layout(std430, binding = 0) readonly buffer Input { uint input_words[]; };
layout(std430, binding = 1) readonly buffer Thresholds { uint thresholds[255]; };
layout(std430, binding = 2) writeonly buffer Output { uint output_words[]; };

layout(push_constant) uniform Shape {
  uint words;              // invocations: output rows * output_row_words
  uint output_channels;
  uint output_row_words;   // that hold channels
  uint output_stride;      // words from one row to the next
  uint input_channels;
  uint input_stride;       // bytes from one row to the next
  uint reduced;
  uint inner;
};

// Binary search: `count` thresholds are known to be reached.
int mean_of_sum(int sum) {
  uint count = 0u;
  for (uint step = 128u; step > 0u; step >>= 1) {
    if (sum >= int(thresholds[count + step - 1u])) {
      count += step;
    }
  }
  return int(count) - 128;
}

void main() {
  uint index = invocation_index();
  if (index >= words) {
    return;
  }
  uint row = index / output_row_words;
  uint row_word = index - row * output_row_words;
  ivec4 sums = ivec4(0);
#ifdef ROWS
  uint input_index = row * reduced * (input_stride / 4u) + row_word;
  for (uint r = 0u; r < reduced; ++r) {
    uint word = input_words[input_index];
    sums += ivec4(unpack(word, 0), unpack(word, 1), unpack(word, 2), unpack(word, 3));
    input_index += input_stride / 4u;
  }
#else
  for (int lane = 0; lane < 4; ++lane) {
    uint channel = min(row_word * 4u + uint(lane), output_channels - 1u);
    uint element = row * output_channels + channel;
    uint outer_index = element / inner;
    uint input_element = outer_index * reduced * inner + (element - outer_index * inner);
    for (uint r = 0u; r < reduced; ++r) {
      uint input_row = input_element / input_channels;
      uint input_byte =
          input_row * input_stride + (input_element - input_row * input_channels);
      sums[lane] += unpack(input_words[input_byte / 4u], int(input_byte & 3u));
      input_element += inner;
    }
  }
#endif
  uint word = 0u;
  for (int lane = 0; lane < 4; ++lane) {
    word |= pack(mean_of_sum(sums[lane]), lane);
  }
  output_words[row * output_stride + row_word] = word;
}
