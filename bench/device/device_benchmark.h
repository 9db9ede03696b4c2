// What a device can do at best, and what it costs to ask it: see README.md in the folder above.
#pragma once

#include <string>

#include "backend/device.h"
#include "bench/device_measurement.h"
#include "bench/roofline.h"
#include "graph/status.h"

namespace lockstep::bench {

// Of the device that backend::open_device() would open. Devices that are neither Vulkan's nor the
// processor have nothing to measure below whole layers. kInvalidArgument where the filter is no
// expression, or matches nothing; kInternal where a device multiplies, adds, copies or computes
// layers wrongly: that has no speed.
Result<DeviceBenchmark> run_device_benchmark(const std::string& selector,
                                             const backend::DeviceOptions& device_options,
                                             const DeviceBenchmarkOptions& options,
                                             const Progress& progress);

// A few hundred milliseconds for the roofline alone; measured once in a process for each device.
// Unknown for devices that are neither Vulkan's nor the processor.
Result<Roofline> quick_roofline(const std::string& selector, const backend::DeviceOptions& options);

}  // namespace lockstep::bench
