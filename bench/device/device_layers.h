// The part of `bench device` about whole layers: what of its peak a device reaches.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/device.h"
#include "bench/device_measurement.h"
#include "graph/status.h"

namespace lockstep::bench {

// A device, opened in one of several ways.
struct LayerContender {
  std::string suffix;  // of the measurements' names: "", "-avx2"
  // Called at most once, and only if one of its measurements is wanted.
  std::function<Result<std::shared_ptr<backend::Device>>()> open;
  double peak_gops = 0;  // to compare with; 0 where it is not known
};

// Measurements "gemm/512" (512 rows of 512 bytes by 512 x 512 weights, as a convolution) and
// "depthwise/3x3" (an image of 56 x 56 x 144) of each contender, those that `is_wanted` by name.
// Who cannot be opened or does not compute the layer says why. kInternal where a result is not
// host_ref's.
Result<std::vector<DeviceMeasurement>> measure_device_layers(
    std::span<const LayerContender> contenders, const MeasureOptions& options,
    const IsWanted& is_wanted);

}  // namespace lockstep::bench
