// Which cooperative matrices a device offers.
#pragma once

#include <volk.h>

#include <vector>

#include "backend/vulkan/capabilities.h"
#include "backend/vulkan/physical_device.h"

namespace lockstep::backend::vulkan {

// Those that multiply 8-bit integers and accumulate in int32 without saturation, in compute
// shaders; none without the Vulkan memory model, which every SPIR-V module with such matrices
// declares. Reads handle, api_version and extensions of `device`.
std::vector<CooperativeMatrixShape> query_cooperative_matrices(VkInstance instance,
                                                               const PhysicalDevice& device);

}  // namespace lockstep::backend::vulkan
