// Kinds of devices that want different kernels, and what each of them wants: the heuristics that
// order the kernels of an operator until somebody measures (tuning.h). They decide speed and
// nothing else: every kernel gives the same bits, and a preference for what a device cannot do is
// void.
#pragma once

#include <volk.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace lockstep::backend::vulkan {

enum class DeviceClass : uint8_t {
  kUnknown,
  kCpuLike,  // a driver that runs shaders on the processor: lavapipe, SwiftShader
  kNvidia,
  kAmd,  // Samsung's Xclipse is one too
  kIntel,
  kAdreno,
  kMali,
  kPowerVr,
  kApple,
};

inline constexpr DeviceClass kAllDeviceClasses[] = {
    DeviceClass::kUnknown, DeviceClass::kCpuLike, DeviceClass::kNvidia,
    DeviceClass::kAmd,     DeviceClass::kIntel,   DeviceClass::kAdreno,
    DeviceClass::kMali,    DeviceClass::kPowerVr, DeviceClass::kApple};

// "unknown", "cpu-like", "nvidia", "amd", "intel", "adreno", "mali", "powervr", "apple".
std::string_view device_class_name(DeviceClass device_class);
std::optional<DeviceClass> parse_device_class(std::string_view name);

// What tells classes apart. `driver` is 0 where the driver does not say.
struct DeviceIdentity {
  VkPhysicalDeviceType type = VK_PHYSICAL_DEVICE_TYPE_OTHER;
  uint32_t vendor_id = 0;
  VkDriverId driver{};
};

// The type decides first, because a processor's vendor also makes GPUs; then the vendor, whatever
// driver is installed; then the driver, where layers over another API hide the vendor.
DeviceClass classify(const DeviceIdentity& identity);

// Which kernels a class prefers among those that its devices can run.
struct KernelPreferences {
  bool cooperative_matrix = false;
  // Tiles of the operands go through shared memory; otherwise every invocation loads its own.
  bool shared_memory_staging = false;
  // Of a product with a vector, several invocations share the sums of an output.
  bool split_depth = false;
};

const KernelPreferences& preferences_of(DeviceClass device_class);

}  // namespace lockstep::backend::vulkan
