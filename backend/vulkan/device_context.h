// An opened device with its pipelines; everything made from it holds it alive.
#pragma once

#include <cstddef>
#include <memory>

#include "backend/device.h"
#include "backend/vulkan/device_cache.h"
#include "backend/vulkan/logical_device.h"
#include "backend/vulkan/pipeline.h"
#include "backend/vulkan/tuning.h"

namespace lockstep::backend::vulkan {

struct DeviceContext {
  DeviceContext(std::unique_ptr<LogicalDevice> opened, const DeviceOptions& options)
      : device(std::move(opened)),
        cache(device->physical(), options),
        pipelines(*device, cache),
        tuning(cache, device->capabilities()) {}

  std::unique_ptr<LogicalDevice> device;
  DeviceCache cache;
  PipelineStore pipelines;
  TuningStore tuning;
};

// `index` counts the devices in the order of find_physical_devices(). kDeviceUnavailable when there
// is no such device, kInvalidArgument when options.mask does not parse.
Result<std::shared_ptr<DeviceContext>> open_context(size_t index, const DeviceOptions& options);

}  // namespace lockstep::backend::vulkan
