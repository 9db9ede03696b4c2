// What a device can do at best, and what it costs to ask it: see README.md in the folder above.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/device.h"
#include "backend/vulkan/device_context.h"
#include "bench/measure.h"
#include "bench/roofline.h"
#include "bench/statistics.h"
#include "graph/status.h"

namespace lockstep::bench {

// Told what is measured next.
using Progress = std::function<void(const std::string&)>;

struct DeviceBenchmarkOptions {
  // ECMAScript; only measurements in whose names it matches. Empty: all.
  std::string filter;
  MeasureOptions measure;
  // Less memory and shorter runs: rougher numbers, sooner.
  bool quick = false;
};

struct DeviceMeasurement {
  std::string name;  // "multiply-add/dot"
  std::string meaning;
  std::string unavailable;  // why there is no value; empty where there is one
  double value = 0;         // made from the median
  std::string unit;         // "GOPS", "GB/s", "us", "ms"
  TimeSummary time;         // of what was timed
};

struct DeviceBenchmark {
  backend::DeviceDescription device;
  // Whether times are the device's or the host's, for a reader.
  std::string clock;
  std::vector<DeviceMeasurement> measurements;
  // Unknown (is_known()) where the filter left out what it is made of.
  Roofline roofline;
};

// The device that backend::open_device() would open, as this backend's own object. kUnsupported for
// devices that are not Vulkan's.
Result<std::shared_ptr<backend::vulkan::DeviceContext>> open_vulkan_context(
    const std::string& selector, const backend::DeviceOptions& options);

// kInvalidArgument where the filter is no expression, or matches nothing; kInternal where a device
// multiplies, adds or copies wrongly: that has no speed.
Result<DeviceBenchmark> run_device_benchmark(
    const std::shared_ptr<backend::vulkan::DeviceContext>& context,
    const DeviceBenchmarkOptions& options, const Progress& progress);

// A few hundred milliseconds for the roofline alone; measured once in a process for each device.
// Devices that are not Vulkan's have none (an unknown roofline).
Result<Roofline> quick_roofline(const std::string& selector, const backend::DeviceOptions& options);

}  // namespace lockstep::bench
