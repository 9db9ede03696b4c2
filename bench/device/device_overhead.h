// The part of `bench device` about what it costs to ask: submissions, dispatches, pipelines.
#pragma once

#include <vector>

#include "backend/vulkan/logical_device.h"
#include "bench/device_measurement.h"

namespace lockstep::bench {

// Measurements "overhead/..." and "compile/...", those that `is_wanted` by name.
Result<std::vector<DeviceMeasurement>> measure_overhead(
    const backend::vulkan::LogicalDevice& device, const DeviceBenchmarkOptions& options,
    const IsWanted& is_wanted);

}  // namespace lockstep::bench
