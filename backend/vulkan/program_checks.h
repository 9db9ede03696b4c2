// What must hold before an operator may become commands. Kernel families may rely on
// check_tensors() having passed.
#pragma once

#include "backend/vulkan/capabilities.h"
#include "backend/vulkan/kernel.h"
#include "graph/lowered_graph.h"
#include "graph/status.h"

namespace lockstep::backend::vulkan {

// kUnsupported, naming the tensor, when this backend does not hold it: neither 8 bits wide nor
// int32, without elements, with more than int32 counts, or larger than one binding may be.
// kInvalidArgument when it does not exist or its constant contents do not fit its shape.
Status check_tensor(const graph::LoweredGraph& graph, int32_t tensor,
                    const Capabilities& capabilities);

// check_tensor() for everything the operator reads and writes, which must be 8 bits wide but for
// the int32 output of a convolution that stores accumulators.
Status check_tensors(const graph::LoweredGraph& graph, const graph::LoweredOperator& op,
                     const Capabilities& capabilities);

// kUnsupported when a family's plan asks for more than the device gives; kInternal when the plan
// contradicts itself or the operator. `epilogue`: what it was made with.
Status check_plan(const KernelPlan& plan, const graph::LoweredOperator& op,
                  const Capabilities& capabilities, const Epilogue& epilogue = {});

}  // namespace lockstep::backend::vulkan
