// The part of `bench device` about multiplying and adding.
#pragma once

#include <vector>

#include "backend/vulkan/logical_device.h"
#include "bench/device_measurement.h"

namespace lockstep::bench {

// Measurements "multiply-add/...", those that `is_wanted` by name. Every timed form's sums are
// compared with the host's: kInternal where one is wrong.
Result<std::vector<DeviceMeasurement>> measure_multiply_add(
    const backend::vulkan::LogicalDevice& device, const DeviceBenchmarkOptions& options,
    const IsWanted& is_wanted);

}  // namespace lockstep::bench
