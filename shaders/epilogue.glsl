// What a kernel computes behind its operator, in place of dispatches of their own: see
// backend/vulkan/epilogue.h. Its 8-bit results are left operands of an ADD, whose right operand lies
// as the output does, or are looked up in a table of 256 bytes, or both, in this order.
//
// The right operand always comes through a texel buffer, so that no kernel needs more than the four
// storage buffers that every device has. Where nothing is added, anything is bound.
//
// Whoever includes this has load_parameters(), binding 3 and specialization constants 2 to 4 free.
// The parameters lie behind the kernel's own: three uvec4 of the ADD, then sixteen of the table.
#ifndef LOCKSTEP_EPILOGUE_GLSL
#define LOCKSTEP_EPILOGUE_GLSL

#include "addition.glsl"
#include "packing.glsl"

// The arithmetic of an ADD, or kNoAddition; how its scales end.
layout(constant_id = 2) const uint kAddition = 2;
layout(constant_id = 3) const uint kAdditionEnd = 0;
layout(constant_id = 4) const bool kHasTable = false;

layout(binding = 3) uniform usamplerBuffer right_texels;

struct Epilogue {
  Addition addition;  // not set where nothing is added
  uint first_entries;  // of the table
};

// `first`: of the epilogue's parameters.
Epilogue load_epilogue(uint first) {
  Epilogue epilogue;
  if (kAddition != kNoAddition) {
    ivec4 operands = ivec4(load_parameters(first));     // zero points, left shift
    ivec4 scales = ivec4(load_parameters(first + 1u));  // multiplier and shift, left then right
    ivec4 sum = ivec4(load_parameters(first + 2u));     // multiplier, shift, bounds
    epilogue.addition = Addition(
        operands.x, operands.y, operands.z, channel_end(scales.x, scales.y, kAdditionEnd),
        channel_end(scales.z, scales.w, kAdditionEnd), channel_end(sum.x, sum.y, kAdditionEnd),
        operands.w, sum.z, sum.w);
  }
  epilogue.first_entries = first + 3u;
  return epilogue;
}

// Four entries a word, the first for -128.
int look_up(int value, uint first_entries) {
  uint entry = uint(value + 128);
  uvec4 words = load_parameters(first_entries + (entry >> 4));
  return unpack(words[(entry >> 2) & 3u], int(entry & 3u));
}

// Four results, and what becomes of them; `index`: where that word is stored. Without [[unroll]],
// because an ADD is long: it stands in the program once, not once for every channel.
uint apply_epilogue(uint word, uint index, Epilogue epilogue) {
  if (kAddition != kNoAddition || kHasTable) {
    uint right = 0u;
    if (kAddition != kNoAddition) {
      right = texelFetch(right_texels, int(index)).x;
    }
    uint results = word;
    word = 0u;
    for (int lane = 0; lane < 4; ++lane) {
      int value = unpack(results, lane);
      if (kAddition != kNoAddition) {
        value = add_quantized(value, unpack(right, lane), epilogue.addition, kAddition,
                              kAdditionEnd);
      }
      if (kHasTable) {
        value = look_up(value, epilogue.first_entries);
      }
      word |= pack(value, lane);
    }
  }
  return word;
}

#endif
