// CONV_2D and FULLY_CONNECTED through shared memory: shaders/convolution_staged.comp.
#pragma once

#include <vector>

#include "backend/vulkan/dispatch_building.h"
#include "graph/lowered_graph.h"

namespace lockstep::backend::vulkan {

// Ways to compute a convolution, best first; empty where there is none. `op` must outlive them, and
// the context too.
std::vector<Alternative> staged_alternatives(const PlanContext& context,
                                             const graph::LoweredConvolution& op);

// Whether they are likely to be faster than kernels whose invocations load for themselves: where
// shared memory is fast, for products that fill many workgroups.
bool prefers_staging(const PlanContext& context, const graph::LoweredConvolution& op);

}  // namespace lockstep::backend::vulkan
