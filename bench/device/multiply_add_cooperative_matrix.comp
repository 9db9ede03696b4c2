// The cooperative matrices' part of multiply_add.comp: how many int8 multiply-adds a second, from
// registers alone.
//
// Each workgroup is one subgroup. It multiplies 2 left matrices with 8 right ones in every step, into
// 16 sums, and adds 1 to each element of the left ones, so that no compiler can take work out of the
// loop. device_cooperative_matrix.cpp computes the same on the host.
//
// Its module is checked in (precompiled/), because not every machine has a glslang that knows
// GL_KHR_cooperative_matrix. Whoever changes this file runs scripts/precompile_shaders.sh.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_cooperative_matrix : require

layout(local_size_x_id = 0, local_size_y = 1, local_size_z = 1) in;
layout(constant_id = 1) const uint kRows = 16;
layout(constant_id = 2) const uint kColumns = 16;
layout(constant_id = 3) const uint kDepth = 16;

const uint kLefts = 2u;
const uint kRights = 8u;
const uint kSets = 4u;
const uint kLeftWords = kRows * kDepth / 4u;
const uint kRightWords = kColumns * kDepth / 4u;

// kSets sets of left matrices, row by row, and of right ones, column by column.
layout(std430, binding = 0) readonly buffer Input { uint words[]; };
layout(std430, binding = 1) writeonly buffer Output { int sums[]; };

layout(push_constant) uniform Parameters { uint steps; };

void main() {
  uint first = (gl_WorkGroupID.x % kSets) * (kLefts * kLeftWords + kRights * kRightWords);
  coopmat<int8_t, gl_ScopeSubgroup, kRows, kDepth, gl_MatrixUseA> left[kLefts];
  [[unroll]] for (uint i = 0u; i < kLefts; ++i) {
    coopMatLoad(left[i], words, first + i * kLeftWords, kDepth / 4u,
                gl_CooperativeMatrixLayoutRowMajor);
  }
  first += kLefts * kLeftWords;
  coopmat<int8_t, gl_ScopeSubgroup, kDepth, kColumns, gl_MatrixUseB> right[kRights];
  [[unroll]] for (uint i = 0u; i < kRights; ++i) {
    coopMatLoad(right[i], words, first + i * kRightWords, kDepth / 4u,
                gl_CooperativeMatrixLayoutColumnMajor);
  }
  coopmat<int, gl_ScopeSubgroup, kRows, kColumns, gl_MatrixUseAccumulator> sum[kLefts * kRights];
  [[unroll]] for (uint i = 0u; i < kLefts * kRights; ++i) {
    sum[i] = coopmat<int, gl_ScopeSubgroup, kRows, kColumns, gl_MatrixUseAccumulator>(0);
  }
  const coopmat<int8_t, gl_ScopeSubgroup, kRows, kDepth, gl_MatrixUseA> one =
      coopmat<int8_t, gl_ScopeSubgroup, kRows, kDepth, gl_MatrixUseA>(int8_t(1));
  for (uint step = 0u; step < steps; ++step) {
    [[unroll]] for (uint i = 0u; i < kLefts; ++i) {
      [[unroll]] for (uint j = 0u; j < kRights; ++j) {
        sum[i * kRights + j] = coopMatMulAdd(left[i], right[j], sum[i * kRights + j]);
      }
      left[i] = left[i] + one;
    }
  }
  coopmat<int, gl_ScopeSubgroup, kRows, kColumns, gl_MatrixUseAccumulator> total = sum[0];
  [[unroll]] for (uint i = 1u; i < kLefts * kRights; ++i) {
    total = total + total + sum[i];
  }
  coopMatStore(total, sums, gl_WorkGroupID.x * kRows * kColumns, kColumns,
               gl_CooperativeMatrixLayoutRowMajor);
}
