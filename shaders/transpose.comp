// [outer][rows][columns][inner] becomes [outer][columns][rows][inner]. Each invocation writes one
// output word.
//   WORDS      elements are words of four channels, whole on both sides.
//   (neither)  elements are bytes, moved one by one.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "division.glsl"
#include "invocation.glsl"
#include "packing.glsl"

layout(std430, binding = 0) readonly buffer Input { uint input_words[]; };
layout(std430, binding = 1) writeonly buffer Output { uint output_words[]; };

// Of a tensor's row: its elements, and how many lie between the starts of two.
layout(push_constant) uniform Shape {
  uint words;             // invocations: output rows * output_row_words
  uint output_row_words;
  uint output_stride;     // in words
  uint output_elements;
  uint input_elements;
  uint input_stride;      // in elements
  uint rows;
  uint columns;
  uint inner;
  uint output_row_words_multiplier;  // for divisions: division.glsl
  uint input_elements_multiplier;
  uint rows_multiplier;
  uint columns_multiplier;
  uint inner_multiplier;
};

// Where the input has what is element `number` of the output, rows behind one another.
uint input_element(uint number) {
  uint run = divide(number, inner, inner_multiplier);
  uint output_column = divide(run, rows, rows_multiplier);
  uint row = run - output_column * rows;
  uint outer = divide(output_column, columns, columns_multiplier);
  uint column = output_column - outer * columns;
  uint input_run = (outer * rows + row) * columns + column;
  uint input_number = input_run * inner + (number - run * inner);
  uint input_row = divide(input_number, input_elements, input_elements_multiplier);
  return input_row * input_stride + (input_number - input_row * input_elements);
}

void main() {
  uint index = invocation_index();
  if (index >= words) {
    return;
  }
  uint row = divide(index, output_row_words, output_row_words_multiplier);
  uint row_word = index - row * output_row_words;
#ifdef WORDS
  uint word = input_words[input_element(row * output_elements + row_word)];
#else
  uint word = 0u;
  for (uint lane = 0u; lane < 4u; ++lane) {
    // Behind the last channel anything may be written.
    uint channel = min(row_word * 4u + lane, output_elements - 1u);
    uint input_byte = input_element(row * output_elements + channel);
    word |= pack(unpack(input_words[input_byte / 4u], int(input_byte & 3u)), int(lane));
  }
#endif
  output_words[row * output_stride + row_word] = word;
}
