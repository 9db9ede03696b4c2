// PAD: output coordinates shifted by `before` read the input where they lie inside it and are
// `value` elsewhere. Each invocation writes one output word.
//   ROWS       the padding leaves channels alone: the four dimensions number rows, whose words are
//              moved whole.
//   (neither)  the four dimensions number elements, which are moved byte by byte.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "invocation.glsl"
#include "packing.glsl"

layout(std430, binding = 0) readonly buffer Input { uint input_words[]; };
layout(std430, binding = 1) writeonly buffer Output { uint output_words[]; };

layout(push_constant) uniform Shape {
  uint words;             // invocations: output rows * output_row_words
  uint output_channels;
  uint output_row_words;  // that hold channels
  uint output_stride;     // words from one row to the next
  uint input_channels;
  uint input_stride;      // bytes from one row to the next
  uint value_word;        // four times the padding value
  uint input_extents[4];
  uint output_extents[4];
  uint before[4];
};

// The input's number for an output number (of a row, or of an element); false in the padding.
bool input_number(uint output_number, out uint number) {
  uint coordinates[4];
  uint rest = output_number;
  for (int d = 3; d > 0; --d) {
    uint quotient = rest / output_extents[d];
    coordinates[d] = rest - quotient * output_extents[d];
    rest = quotient;
  }
  coordinates[0] = rest;
  bool inside = true;
  number = 0u;
  for (int d = 0; d < 4; ++d) {
    uint coordinate = coordinates[d] - before[d];  // wraps when in front
    inside = inside && coordinate < input_extents[d];
    number = number * input_extents[d] + coordinate;
  }
  return inside;
}

void main() {
  uint index = invocation_index();
  if (index >= words) {
    return;
  }
  uint row = index / output_row_words;
  uint row_word = index - row * output_row_words;
  uint word = value_word;
  uint number;
#ifdef ROWS
  if (input_number(row, number)) {
    word = input_words[number * (input_stride / 4u) + row_word];
  }
#else
  for (uint lane = 0u; lane < 4u; ++lane) {
    uint channel = row_word * 4u + lane;
    if (channel < output_channels && input_number(row * output_channels + channel, number)) {
      uint input_row = number / input_channels;
      uint input_byte = input_row * input_stride + (number - input_row * input_channels);
      int value = unpack(input_words[input_byte / 4u], int(input_byte & 3u));
      word = bitfieldInsert(word, uint(value), int(8u * lane), 8);
    }
  }
#endif
  output_words[row * output_stride + row_word] = word;
}
