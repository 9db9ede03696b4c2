// Every kernel numbers its invocations along one dimension. Workgroups fill x first and go on in y
// where the device limits x; the last row may reach past the end, so kernels compare the index with
// their number of invocations.
#ifndef LOCKSTEP_INVOCATION_GLSL
#define LOCKSTEP_INVOCATION_GLSL

layout(local_size_x_id = 0, local_size_y = 1, local_size_z = 1) in;

uint invocation_index() {
  uint workgroup = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
  return workgroup * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
}

#endif
