// Moves single bytes: CONCATENATION at any channel, RESHAPE between any layouts. With TABLE each
// byte goes through output = table[input + 128]. The output comes in blocks of rows (one for each
// outer index), whose elements are numbered densely; those from first_element on come from the
// input, whose elements are numbered likewise. Each invocation writes one of the words that hold
// any of them, keeping (with `merge`) the bytes that do not come from this input.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "division.glsl"
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
  uint row_words_multiplier;       // for divisions: division.glsl
  uint rows_multiplier;
  uint input_channels_multiplier;
};

void main() {
  uint index = invocation_index();
  if (index >= words) {
    return;
  }
  uint written_row = divide(index, row_words, row_words_multiplier);
  uint row_word = first_word + (index - written_row * row_words);
  uint block = divide(written_row, rows, rows_multiplier);
  uint row = first_row + (written_row - block * rows);
  uint output_index = (block * block_rows + row) * output_stride + row_word;
  // Of the input's elements that belong here, the next one: its row, and where in it.
  int offset = int(row * output_channels + row_word * 4u - first_element);  // of the first byte
  uint input_element = block * input_elements + uint(max(offset, 0));
  uint input_row = divide(input_element, input_channels, input_channels_multiplier);
  uint input_channel = input_element - input_row * input_channels;
  uint loaded = 0xffffffffu;  // number of the word of the input that is at hand
  uint word = 0u;
  uint result = 0u;
  uint moved = 0u;  // mask of the bytes in `result`
  for (uint lane = 0u; lane < 4u; ++lane) {
    if (row_word * 4u + lane < output_channels && uint(offset + int(lane)) < input_elements) {
      uint input_byte = input_row * input_stride + input_channel;
      if (input_byte / 4u != loaded) {
        loaded = input_byte / 4u;
        word = input_words[loaded];
      }
      int value = unpack(word, int(input_byte & 3u));
#ifdef TABLE
      value = int(table[value + 128]);
#endif
      result |= pack(value, int(lane));
      moved |= 0xffu << (8u * lane);
      ++input_channel;
      bool ends_row = input_channel == input_channels;
      input_row += uint(ends_row);
      input_channel = select(ends_row, 0u, input_channel);
    }
  }
  if (moved != 0u) {
    if (merge != 0u) {
      result |= output_words[output_index] & ~moved;
    }
    output_words[output_index] = result;
  }
}
