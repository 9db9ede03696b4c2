// What a Vulkan device says about itself, in this backend's words.
#pragma once

#include <volk.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "backend/device.h"
#include "backend/vulkan/capabilities.h"
#include "backend/vulkan/instance.h"
#include "backend/vulkan/quirks.h"

namespace lockstep::backend::vulkan {

struct PhysicalDevice {
  VkPhysicalDevice handle = VK_NULL_HANDLE;
  uint32_t api_version = 0;  // what may be used: the lower of the device's and the instance's
  uint32_t queue_family = 0;
  std::vector<std::string> extensions;
  std::array<uint8_t, VK_UUID_SIZE> pipeline_cache_uuid{};
  VkPhysicalDeviceMemoryProperties memory{};
  uint64_t max_allocation_bytes = 0;
  // Of the compute queue; both zero where it has no timestamps.
  uint32_t timestamp_valid_bits = 0;
  double timestamp_period_ns = 0;
  Quirks quirks;
  Capabilities capabilities;  // unmasked, quirks applied
  DeviceDescription description;

  bool has_extension(std::string_view name) const;
};

// All devices of the instance that have a compute queue: discrete GPUs first, then integrated,
// virtual, CPUs and others; in the loader's order among equals.
Result<std::vector<PhysicalDevice>> find_physical_devices(const Instance& instance);

}  // namespace lockstep::backend::vulkan
