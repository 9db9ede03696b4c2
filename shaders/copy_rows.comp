// Moves whole words of rows: an input of CONCATENATION whose channels start and end on words, or,
// with TABLE, any element-wise function of one tensor:
//   output[channel] = table[input[channel] + 128]
// Each invocation moves one word. Rows come in blocks (one for each outer index of the operator); a
// row is whatever lies in one piece on both sides.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "invocation.glsl"
#include "packing.glsl"

layout(std430, binding = 0) readonly buffer Input { uint input_words[]; };
#ifdef TABLE
layout(std430, binding = 1) readonly buffer Table { uint table[256]; };
layout(std430, binding = 2) writeonly buffer Output { uint output_words[]; };
#else
layout(std430, binding = 1) writeonly buffer Output { uint output_words[]; };
#endif

layout(push_constant) uniform Shape {
  uint words;               // invocations: rows * row_words
  uint row_words;           // words to move in each row
  uint block_rows;          // input rows in a block
  uint input_stride;        // words from one row to the next
  uint output_stride;
  uint output_block_words;  // from one block of the output to the next
  uint first_word;          // where in a block of the output the first row lies
};

void main() {
  uint index = invocation_index();
  if (index >= words) {
    return;
  }
  uint row = index / row_words;
  uint row_word = index - row * row_words;
  uint block = row / block_rows;
  uint block_row = row - block * block_rows;
  uint output_row = block * output_block_words + first_word + block_row * output_stride;
  uint word = input_words[row * input_stride + row_word];
#ifdef TABLE
  uint result = 0u;
  for (int lane = 0; lane < 4; ++lane) {
    result |= (table[unpack(word, lane) + 128] & 0xffu) << uint(8 * lane);
  }
  word = result;
#endif
  output_words[output_row + row_word] = word;
}
