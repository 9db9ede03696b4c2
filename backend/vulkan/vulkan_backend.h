// The Vulkan devices of this machine as lockstep devices.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "backend/device.h"

namespace lockstep::backend::vulkan {

// Discrete GPUs first, then integrated, virtual, CPUs. kDeviceUnavailable says what is missing.
Result<std::vector<DeviceDescription>> list_devices();

// While it lives, the drivers stay loaded: listing and opening devices does not start them again
// (which takes tens of milliseconds). Null when there are none.
std::shared_ptr<const void> keep_drivers_loaded();

// `index` counts in list_devices(). kInvalidArgument when options.mask does not parse.
Result<std::shared_ptr<Device>> open_device(size_t index, const DeviceOptions& options);

}  // namespace lockstep::backend::vulkan
