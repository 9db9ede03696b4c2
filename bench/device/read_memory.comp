// How fast memory can be read: every invocation adds up `reads` units of 16 bytes, `stride` units
// apart, so that neighbours read neighbouring units.
#version 450

layout(local_size_x_id = 0, local_size_y = 1, local_size_z = 1) in;

layout(std430, binding = 0) readonly buffer Input { uvec4 units[]; };
layout(std430, binding = 1) writeonly buffer Output { uint sums[]; };

layout(push_constant) uniform Parameters {
  uint reads;
  uint stride;
};

void main() {
  uint index = gl_GlobalInvocationID.x;
  uvec4 sum = uvec4(0u);
  for (uint i = 0u; i < reads; ++i) {
    sum += units[index + i * stride];
  }
  sums[index] = sum.x + sum.y + sum.z + sum.w;
}
