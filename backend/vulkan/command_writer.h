// Writes commands into command buffers and orders them: copies and dispatches, and barriers that
// know which of the two came before.
#pragma once

#include <volk.h>

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "backend/vulkan/kernel.h"
#include "backend/vulkan/logical_device.h"
#include "backend/vulkan/pipeline.h"

namespace lockstep::backend::vulkan {

// Workgroups [base, base + count) of a dispatch.
struct WorkgroupRange {
  std::array<uint32_t, 3> base{};
  std::array<uint32_t, 3> count{1, 1, 1};
  bool operator==(const WorkgroupRange&) const = default;
};

// Used by one thread, like the pool. Barriers reach over the end of a command buffer into the next
// one, as they do on the device, when the buffers are submitted in the order they were written in.
class CommandWriter {
 public:
  CommandWriter(const LogicalDevice& device, VkCommandPool pool) : device_(device), pool_(pool) {}

  // Starts a command buffer, which the pool owns; what was started before must have ended.
  Status begin(VkCommandBufferUsageFlags usage = 0);
  Result<VkCommandBuffer> end();

  // Orders all earlier commands before all later ones of the stages (compute, transfer, host).
  void barrier(VkPipelineStageFlags destination_stages);

  void copy(VkBuffer source, VkBuffer destination, std::span<const VkBufferCopy> regions);
  void fill(VkBuffer buffer, uint32_t word);
  // A base other than zero needs PipelineKey::dispatch_base.
  void dispatch(const Dispatch& dispatch, const Pipeline& pipeline, VkDescriptorSet descriptors,
                const WorkgroupRange& workgroups);
  void reset_queries(VkQueryPool queries, uint32_t count);
  // The device's clock when all earlier commands are done.
  void timestamp(VkQueryPool queries, uint32_t query);

 private:
  const LogicalDevice& device_;
  const VkCommandPool pool_;
  VkCommandBuffer commands_ = VK_NULL_HANDLE;
  bool transfers_pending_ = false;  // copies were written since the last barrier
};

}  // namespace lockstep::backend::vulkan
