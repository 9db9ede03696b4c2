// The process's connection to the Vulkan loader.
//
// With LOCKSTEP_VALIDATION=1 in the environment the Khronos validation layer is switched on,
// synchronization checks included; its warnings and errors go to stderr and are counted.
#pragma once

#include <volk.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "graph/status.h"

namespace lockstep::backend::vulkan {

enum class ValidationState : uint8_t {
  kOff,           // not asked for, or no instance was made yet
  kActive,        // the layer watches every call
  kLayerMissing,  // asked for, but not installed
};

// What the last instance made in this process got.
ValidationState validation_state();

// Warnings and errors of the validation layer in this process so far.
uint64_t validation_error_count();

class Instance {
 public:
  // The instance shared by everyone in the process: made at the first call, destroyed with its last
  // owner. Thread-safe. kDeviceUnavailable when there is no Vulkan 1.1 loader or no driver.
  static Result<std::shared_ptr<Instance>> shared();

  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  VkInstance get() const { return instance_; }
  // The highest version this program uses, capped by the loader's.
  uint32_t api_version() const { return api_version_; }

  // Devices with Vulkan 1.1 or later, in the loader's order.
  Result<std::vector<VkPhysicalDevice>> physical_devices() const;

 private:
  Instance() = default;
  Status initialize();

  VkInstance instance_ = VK_NULL_HANDLE;
  VkDebugUtilsMessengerEXT messenger_ = VK_NULL_HANDLE;
  // volk's globals may already be changing for the next instance while this one is destroyed.
  PFN_vkDestroyInstance destroy_instance_ = nullptr;
  PFN_vkDestroyDebugUtilsMessengerEXT destroy_messenger_ = nullptr;
  uint32_t api_version_ = 0;
};

}  // namespace lockstep::backend::vulkan
