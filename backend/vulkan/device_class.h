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

// How products are formed.
enum class MultiplyForm : uint8_t {
  kIntegerDotProduct,  // OpSDot on packed 4x8 bits
  kExactFloat,         // fp32 multiply-add, exact for sums below 2^24
  kInteger,            // 32-bit integers
};

// What a class prefers among the kernels that its devices can run.
struct KernelPreferences {
  MultiplyForm multiply = MultiplyForm::kInteger;
  // Integer dot products only where the driver calls them accelerated; elsewhere they are made of
  // shifts and multiplications.
  bool dot_product_only_if_accelerated = true;
  bool cooperative_matrix = false;
  // Tiles of the operands go through shared memory; otherwise every invocation loads its own.
  bool shared_memory_staging = false;
  // Accumulators of one invocation: more reuse what was loaded, too many spill.
  uint32_t accumulators = 16;
  // Of a workgroup that has no reason for another size.
  uint32_t invocations = 64;
};

const KernelPreferences& preferences_of(DeviceClass device_class);

}  // namespace lockstep::backend::vulkan
