// Computes no operator: applies scale_accumulator to arrays, so that a test can compare what a
// device makes of the shaders' arithmetic with numerics/, at ties and extremes that no network
// reaches.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "invocation.glsl"
#include "requantization.glsl"

layout(constant_id = 1) const uint kRounding = 0;

layout(std430, binding = 0) readonly buffer Accumulators { uint accumulators[]; };
layout(std430, binding = 1) readonly buffer Scales { uvec2 scales[]; };  // multiplier, shift
layout(std430, binding = 2) writeonly buffer Output { uint results[]; };

layout(push_constant) uniform Shape { uint count; };

void main() {
  uint index = invocation_index();
  if (index >= count) {
    return;
  }
  results[index] = uint(scale_accumulator(int(accumulators[index]), int(scales[index].x),
                                          int(scales[index].y), kRounding));
}
