#include "backend/vulkan/device_class.h"

#include <algorithm>
#include <utility>

namespace lockstep::backend::vulkan {
namespace {

// PCI vendor ids, and the ids Khronos gives to vendors that have none.
constexpr std::pair<uint32_t, DeviceClass> kVendors[] = {
    {0x10de, DeviceClass::kNvidia},  {0x1002, DeviceClass::kAmd},    {0x1022, DeviceClass::kAmd},
    {0x144d, DeviceClass::kAmd},  // Samsung: Xclipse has AMD's architecture
    {0x8086, DeviceClass::kIntel},   {0x5143, DeviceClass::kAdreno}, {0x13b5, DeviceClass::kMali},
    {0x1010, DeviceClass::kPowerVr}, {0x106b, DeviceClass::kApple},
};

// For drivers that stand between another API or a virtual machine and the device.
DeviceClass class_of_driver(VkDriverId driver) {
  // Mesa's driver for Apple's GPUs; older headers do not name it.
  constexpr int kHoneykrisp = 26;
  if (static_cast<int>(driver) == kHoneykrisp) {
    return DeviceClass::kApple;
  }
  switch (driver) {
    case VK_DRIVER_ID_MESA_LLVMPIPE:
    case VK_DRIVER_ID_GOOGLE_SWIFTSHADER:
      return DeviceClass::kCpuLike;
    case VK_DRIVER_ID_NVIDIA_PROPRIETARY:
    case VK_DRIVER_ID_MESA_NVK:
      return DeviceClass::kNvidia;
    case VK_DRIVER_ID_AMD_PROPRIETARY:
    case VK_DRIVER_ID_AMD_OPEN_SOURCE:
    case VK_DRIVER_ID_MESA_RADV:
    case VK_DRIVER_ID_SAMSUNG_PROPRIETARY:
      return DeviceClass::kAmd;
    case VK_DRIVER_ID_INTEL_PROPRIETARY_WINDOWS:
    case VK_DRIVER_ID_INTEL_OPEN_SOURCE_MESA:
      return DeviceClass::kIntel;
    case VK_DRIVER_ID_QUALCOMM_PROPRIETARY:
    case VK_DRIVER_ID_MESA_TURNIP:
      return DeviceClass::kAdreno;
    case VK_DRIVER_ID_ARM_PROPRIETARY:
    case VK_DRIVER_ID_MESA_PANVK:
      return DeviceClass::kMali;
    case VK_DRIVER_ID_IMAGINATION_PROPRIETARY:
    case VK_DRIVER_ID_IMAGINATION_OPEN_SOURCE_MESA:
      return DeviceClass::kPowerVr;
    case VK_DRIVER_ID_MOLTENVK:
      return DeviceClass::kApple;
    default:
      return DeviceClass::kUnknown;
  }
}

// Measured on lavapipe: staging through shared memory, which is ordinary memory there, halves the
// speed.
constexpr KernelPreferences kCpuLikePreferences{};

// Desktop GPUs: matrix units where the driver offers them (the public Vulkan matrix kernels of
// llama.cpp reach 56 % of CUDA with them and 38 % with dot products); shared memory is fast.
constexpr KernelPreferences kDesktopPreferences{
    .cooperative_matrix = true, .shared_memory_staging = true, .split_depth = true};

// Mobile GPUs. Direct convolution beats a matrix in between on Adreno (executorch#17794). Shared
// memory of Mali is ordinary memory behind the same cache, so that staging buys nothing there.
constexpr KernelPreferences kMobilePreferences{.split_depth = true};

constexpr KernelPreferences kApplePreferences{.shared_memory_staging = true, .split_depth = true};

// Nothing known: what a driver offers.
constexpr KernelPreferences kUnknownPreferences{.cooperative_matrix = true};

}  // namespace

std::string_view device_class_name(DeviceClass device_class) {
  switch (device_class) {
    case DeviceClass::kUnknown:
      break;
    case DeviceClass::kCpuLike:
      return "cpu-like";
    case DeviceClass::kNvidia:
      return "nvidia";
    case DeviceClass::kAmd:
      return "amd";
    case DeviceClass::kIntel:
      return "intel";
    case DeviceClass::kAdreno:
      return "adreno";
    case DeviceClass::kMali:
      return "mali";
    case DeviceClass::kPowerVr:
      return "powervr";
    case DeviceClass::kApple:
      return "apple";
  }
  return "unknown";
}

std::optional<DeviceClass> parse_device_class(std::string_view name) {
  for (const DeviceClass device_class : kAllDeviceClasses) {
    if (device_class_name(device_class) == name) {
      return device_class;
    }
  }
  return std::nullopt;
}

DeviceClass classify(const DeviceIdentity& identity) {
  if (identity.type == VK_PHYSICAL_DEVICE_TYPE_CPU) {
    return DeviceClass::kCpuLike;
  }
  const auto* const vendor =
      std::ranges::find(kVendors, identity.vendor_id, &std::pair<uint32_t, DeviceClass>::first);
  return vendor == std::end(kVendors) ? class_of_driver(identity.driver) : vendor->second;
}

const KernelPreferences& preferences_of(DeviceClass device_class) {
  switch (device_class) {
    case DeviceClass::kCpuLike:
      return kCpuLikePreferences;
    case DeviceClass::kNvidia:
    case DeviceClass::kAmd:
    case DeviceClass::kIntel:
      return kDesktopPreferences;
    case DeviceClass::kAdreno:
    case DeviceClass::kMali:
    case DeviceClass::kPowerVr:
      return kMobilePreferences;
    case DeviceClass::kApple:
      return kApplePreferences;
    case DeviceClass::kUnknown:
      break;
  }
  return kUnknownPreferences;
}

}  // namespace lockstep::backend::vulkan
