// RESIZE_BILINEAR: an output pixel lies between two rows and two columns of the input, each of which
// has a share in it. With x_ij the input at row i and column j of them:
//   (neither)  ((x_11 * column_1 + x_12 * column_2) * row_1
//             + (x_21 * column_1 + x_22 * column_2) * row_2) / 2^result_bits, to the nearest integer
//   FLOAT32    with x as uint8, every operation rounded to float32, the integer part of
//              (((x_11 * (row_1 * column_1) + x_12 * (row_1 * column_2))
//                                           + x_21 * (row_2 * column_1))
//                                           + x_22 * (row_2 * column_2)) + 0.5
// Each invocation computes one output word (4 channels).
#version 450
#extension GL_GOOGLE_include_directive : require

#include "division.glsl"
#include "invocation.glsl"
#include "packing.glsl"
#ifdef FLOAT32
#include "float_arithmetic.glsl"
#else
layout(constant_id = 1) const uint kResultBits = 22;
layout(constant_id = 2) const bool kTiesAway = false;  // from zero; else up
#endif

layout(std430, binding = 0) readonly buffer Input { uint input_words[]; };
// For each row and column of the output: the two of the input, and their shares.
layout(std430, binding = 1) readonly buffer Rows { uvec4 rows[]; };
layout(std430, binding = 2) readonly buffer Columns { uvec4 columns[]; };
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

uint input_word(uint input_row, uint column, uint row_word) {
  return input_words[(input_row * input_width + column) * pixel_stride + row_word];
}

#ifdef FLOAT32
// A uint8 in the signed domain, by its weight.
uint product(uint word, int lane, uint weight) {
  return multiply_float32(float32_of_integer(uint(unpack(word, lane) + 128)), weight);
}

uint interpolate(uvec2 first_row, uvec2 second_row, uvec2 row_weights, uvec2 column_weights) {
  const uint kHalf = 0x3f000000u;
  uint weight_11 = multiply_float32(row_weights.x, column_weights.x);
  uint weight_12 = multiply_float32(row_weights.x, column_weights.y);
  uint weight_21 = multiply_float32(row_weights.y, column_weights.x);
  uint weight_22 = multiply_float32(row_weights.y, column_weights.y);
  uint result = 0u;
  for (int lane = 0; lane < 4; ++lane) {
    uint sum = add_float32(product(first_row.x, lane, weight_11),
                           product(first_row.y, lane, weight_12));
    sum = add_float32(sum, product(second_row.x, lane, weight_21));
    sum = add_float32(sum, product(second_row.y, lane, weight_22));
    result |= pack(int(truncate_float32(add_float32(sum, kHalf))) - 128, lane);
  }
  return result;
}
#else
uint interpolate(uvec2 first_row, uvec2 second_row, uvec2 row_weights, uvec2 column_weights) {
  const int kHalf = 1 << (kResultBits - 1u);
  ivec2 row_shares = ivec2(row_weights);
  ivec2 column_shares = ivec2(column_weights);
  uint result = 0u;
  for (int lane = 0; lane < 4; ++lane) {
    int first = unpack(first_row.x, lane) * column_shares.x +
                unpack(first_row.y, lane) * column_shares.y;
    int second = unpack(second_row.x, lane) * column_shares.x +
                 unpack(second_row.y, lane) * column_shares.y;
    int sum = first * row_shares.x + second * row_shares.y;
    // A shift is a floor division: one less takes negative ties down.
    sum += kHalf - int(kTiesAway && sum < 0);
    result |= pack(sum >> kResultBits, lane);
  }
  return result;
}
#endif

void main() {
  uint index = invocation_index();
  if (index >= words) {
    return;
  }
  uint position = divide(index, row_words, row_words_multiplier);
  uint row_word = index - position * row_words;
  uint output_row = divide(position, output_width, output_width_multiplier);
  uint image = divide(output_row, output_height, output_height_multiplier);
  uvec4 row = rows[output_row - image * output_height];
  uvec4 column = columns[position - output_row * output_width];
  uvec2 input_rows = image * input_height + row.xy;
  uvec2 first_row = uvec2(input_word(input_rows.x, column.x, row_word),
                          input_word(input_rows.x, column.y, row_word));
  uvec2 second_row = uvec2(input_word(input_rows.y, column.x, row_word),
                           input_word(input_rows.y, column.y, row_word));
  output_words[position * pixel_stride + row_word] =
      interpolate(first_row, second_row, row.zw, column.zw);
}
