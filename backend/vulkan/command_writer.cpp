#include "backend/vulkan/command_writer.h"

#include "backend/vulkan/result.h"

namespace lockstep::backend::vulkan {

Status CommandWriter::begin(VkCommandBufferUsageFlags usage) {
  const VolkDeviceTable& vk = device_.functions();
  VkCommandBufferAllocateInfo allocation{};
  allocation.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  allocation.commandPool = pool_;
  allocation.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  allocation.commandBufferCount = 1;
  if (Status status = check(vk.vkAllocateCommandBuffers(device_.get(), &allocation, &commands_),
                            "vkAllocateCommandBuffers");
      !status) {
    return status;
  }
  VkCommandBufferBeginInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  info.flags = usage;
  return check(vk.vkBeginCommandBuffer(commands_, &info), "vkBeginCommandBuffer");
}

Result<VkCommandBuffer> CommandWriter::end() {
  if (Status status =
          check(device_.functions().vkEndCommandBuffer(commands_), "vkEndCommandBuffer");
      !status) {
    return tl::unexpected(status.error());
  }
  return std::exchange(commands_, VK_NULL_HANDLE);
}

void CommandWriter::barrier(VkPipelineStageFlags destination_stages) {
  constexpr VkPipelineStageFlags kTransfer = VK_PIPELINE_STAGE_TRANSFER_BIT;
  constexpr VkPipelineStageFlags kCompute = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT;
  VkMemoryBarrier barrier{};
  barrier.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER;
  VkPipelineStageFlags source_stages = kCompute;
  barrier.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT;
  if (transfers_pending_) {
    source_stages |= kTransfer;
    barrier.srcAccessMask |= VK_ACCESS_TRANSFER_WRITE_BIT;
  }
  if (destination_stages & kCompute) {
    barrier.dstAccessMask |= VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT;
  }
  if (destination_stages & kTransfer) {
    barrier.dstAccessMask |= VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
  }
  if (destination_stages & VK_PIPELINE_STAGE_HOST_BIT) {
    barrier.dstAccessMask |= VK_ACCESS_HOST_READ_BIT;
  }
  device_.functions().vkCmdPipelineBarrier(commands_, source_stages, destination_stages, 0, 1,
                                           &barrier, 0, nullptr, 0, nullptr);
  transfers_pending_ = false;
}

void CommandWriter::copy(VkBuffer source, VkBuffer destination,
                         std::span<const VkBufferCopy> regions) {
  device_.functions().vkCmdCopyBuffer(commands_, source, destination,
                                      static_cast<uint32_t>(regions.size()), regions.data());
  transfers_pending_ = true;
}

void CommandWriter::fill(VkBuffer buffer, uint32_t word) {
  device_.functions().vkCmdFillBuffer(commands_, buffer, 0, VK_WHOLE_SIZE, word);
  transfers_pending_ = true;
}

void CommandWriter::dispatch(const Dispatch& dispatch, const Pipeline& pipeline,
                             VkDescriptorSet descriptors, const WorkgroupRange& workgroups) {
  const VolkDeviceTable& vk = device_.functions();
  const std::vector<uint32_t>& push_constants = dispatch.push_constants;
  vk.vkCmdBindPipeline(commands_, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.pipeline);
  vk.vkCmdBindDescriptorSets(commands_, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.layout, 0, 1,
                             &descriptors, 0, nullptr);
  if (!push_constants.empty()) {
    vk.vkCmdPushConstants(commands_, pipeline.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                          static_cast<uint32_t>(push_constants.size() * sizeof(uint32_t)),
                          push_constants.data());
  }
  const auto& [base, count] = workgroups;
  if (base == std::array<uint32_t, 3>{}) {
    vk.vkCmdDispatch(commands_, count[0], count[1], count[2]);
  } else {
    vk.vkCmdDispatchBase(commands_, base[0], base[1], base[2], count[0], count[1], count[2]);
  }
}

void CommandWriter::reset_queries(VkQueryPool queries, uint32_t count) {
  device_.functions().vkCmdResetQueryPool(commands_, queries, 0, count);
}

void CommandWriter::timestamp(VkQueryPool queries, uint32_t query) {
  device_.functions().vkCmdWriteTimestamp(commands_, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, queries,
                                          query);
}

}  // namespace lockstep::backend::vulkan
