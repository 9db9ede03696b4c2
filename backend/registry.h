// Finding and opening devices of every backend this build has.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "backend/device.h"

namespace lockstep::backend {

// All devices of all backends, best first within a backend (discrete GPU, integrated, virtual,
// CPU), the reference ("ref") last. A backend that cannot start (no Vulkan loader) contributes
// none; the reasons are appended to `problems` when it is given.
std::vector<DeviceDescription> list_devices(std::vector<std::string>* problems = nullptr);

// `selector`: empty takes the environment variable LOCKSTEP_DEVICE, and where that is unset the
// first accelerator of list_devices() (never "ref"). A number is an index into list_devices();
// "ref" is host_ref; anything else must be part of exactly one device's name (case-insensitive; of
// several matches the exact one, otherwise the first). kDeviceUnavailable lists what there is.
Result<std::shared_ptr<Device>> open_device(std::string_view selector,
                                            const DeviceOptions& options);

}  // namespace lockstep::backend
