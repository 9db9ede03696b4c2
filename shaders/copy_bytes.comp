// Moves single bytes: CONCATENATION at any channel, RESHAPE between any layouts. With TABLE each
// byte goes through output = table[input + 128]. The output comes in blocks of rows (one for each
// outer index), whose elements are numbered densely; those from first_element on come from the
// input, whose elements are numbered likewise. Each invocation writes one of the words that hold
// any of them, keeping (with `merge`) the bytes that do not come from this input.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "invocation.glsl"
#include "packing.glsl"

layout(std430, binding = 0) readonly buffer Input { uint input_words[]; };
#ifdef TABLE
layout(std430, binding = 1) readonly buffer Table { uint table[256]; };
layout(std430, binding = 2) buffer Output { uint output_words[]; };
#else
layout(std430, binding = 1) buffer Output { uint output_words[]; };
#endif

layout(push_constant) uniform Shape {
  uint words;            // invocations: blocks * rows * row_words
  uint row_words;        // to write in each row
  uint rows;             // to write in each block
  uint block_rows;       // output rows in a block
  uint first_row;        // to write
  uint first_word;       // to write in its row
  uint output_channels;
  uint output_stride;    // words from one row to the next
  uint input_channels;
  uint input_stride;     // bytes from one row to the next
  uint first_element;
  uint input_elements;   // of one outer index
  uint merge;            // 0: no input before this one has written the output
};

void main() {
  uint index = invocation_index();
  if (index >= words) {
    return;
  }
  uint written_row = index / row_words;
  uint row_word = first_word + (index - written_row * row_words);
  uint block = written_row / rows;
  uint row = first_row + (written_row - block * rows);
  uint output_index = (block * block_rows + row) * output_stride + row_word;
  uint result = 0u;
  uint moved = 0u;  // mask of the bytes in `result`
  for (uint lane = 0u; lane < 4u; ++lane) {
    uint channel = row_word * 4u + lane;
    uint offset = row * output_channels + channel - first_element;  // wraps when in front
    if (channel < output_channels && offset < input_elements) {
      uint input_element = block * input_elements + offset;
      uint input_row = input_element / input_channels;
      uint input_byte =
          input_row * input_stride + (input_element - input_row * input_channels);
      int value = unpack(input_words[input_byte / 4u], int(input_byte & 3u));
#ifdef TABLE
      value = int(table[value + 128]);
#endif
      result |= pack(value, int(lane));
      moved |= 0xffu << (8u * lane);
    }
  }
  if (moved != 0u) {
    if (merge != 0u) {
      result |= output_words[output_index] & ~moved;
    }
    output_words[output_index] = result;
  }
}
