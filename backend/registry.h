// Finding and opening devices of every backend this build has. All functions may be called from
// several threads at once.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/device.h"

namespace lockstep::backend {

// All devices of all backends, best first within a backend (discrete GPU, integrated, virtual,
// CPU), this processor ("cpu") and the reference ("ref") last. A backend that cannot start (no
// Vulkan loader) contributes none; the reasons are appended to `problems` when it is given.
std::vector<DeviceDescription> list_devices(std::vector<std::string>* problems = nullptr);

// `selector`: empty takes the environment variable LOCKSTEP_DEVICE, and where that is unset the
// first accelerator of list_devices() (never "ref"). A number is an index into list_devices();
// "cpu" and "ref" are opened without touching any driver; anything else is a device's name
// or part of it (case-insensitive; of several matches the exact one, otherwise the first).
// kDeviceUnavailable lists what there is.
Result<std::shared_ptr<Device>> open_device(std::string_view selector,
                                            const DeviceOptions& options);

// The device for what no other one takes: this processor, or the reference where there are no
// kernels for it. `threads`: as DeviceOptions::threads.
std::shared_ptr<Device> open_host_device(int32_t threads);

// A kind of accelerator. Both functions may be called from several threads at once, and neither may
// call back into this registry.
struct Backend {
  std::string name;  // as in DeviceDescription::backend
  // Its devices, best first; an error says why it cannot start.
  std::function<Result<std::vector<DeviceDescription>>()> list;
  // `index` counts in list(). kInvalidArgument where options.mask does not parse.
  std::function<Result<std::shared_ptr<Device>>(size_t index, const DeviceOptions& options)> open;
};

// Adds a backend behind those there are and before "ref", for the life of the process: there is no
// way to take it out again, because devices of it may be anywhere. The backends of this build
// are listed in registry.cpp; this is for a program that brings one of its own (a test, a vendor's
// tool), once, before it lists or opens devices. kInvalidArgument where the name is taken.
Status register_backend(Backend backend);

}  // namespace lockstep::backend
