// The part of `bench device` about memory: copies and reads.
#pragma once

#include <vector>

#include "backend/vulkan/logical_device.h"
#include "bench/device_measurement.h"

namespace lockstep::bench {

// Measurements "memory/...", those that `is_wanted` by name.
Result<std::vector<DeviceMeasurement>> measure_memory(const backend::vulkan::LogicalDevice& device,
                                                      const DeviceBenchmarkOptions& options,
                                                      const IsWanted& is_wanted);

}  // namespace lockstep::bench
