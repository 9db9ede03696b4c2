// Sums of products of 8-bit inputs and weights, sixteen at a time: the forms in which a device may
// compute them. All give the same accumulators.
//
//   (none)              32-bit multiplications. Inputs come as x + 128 and weights as stored, both
//                       unsigned, which every instruction set unpacks with a shift and a mask; what
//                       they are unpacked from is known to fit 16 bits, so compilers may use
//                       multiplications of 16 bits. The 128 is part of the folded bias:
//                         sum (x - x_zp)(w - w_zp) =
//                             sum (x + 128)(w - w_zp) - (x_zp + 128) sum (w - w_zp)
//   FLOAT32             the same with float32 factors. |x + 128| and |w - w_zp| are at most 255, so
//                       every partial sum of kExactTerms products is an integer below 2^24, which
//                       float32 holds exactly, in whatever order it is summed; then it goes on to
//                       the integer accumulators.
//   INT_DOT             OpSDot on words of four signed bytes.
//   INT_DOT_SATURATING  OpSDotAccSat. Sums never saturate: see its planning.
#ifndef LOCKSTEP_DOT_PRODUCT_GLSL
#define LOCKSTEP_DOT_PRODUCT_GLSL

#include "packing.glsl"

#if defined(INT_DOT_SATURATING)
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6019, 6018],
                  id = 4453)
int dot_4x8_saturating(uint a, uint b, int accumulator, spirv_literal int packed_vector_format);

int add_dot_4x8(uint a, uint b, int accumulator) { return dot_4x8_saturating(a, b, accumulator, 0); }
#define PACKED_PRODUCTS
#elif defined(INT_DOT)
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6019, 6018],
                  id = 4450)
int dot_4x8(uint a, uint b, spirv_literal int packed_vector_format);

int add_dot_4x8(uint a, uint b, int accumulator) { return accumulator + dot_4x8(a, b, 0); }
#define PACKED_PRODUCTS
#endif

#ifdef PACKED_PRODUCTS
// Packed vector format 0: four 8-bit integers, the first in the lowest byte.
int add_dot_16x8(uvec4 a, uvec4 b, int accumulator) {
  return add_dot_4x8(a.w, b.w,
                     add_dot_4x8(a.z, b.z, add_dot_4x8(a.y, b.y, add_dot_4x8(a.x, b.x, accumulator))));
}
#endif

#ifdef FLOAT32
#define FACTOR float
// 256 * 255 * 255 < 2^24.
const uint kExactTerms = 256u;
#else
#define FACTOR int
#endif

// Four signed bytes to the unsigned domain, x + 128.
const uint kToUnsigned = 0x80808080u;

// Byte `lane` (0..3) of a word, as an unsigned number.
int unpack_unsigned(uint word, int lane) { return int((word >> uint(8 * lane)) & 0xffu); }

#endif
