// RESIZE_NEAREST_NEIGHBOR: output (y, x) is input (rows[y], columns[x]). Each invocation moves one
// word.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "division.glsl"
#include "invocation.glsl"

layout(std430, binding = 0) readonly buffer Input { uint input_words[]; };
layout(std430, binding = 1) readonly buffer Rows { uint rows[]; };
layout(std430, binding = 2) readonly buffer Columns { uint columns[]; };
layout(std430, binding = 3) writeonly buffer Output { uint output_words[]; };

layout(push_constant) uniform Shape {
  uint words;         // invocations: output pixels * row_words
  uint row_words;     // words of a pixel that hold channels
  uint pixel_stride;  // words from one pixel to the next, input and output alike
  uint input_height;
  uint input_width;
  uint output_height;
  uint output_width;
  uint row_words_multiplier;  // for divisions: division.glsl
  uint output_width_multiplier;
  uint output_height_multiplier;
};

void main() {
  uint index = invocation_index();
  if (index >= words) {
    return;
  }
  uint position = divide(index, row_words, row_words_multiplier);
  uint row_word = index - position * row_words;
  uint output_row = divide(position, output_width, output_width_multiplier);
  uint image = divide(output_row, output_height, output_height_multiplier);
  uint input_row = image * input_height + rows[output_row - image * output_height];
  uint pixel = input_row * input_width + columns[position - output_row * output_width];
  output_words[position * pixel_stride + row_word] = input_words[pixel * pixel_stride + row_word];
}
