// How many int8 multiply-adds a second, one form of them at a time, from registers alone.
//
// Each invocation computes 16 sums over `steps` steps. Its operands are made from 32 words of the
// input and its index, and change from step to step, so that no compiler can take work out of the
// loop. FORM:
//   1 shifts          bytes are taken out of words and multiplied as 32-bit integers
//   2 dot             OpSDot and an addition
//   3 dot_saturating  OpSDotAccSat
//   4 float32         fused multiply-adds of float32 numbers, of at most 1024 products each sum:
//                     128 * 128 * 1024 = 2^24, and every integer up to there is a float32
//   5 float32_unpack  the same from bytes that are converted on the way
// Forms 1 and 5 pay for unpacking as a tile of 4 x 4 does: 8 words for 64 multiply-adds. The others
// change 4 of their operands a step and use each of them 16 times.
// multiply_add_form.cpp computes the same on the host. No loop but that over the steps, and no array:
// some drivers leave both in memory, which is not what is measured.
#version 450
#if FORM == 2 || FORM == 3
#extension GL_EXT_spirv_intrinsics : require
#endif

layout(local_size_x_id = 0, local_size_y = 1, local_size_z = 1) in;
// Changes the code and not the result: a driver that keeps compiled code has not seen it yet.
layout(constant_id = 1) const uint kSalt = 0;

layout(std430, binding = 0) readonly buffer Input { uint seeds[32]; };
layout(std430, binding = 1) writeonly buffer Output { int sums[]; };

layout(push_constant) uniform Parameters {
  uint steps;
  uint salt;  // kSalt
};

const uint kStride = 0x9E3779B9u;   // what invocations differ by
const uint kChange = 0x01030507u;   // what is added to a word in every step
const uint kProductsOfASum = 1024u;

#if FORM == 2
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6019, 6018],
                  id = 4450)
int dot_4x8(uint a, uint b, spirv_literal int packed_vector_format);
#elif FORM == 3
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6019, 6018],
                  id = 4453)
int dot_4x8_saturating(uint a, uint b, int sum, spirv_literal int packed_vector_format);
#endif

// Sums of operand p with operand c: component c % 4 of total_p.
ivec4 total_0;
ivec4 total_1;
ivec4 total_2;
ivec4 total_3;
#if FORM == 4 || FORM == 5
// Of those, what is not 1024 products yet.
vec4 partial_0;
vec4 partial_1;
vec4 partial_2;
vec4 partial_3;

void flush_partial_sums() {
  total_0 += ivec4(partial_0);
  total_1 += ivec4(partial_1);
  total_2 += ivec4(partial_2);
  total_3 += ivec4(partial_3);
  partial_0 = vec4(0.0);
  partial_1 = vec4(0.0);
  partial_2 = vec4(0.0);
  partial_3 = vec4(0.0);
}

void multiply_numbers(vec4 x, vec4 w) {
  partial_0 = fma(vec4(x.x), w, partial_0);
  partial_1 = fma(vec4(x.y), w, partial_1);
  partial_2 = fma(vec4(x.z), w, partial_2);
  partial_3 = fma(vec4(x.w), w, partial_3);
}
#endif

ivec4 bytes_of(uvec4 words, int lane) { return bitfieldExtract(ivec4(words), 8 * lane, 8); }

#if FORM == 1
void multiply_lane(uvec4 x, uvec4 w, int lane) {
  ivec4 x_bytes = bytes_of(x, lane);
  ivec4 w_bytes = bytes_of(w, lane);
  total_0 += x_bytes.x * w_bytes;
  total_1 += x_bytes.y * w_bytes;
  total_2 += x_bytes.z * w_bytes;
  total_3 += x_bytes.w * w_bytes;
}
#elif FORM == 5
void multiply_lane(uvec4 x, uvec4 w, int lane) {
  multiply_numbers(vec4(bytes_of(x, lane)), vec4(bytes_of(w, lane)));
}
#elif FORM == 2
ivec4 dots(uint x, uvec4 w) {
  return ivec4(dot_4x8(x, w.x, 0), dot_4x8(x, w.y, 0), dot_4x8(x, w.z, 0), dot_4x8(x, w.w, 0));
}
void multiply_words(uvec4 x, uvec4 w) {
  total_0 += dots(x.x, w);
  total_1 += dots(x.y, w);
  total_2 += dots(x.z, w);
  total_3 += dots(x.w, w);
}
#elif FORM == 3
ivec4 add_dots(uint x, uvec4 w, ivec4 sum) {
  return ivec4(dot_4x8_saturating(x, w.x, sum.x, 0), dot_4x8_saturating(x, w.y, sum.y, 0),
               dot_4x8_saturating(x, w.z, sum.z, 0), dot_4x8_saturating(x, w.w, sum.w, 0));
}
void multiply_words(uvec4 x, uvec4 w) {
  total_0 = add_dots(x.x, w, total_0);
  total_1 = add_dots(x.y, w, total_1);
  total_2 = add_dots(x.z, w, total_2);
  total_3 = add_dots(x.w, w, total_3);
}
#endif

int hash(int sum, ivec4 totals) {
  sum = sum * 31 + totals.x;
  sum = sum * 31 + totals.y;
  sum = sum * 31 + totals.z;
  return sum * 31 + totals.w;
}

uvec4 seeds_at(int first) {
  return uvec4(seeds[first], seeds[first + 1], seeds[first + 2], seeds[first + 3]);
}

void main() {
  uint index = gl_GlobalInvocationID.x;
  total_0 = ivec4(int(salt ^ kSalt));
  total_1 = total_0;
  total_2 = total_0;
  total_3 = total_0;
  uvec4 x = seeds_at(0) + index * kStride;
  uvec4 w_0 = seeds_at(16) ^ (index * kStride);
#if FORM == 2 || FORM == 3 || FORM == 4
  uvec4 w_1 = seeds_at(20) ^ (index * kStride);
  uvec4 w_2 = seeds_at(24) ^ (index * kStride);
  uvec4 w_3 = seeds_at(28) ^ (index * kStride);
#endif
#if FORM == 4
  vec4 x_numbers = vec4(bytes_of(x, 0));
  vec4 w_numbers_0 = vec4(bytes_of(w_0, 0));
  vec4 w_numbers_1 = vec4(bytes_of(w_1, 0));
  vec4 w_numbers_2 = vec4(bytes_of(w_2, 0));
  vec4 w_numbers_3 = vec4(bytes_of(w_3, 0));
#endif
#if FORM == 4 || FORM == 5
  partial_0 = vec4(0.0);
  partial_1 = vec4(0.0);
  partial_2 = vec4(0.0);
  partial_3 = vec4(0.0);
  uint products = 0u;
#endif

  for (uint step = 0u; step < steps; ++step) {
#if FORM == 1 || FORM == 5
    multiply_lane(x, w_0, 0);
    multiply_lane(x, w_0, 1);
    multiply_lane(x, w_0, 2);
    multiply_lane(x, w_0, 3);
    x += kChange;
    w_0 += kChange;
#elif FORM == 2 || FORM == 3
    multiply_words(x, w_0);
    multiply_words(x, w_1);
    multiply_words(x, w_2);
    multiply_words(x, w_3);
    x += kChange;
#else
    multiply_numbers(x_numbers, w_numbers_0);
    multiply_numbers(x_numbers, w_numbers_1);
    multiply_numbers(x_numbers, w_numbers_2);
    multiply_numbers(x_numbers, w_numbers_3);
    // Not complemented or negated: sums are to grow up to what float32 holds exactly.
    x_numbers = x_numbers.yzwx;
#endif
#if FORM == 4 || FORM == 5
    products += 4u;
    if (products == kProductsOfASum) {
      flush_partial_sums();
      products = 0u;
    }
#endif
  }
#if FORM == 4 || FORM == 5
  flush_partial_sums();
#endif
  sums[index] = hash(hash(hash(hash(0, total_0), total_1), total_2), total_3);
}
