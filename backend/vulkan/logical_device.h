// An opened device: the VkDevice, its one compute queue and the functions to call it with.
#pragma once

#include <volk.h>

#include <memory>
#include <mutex>

#include "backend/vulkan/capabilities.h"
#include "backend/vulkan/instance.h"
#include "backend/vulkan/physical_device.h"

namespace lockstep::backend::vulkan {

class LogicalDevice {
 public:
  // Opens the device with exactly the optional features that `capabilities` (masked) still has.
  static Result<std::unique_ptr<LogicalDevice>> create(std::shared_ptr<Instance> instance,
                                                       PhysicalDevice physical,
                                                       const Capabilities& capabilities);
  ~LogicalDevice();
  LogicalDevice(const LogicalDevice&) = delete;
  LogicalDevice& operator=(const LogicalDevice&) = delete;

  VkDevice get() const { return device_; }
  const VolkDeviceTable& functions() const { return functions_; }
  const PhysicalDevice& physical() const { return physical_; }
  const Capabilities& capabilities() const { return capabilities_; }

  // Queues the commands; `fence` is signalled when they are done. Thread-safe.
  Status submit(VkCommandBuffer commands, VkFence fence);

  // Waits until `fence` is signalled. kDeviceLost when the device is lost, or does not finish
  // within minutes, which no network takes: it hangs, and `fence` stays in use.
  Status wait(VkFence fence) const;

 private:
  LogicalDevice(std::shared_ptr<Instance> instance, PhysicalDevice physical,
                const Capabilities& capabilities);
  Status initialize();

  std::shared_ptr<Instance> instance_;
  PhysicalDevice physical_;
  Capabilities capabilities_;
  VkDevice device_ = VK_NULL_HANDLE;
  VkQueue queue_ = VK_NULL_HANDLE;
  VolkDeviceTable functions_{};
  std::mutex queue_mutex_;
};

}  // namespace lockstep::backend::vulkan
