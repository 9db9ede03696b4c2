#include "backend/vulkan/physical_device.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "backend/vulkan/cooperative_matrix_query.h"
#include "backend/vulkan/result.h"

namespace lockstep::backend::vulkan {
namespace {

// Puts a structure at the head of a pNext chain.
template <typename Chain, typename Structure>
void prepend(Chain& chain, Structure& structure) {
  structure.pNext = chain.pNext;
  chain.pNext = &structure;
}

DeviceKind kind_of(VkPhysicalDeviceType type) {
  switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
      return DeviceKind::kDiscreteGpu;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
      return DeviceKind::kIntegratedGpu;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
      return DeviceKind::kVirtualGpu;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
      return DeviceKind::kCpu;
    default:
      return DeviceKind::kOther;
  }
}

std::string version_text(uint32_t version) {
  return fmt::format("{}.{}.{}", VK_API_VERSION_MAJOR(version), VK_API_VERSION_MINOR(version),
                     VK_API_VERSION_PATCH(version));
}

std::string hexadecimal(const uint8_t (&bytes)[VK_UUID_SIZE]) {
  return fmt::format("{:02x}", fmt::join(bytes, ""));
}

std::vector<std::string> device_extensions(VkPhysicalDevice device) {
  uint32_t count = 0;
  if (vkEnumerateDeviceExtensionProperties(device, nullptr, &count, nullptr) != VK_SUCCESS) {
    return {};
  }
  std::vector<VkExtensionProperties> properties(count);
  if (vkEnumerateDeviceExtensionProperties(device, nullptr, &count, properties.data()) <
      VK_SUCCESS) {
    return {};
  }
  properties.resize(count);
  std::vector<std::string> names;
  for (const VkExtensionProperties& extension : properties) {
    names.emplace_back(extension.extensionName);
  }
  return names;
}

struct ComputeQueue {
  uint32_t family = 0;
  uint32_t timestamp_valid_bits = 0;
};

std::optional<ComputeQueue> find_compute_queue(VkPhysicalDevice device) {
  uint32_t count = 0;
  vkGetPhysicalDeviceQueueFamilyProperties(device, &count, nullptr);
  std::vector<VkQueueFamilyProperties> families(count);
  vkGetPhysicalDeviceQueueFamilyProperties(device, &count, families.data());
  for (uint32_t family = 0; family < count; ++family) {
    if (families[family].queueCount > 0 && (families[family].queueFlags & VK_QUEUE_COMPUTE_BIT)) {
      return ComputeQueue{family, families[family].timestampValidBits};
    }
  }
  return std::nullopt;
}

// Devices whose memory is the host's: mapping it costs nothing. A discrete GPU may expose mappable
// device memory too, but the host reads it over the bus, byte by byte; staging is faster there.
bool has_unified_memory(VkPhysicalDeviceType type, const VkPhysicalDeviceMemoryProperties& memory) {
  if (type != VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU && type != VK_PHYSICAL_DEVICE_TYPE_CPU) {
    return false;
  }
  constexpr VkMemoryPropertyFlags kWanted =
      VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
  return std::any_of(
      memory.memoryTypes, memory.memoryTypes + memory.memoryTypeCount,
      [](const VkMemoryType& each) { return (each.propertyFlags & kWanted) == kWanted; });
}

Capabilities limits_of(const VkPhysicalDeviceLimits& limits) {
  Capabilities capabilities;
  capabilities.max_workgroup_invocations = limits.maxComputeWorkGroupInvocations;
  std::copy_n(limits.maxComputeWorkGroupSize, 3, capabilities.max_workgroup_size.begin());
  std::copy_n(limits.maxComputeWorkGroupCount, 3, capabilities.max_workgroup_count.begin());
  capabilities.max_shared_memory = limits.maxComputeSharedMemorySize;
  capabilities.max_storage_buffer_range = limits.maxStorageBufferRange;
  capabilities.min_storage_buffer_offset_alignment = limits.minStorageBufferOffsetAlignment;
  capabilities.max_texel_buffer_elements = limits.maxTexelBufferElements;
  capabilities.min_texel_buffer_offset_alignment = limits.minTexelBufferOffsetAlignment;
  capabilities.max_push_constants = limits.maxPushConstantsSize;
  return capabilities;
}

PhysicalDevice query(const Instance& instance, VkPhysicalDevice handle, ComputeQueue queue) {
  PhysicalDevice device;
  device.handle = handle;
  device.queue_family = queue.family;
  device.extensions = device_extensions(handle);

  VkPhysicalDeviceProperties basic{};
  vkGetPhysicalDeviceProperties(handle, &basic);
  device.api_version = std::min(basic.apiVersion, instance.api_version());
  const auto offers = [&](uint32_t core_since, std::string_view extension) {
    return device.api_version >= core_since || device.has_extension(extension);
  };
  const bool has_driver_properties =
      offers(VK_API_VERSION_1_2, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME);
  const bool has_8bit_storage = offers(VK_API_VERSION_1_2, VK_KHR_8BIT_STORAGE_EXTENSION_NAME);
  const bool has_int8 = offers(VK_API_VERSION_1_2, VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME);
  const bool has_integer_dot_product =
      offers(VK_API_VERSION_1_3, VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME);

  const bool has_subgroup_size_control =
      offers(VK_API_VERSION_1_3, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME);

  VkPhysicalDeviceProperties2 properties{};
  properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
  VkPhysicalDeviceIDProperties identity{};
  identity.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES;
  prepend(properties, identity);
  VkPhysicalDeviceMaintenance3Properties maintenance{};
  maintenance.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES;
  prepend(properties, maintenance);
  VkPhysicalDeviceSubgroupProperties subgroup{};
  subgroup.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES;
  prepend(properties, subgroup);
  VkPhysicalDeviceDriverProperties driver{};
  driver.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES;
  if (has_driver_properties) {
    prepend(properties, driver);
  }
  VkPhysicalDeviceShaderIntegerDotProductProperties dot_properties{};
  dot_properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES;
  if (has_integer_dot_product) {
    prepend(properties, dot_properties);
  }
  VkPhysicalDeviceSubgroupSizeControlProperties subgroup_sizes{};
  subgroup_sizes.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES;
  if (has_subgroup_size_control) {
    prepend(properties, subgroup_sizes);
  }
  vkGetPhysicalDeviceProperties2(handle, &properties);

  VkPhysicalDeviceFeatures2 features{};
  features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  VkPhysicalDevice8BitStorageFeatures storage_8bit{};
  storage_8bit.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES;
  if (has_8bit_storage) {
    prepend(features, storage_8bit);
  }
  VkPhysicalDeviceShaderFloat16Int8Features int8{};
  int8.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES;
  if (has_int8) {
    prepend(features, int8);
  }
  VkPhysicalDeviceShaderIntegerDotProductFeatures dot{};
  dot.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES;
  if (has_integer_dot_product) {
    prepend(features, dot);
  }
  VkPhysicalDeviceSubgroupSizeControlFeatures subgroup_size_control{};
  subgroup_size_control.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES;
  if (has_subgroup_size_control) {
    prepend(features, subgroup_size_control);
  }
  vkGetPhysicalDeviceFeatures2(handle, &features);
  vkGetPhysicalDeviceMemoryProperties(handle, &device.memory);

  std::copy_n(basic.pipelineCacheUUID, VK_UUID_SIZE, device.pipeline_cache_uuid.begin());
  device.max_allocation_bytes = maintenance.maxMemoryAllocationSize;

  device.capabilities = limits_of(basic.limits);
  device.capabilities.subgroup_size = std::max(subgroup.subgroupSize, 1u);
  device.capabilities.subgroup_arithmetic =
      (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0 &&
      (subgroup.supportedOperations & VK_SUBGROUP_FEATURE_ARITHMETIC_BIT) != 0;
  if (subgroup_size_control.subgroupSizeControl == VK_TRUE &&
      (subgroup_sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0) {
    device.capabilities.min_subgroup_size = subgroup_sizes.minSubgroupSize;
    device.capabilities.max_subgroup_size = subgroup_sizes.maxSubgroupSize;
    device.capabilities.max_workgroup_subgroups = subgroup_sizes.maxComputeWorkgroupSubgroups;
  }
  device.capabilities.storage_8bit = storage_8bit.storageBuffer8BitAccess == VK_TRUE;
  device.capabilities.shader_int8 = int8.shaderInt8 == VK_TRUE;
  device.capabilities.integer_dot_product = dot.shaderIntegerDotProduct == VK_TRUE;
  device.capabilities.integer_dot_product_accelerated =
      device.capabilities.integer_dot_product &&
      dot_properties.integerDotProduct4x8BitPackedSignedAccelerated == VK_TRUE;
  if (device.capabilities.shader_int8) {
    device.capabilities.cooperative_matrices = query_cooperative_matrices(instance.get(), device);
  }
  device.capabilities.unified_memory = has_unified_memory(basic.deviceType, device.memory);
  device.capabilities.timestamps =
      queue.timestamp_valid_bits > 0 && basic.limits.timestampPeriod > 0;
  if (device.capabilities.timestamps) {
    device.timestamp_valid_bits = queue.timestamp_valid_bits;
    device.timestamp_period_ns = basic.limits.timestampPeriod;
  }
  device.capabilities.device_class = classify({basic.deviceType, basic.vendorID, driver.driverID});
  device.quirks = quirks_of(driver.driverID);
  apply_quirks(device.quirks, device.capabilities);

  device.description.backend = "vulkan";
  device.description.name = basic.deviceName;
  device.description.kind = kind_of(basic.deviceType);
  device.description.driver = has_driver_properties
                                  ? fmt::format("{} {}", driver.driverName, driver.driverInfo)
                                  : fmt::format("version {:#x}", basic.driverVersion);
  device.description.api_version = version_text(basic.apiVersion);
  device.description.vendor_id = basic.vendorID;
  device.description.device_id = basic.deviceID;
  device.description.driver_version = basic.driverVersion;
  device.description.device_uuid = hexadecimal(identity.deviceUUID);
  device.description.driver_uuid = hexadecimal(identity.driverUUID);
  device.description.capabilities = describe(device.capabilities);
  return device;
}

}  // namespace

bool PhysicalDevice::has_extension(std::string_view name) const {
  return std::find(extensions.begin(), extensions.end(), name) != extensions.end();
}

Result<std::vector<PhysicalDevice>> find_physical_devices(const Instance& instance) {
  auto handles = instance.physical_devices();
  if (!handles) {
    return tl::unexpected(handles.error());
  }
  std::vector<PhysicalDevice> devices;
  for (VkPhysicalDevice handle : *handles) {
    if (const auto queue = find_compute_queue(handle)) {
      devices.push_back(query(instance, handle, *queue));
    }
  }
  std::stable_sort(devices.begin(), devices.end(),
                   [](const PhysicalDevice& a, const PhysicalDevice& b) {
                     return a.description.kind < b.description.kind;
                   });
  return devices;
}

}  // namespace lockstep::backend::vulkan
