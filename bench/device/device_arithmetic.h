// The part of `bench device` about multiplying and adding.
#pragma once

#include <vector>

#include "bench/device/device_benchmark.h"

namespace lockstep::bench {

// Measurements "multiply-add/...", those that `is_wanted` by name. Every timed form's sums are
// compared with the host's: kInternal where one is wrong.
Result<std::vector<DeviceMeasurement>> measure_multiply_add(
    const backend::vulkan::LogicalDevice& device, const DeviceBenchmarkOptions& options,
    const std::function<bool(const std::string&)>& is_wanted);

}  // namespace lockstep::bench
