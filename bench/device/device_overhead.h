// The part of `bench device` about what it costs to ask: submissions, dispatches, pipelines.
#pragma once

#include <vector>

#include "bench/device/device_benchmark.h"

namespace lockstep::bench {

// Measurements "overhead/..." and "compile/...", those that `is_wanted` by name.
Result<std::vector<DeviceMeasurement>> measure_overhead(
    const backend::vulkan::LogicalDevice& device, const DeviceBenchmarkOptions& options,
    const std::function<bool(const std::string&)>& is_wanted);

}  // namespace lockstep::bench
