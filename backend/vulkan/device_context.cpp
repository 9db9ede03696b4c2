#include "backend/vulkan/device_context.h"

namespace lockstep::backend::vulkan {

Result<std::shared_ptr<DeviceContext>> open_context(size_t index, const DeviceOptions& options) {
  const auto instance = Instance::shared();
  if (!instance) {
    return tl::unexpected(instance.error());
  }
  auto devices = find_physical_devices(**instance);
  if (!devices) {
    return tl::unexpected(devices.error());
  }
  if (index >= devices->size()) {
    return make_error(ErrorCode::kDeviceUnavailable, "there is no Vulkan device {} (of {})", index,
                      devices->size());
  }
  PhysicalDevice& physical = (*devices)[index];
  Capabilities capabilities = physical.capabilities;
  if (Status status = apply_mask(options.mask, capabilities); !status) {
    return tl::unexpected(status.error());
  }
  auto opened = LogicalDevice::create(*instance, std::move(physical), capabilities);
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  return std::make_shared<DeviceContext>(std::move(*opened), options);
}

}  // namespace lockstep::backend::vulkan
