// host_ref as a device: slow, readable, always there. What every other device must equal.
#pragma once

#include <memory>

#include "backend/device.h"

namespace lockstep::backend::reference {

DeviceDescription describe_device();

std::shared_ptr<Device> open_device();

}  // namespace lockstep::backend::reference
