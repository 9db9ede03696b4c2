// FULLY_CONNECTED of a single row: shaders/convolution_gemv.comp.
#pragma once

#include <vector>

#include "backend/vulkan/dispatch_building.h"
#include "graph/lowered_graph.h"

namespace lockstep::backend::vulkan {

// Ways to multiply a matrix with a vector, best first; empty for other convolutions. `op` must
// outlive them, and the context too.
std::vector<Alternative> gemv_alternatives(const PlanContext& context,
                                           const graph::LoweredConvolution& op);

// Whether they are likely to be faster than a kernel that does not split the depth: on GPUs.
bool prefers_gemv(const PlanContext& context);

}  // namespace lockstep::backend::vulkan
