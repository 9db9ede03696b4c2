// An opened device: the VkDevice, its one compute queue and the functions to call it with.
#pragma once

#include <volk.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <span>

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

  // Queues the commands as one submission; `fence`, where there is one, is signalled when they and
  // everything submitted before are done. Thread-safe.
  Status submit(std::span<const VkCommandBuffer> commands, VkFence fence);
  Status submit(VkCommandBuffer commands, VkFence fence) { return submit({&commands, 1}, fence); }

  // Waits, for as long as it takes, until nothing that was submitted is under way. Thread-safe.
  Status wait_until_idle();

  // Waits until `fence` is signalled. kDeviceLost when the device is lost, or does not finish
  // within minutes, which no network takes: it hangs, and `fence` stays in use. So, too, soon after
  // `is_given_up`, where there is one, became true.
  Status wait(VkFence fence, const std::atomic<bool>* is_given_up = nullptr) const;

 private:
  LogicalDevice(std::shared_ptr<Instance> instance, PhysicalDevice physical,
                const Capabilities& capabilities);
  // Whether pipelines are made that name their subgroup size: all of them, or those of kernels
  // whose matrices belong to one size (Dispatch::subgroup_size).
  bool asks_for_subgroup_sizes() const;
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
