// Computes no operator: applies a rounding (or one + kNarrow) to arrays, so that a test can compare what a
// device makes of the shaders' arithmetic with numerics/, at ties and extremes that no network
// reaches.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "invocation.glsl"
#include "requantization.glsl"

layout(constant_id = 1) const uint kEnd = 0;

layout(std430, binding = 0) readonly buffer Accumulators { uint accumulators[]; };
layout(std430, binding = 1) readonly buffer Scales { uvec2 scales[]; };  // multiplier, shift
layout(std430, binding = 2) writeonly buffer Output { uint results[]; };

layout(push_constant) uniform Shape { uint count; };

void main() {
  uint index = invocation_index();
  if (index >= count) {
    return;
  }
  ChannelEnd end = channel_end(int(scales[index].x), int(scales[index].y), kEnd);
  results[index] = uint(scale_accumulator(int(accumulators[index]), end, kEnd));
}
