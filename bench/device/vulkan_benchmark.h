// What a Vulkan device can do at best below whole layers, and what it costs to ask it.
#pragma once

#include <memory>
#include <vector>

#include "backend/device.h"
#include "backend/vulkan/device_context.h"
#include "bench/device_measurement.h"
#include "graph/status.h"

namespace lockstep::bench {

// The device of this description as the Vulkan backend's own object. kDeviceUnavailable where there
// is none (any more).
Result<std::shared_ptr<backend::vulkan::DeviceContext>> open_vulkan_context(
    const backend::DeviceDescription& description, const backend::DeviceOptions& options);

// Measurements of overheads, memory, multiplying and adding, those that `is_wanted` by name.
// kInternal where a device multiplies, adds or copies wrongly: that has no speed.
Result<std::vector<DeviceMeasurement>> measure_vulkan(const backend::vulkan::LogicalDevice& device,
                                                      const DeviceBenchmarkOptions& options,
                                                      const IsWanted& is_wanted,
                                                      const Progress& progress);

}  // namespace lockstep::bench
