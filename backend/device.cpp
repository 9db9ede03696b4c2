#include "backend/device.h"

namespace lockstep::backend {

std::string_view device_kind_name(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::kDiscreteGpu:
      return "discrete GPU";
    case DeviceKind::kIntegratedGpu:
      return "integrated GPU";
    case DeviceKind::kVirtualGpu:
      return "virtual GPU";
    case DeviceKind::kCpu:
      return "CPU";
    case DeviceKind::kOther:
      return "other";
  }
  return "other";
}

}  // namespace lockstep::backend
