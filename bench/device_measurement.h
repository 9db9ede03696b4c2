// What `lockstep bench device` asks and answers, whichever device it is.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "backend/device.h"
#include "bench/measure.h"
#include "bench/roofline.h"
#include "bench/statistics.h"

namespace lockstep::bench {

// Told what is measured next.
using Progress = std::function<void(const std::string&)>;

// Whether the user asked for the measurement of this name.
using IsWanted = std::function<bool(const std::string&)>;

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
  // Of the peak that the same run measured; 0 where there is none to compare with.
  double percent_of_peak = 0;
};

struct DeviceBenchmark {
  backend::DeviceDescription device;
  // Whether times are the device's or the host's, for a reader.
  std::string clock;
  std::vector<DeviceMeasurement> measurements;
  // Unknown (is_known()) where the filter left out what it is made of.
  Roofline roofline;
};

}  // namespace lockstep::bench
