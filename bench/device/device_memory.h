// The part of `bench device` about memory: copies and reads.
#pragma once

#include <vector>

#include "bench/device/device_benchmark.h"

namespace lockstep::bench {

// Measurements "memory/...", those that `is_wanted` by name.
Result<std::vector<DeviceMeasurement>> measure_memory(
    const backend::vulkan::LogicalDevice& device, const DeviceBenchmarkOptions& options,
    const std::function<bool(const std::string&)>& is_wanted);

}  // namespace lockstep::bench
