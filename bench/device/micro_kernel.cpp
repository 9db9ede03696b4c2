#include "bench/device/micro_kernel.h"

#include <chrono>

#include "backend/vulkan/result.h"
#include "bench/device/bench_modules.h"

namespace lockstep::bench {
namespace {

using backend::vulkan::check;
using backend::vulkan::Handle;
using backend::vulkan::LogicalDevice;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

Result<MicroKernel> MicroKernel::create(const LogicalDevice& device, Settings settings) {
  const std::span<const uint32_t> code = find_module(settings.module);
  if (code.empty()) {
    return make_error(ErrorCode::kInternal, "this build has no benchmark shader '{}'",
                      settings.module);
  }
  const VolkDeviceTable& vk = device.functions();
  MicroKernel kernel;
  kernel.device_ = &device;
  kernel.settings_ = std::move(settings);
  const auto binding_count = static_cast<uint32_t>(kernel.settings_.buffers.size());

  std::vector<VkDescriptorSetLayoutBinding> bindings(binding_count);
  for (uint32_t i = 0; i < binding_count; ++i) {
    bindings[i].binding = i;
    bindings[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    bindings[i].descriptorCount = 1;
    bindings[i].stageFlags = VK_SHADER_STAGE_COMPUTE_BIT;
  }
  VkDescriptorSetLayoutCreateInfo set_info{};
  set_info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO;
  set_info.bindingCount = binding_count;
  set_info.pBindings = bindings.data();
  VkDescriptorSetLayout set_layout = VK_NULL_HANDLE;
  if (Status status =
          check(vk.vkCreateDescriptorSetLayout(device.get(), &set_info, nullptr, &set_layout),
                "vkCreateDescriptorSetLayout");
      !status) {
    return tl::unexpected(status.error());
  }
  kernel.set_layout_ = Handle(device.get(), set_layout, vk.vkDestroyDescriptorSetLayout);

  VkPushConstantRange push_range{};
  push_range.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT;
  push_range.size =
      static_cast<uint32_t>(kernel.settings_.push_constants.size() * sizeof(uint32_t));
  VkPipelineLayoutCreateInfo layout_info{};
  layout_info.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO;
  layout_info.setLayoutCount = 1;
  layout_info.pSetLayouts = &set_layout;
  layout_info.pushConstantRangeCount = push_range.size > 0 ? 1 : 0;
  layout_info.pPushConstantRanges = &push_range;
  VkPipelineLayout pipeline_layout = VK_NULL_HANDLE;
  if (Status status =
          check(vk.vkCreatePipelineLayout(device.get(), &layout_info, nullptr, &pipeline_layout),
                "vkCreatePipelineLayout");
      !status) {
    return tl::unexpected(status.error());
  }
  kernel.pipeline_layout_ = Handle(device.get(), pipeline_layout, vk.vkDestroyPipelineLayout);

  VkShaderModuleCreateInfo module_info{};
  module_info.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO;
  module_info.codeSize = code.size_bytes();
  module_info.pCode = code.data();
  VkShaderModule shader_module = VK_NULL_HANDLE;
  if (Status status =
          check(vk.vkCreateShaderModule(device.get(), &module_info, nullptr, &shader_module),
                "vkCreateShaderModule");
      !status) {
    return tl::unexpected(status.error());
  }
  const Handle module_owner(device.get(), shader_module, vk.vkDestroyShaderModule);

  const std::vector<uint32_t>& constants = kernel.settings_.specialization;
  std::vector<VkSpecializationMapEntry> entries(constants.size());
  for (uint32_t i = 0; i < entries.size(); ++i) {
    entries[i] = {i, i * uint32_t{sizeof(uint32_t)}, sizeof(uint32_t)};
  }
  VkSpecializationInfo specialization{};
  specialization.mapEntryCount = static_cast<uint32_t>(entries.size());
  specialization.pMapEntries = entries.data();
  specialization.dataSize = constants.size() * sizeof(uint32_t);
  specialization.pData = constants.data();
  VkComputePipelineCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO;
  info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
  info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  info.stage.module = shader_module;
  info.stage.pName = "main";
  info.stage.pSpecializationInfo = &specialization;
  VkPipelineShaderStageRequiredSubgroupSizeCreateInfo subgroup_size{};
  subgroup_size.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO;
  subgroup_size.requiredSubgroupSize = kernel.settings_.subgroup_size;
  if (subgroup_size.requiredSubgroupSize > 0) info.stage.pNext = &subgroup_size;
  info.layout = pipeline_layout;
  VkPipeline pipeline = VK_NULL_HANDLE;
  const Clock::time_point start = Clock::now();
  if (Status status = check(
          vk.vkCreateComputePipelines(device.get(), VK_NULL_HANDLE, 1, &info, nullptr, &pipeline),
          fmt::format("vkCreateComputePipelines for the benchmark shader '{}'",
                      kernel.settings_.module));
      !status) {
    return tl::unexpected(status.error());
  }
  kernel.creation_seconds_ = seconds_since(start);
  kernel.pipeline_ = Handle(device.get(), pipeline, vk.vkDestroyPipeline);

  const VkDescriptorPoolSize pool_size{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, binding_count};
  VkDescriptorPoolCreateInfo pool_info{};
  pool_info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO;
  pool_info.maxSets = 1;
  pool_info.poolSizeCount = 1;
  pool_info.pPoolSizes = &pool_size;
  VkDescriptorPool pool = VK_NULL_HANDLE;
  if (Status status = check(vk.vkCreateDescriptorPool(device.get(), &pool_info, nullptr, &pool),
                            "vkCreateDescriptorPool");
      !status) {
    return tl::unexpected(status.error());
  }
  kernel.descriptor_pool_ = Handle(device.get(), pool, vk.vkDestroyDescriptorPool);
  VkDescriptorSetAllocateInfo allocation{};
  allocation.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO;
  allocation.descriptorPool = pool;
  allocation.descriptorSetCount = 1;
  allocation.pSetLayouts = &set_layout;
  if (Status status =
          check(vk.vkAllocateDescriptorSets(device.get(), &allocation, &kernel.descriptors_),
                "vkAllocateDescriptorSets");
      !status) {
    return tl::unexpected(status.error());
  }
  std::vector<VkDescriptorBufferInfo> ranges;
  for (const backend::vulkan::Buffer* buffer : kernel.settings_.buffers) {
    ranges.push_back({buffer->get(), 0, VK_WHOLE_SIZE});
  }
  std::vector<VkWriteDescriptorSet> writes(binding_count);
  for (uint32_t i = 0; i < binding_count; ++i) {
    writes[i].sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
    writes[i].dstSet = kernel.descriptors_;
    writes[i].dstBinding = i;
    writes[i].descriptorCount = 1;
    writes[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    writes[i].pBufferInfo = &ranges[i];
  }
  vk.vkUpdateDescriptorSets(device.get(), binding_count, writes.data(), 0, nullptr);
  kernel.settings_.buffers.clear();
  return kernel;
}

void MicroKernel::record(VkCommandBuffer commands) const {
  const VolkDeviceTable& vk = device_->functions();
  vk.vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline_.get());
  vk.vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline_layout_.get(), 0, 1,
                             &descriptors_, 0, nullptr);
  if (!settings_.push_constants.empty()) {
    vk.vkCmdPushConstants(commands, pipeline_layout_.get(), VK_SHADER_STAGE_COMPUTE_BIT, 0,
                          static_cast<uint32_t>(settings_.push_constants.size() * sizeof(uint32_t)),
                          settings_.push_constants.data());
  }
  vk.vkCmdDispatch(commands, settings_.workgroups[0], settings_.workgroups[1],
                   settings_.workgroups[2]);
}

Result<TimedCommands> TimedCommands::create(const LogicalDevice& device, const Record& record) {
  const VolkDeviceTable& vk = device.functions();
  TimedCommands timed;
  // Submitting needs the device's lock; nothing else changes it.
  timed.device_ = const_cast<LogicalDevice*>(&device);

  VkCommandPoolCreateInfo pool_info{};
  pool_info.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
  pool_info.queueFamilyIndex = device.physical().queue_family;
  VkCommandPool pool = VK_NULL_HANDLE;
  if (Status status = check(vk.vkCreateCommandPool(device.get(), &pool_info, nullptr, &pool),
                            "vkCreateCommandPool");
      !status) {
    return tl::unexpected(status.error());
  }
  timed.pool_ = Handle(device.get(), pool, vk.vkDestroyCommandPool);
  VkFenceCreateInfo fence_info{};
  fence_info.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO;
  VkFence fence = VK_NULL_HANDLE;
  if (Status status =
          check(vk.vkCreateFence(device.get(), &fence_info, nullptr, &fence), "vkCreateFence");
      !status) {
    return tl::unexpected(status.error());
  }
  timed.fence_ = Handle(device.get(), fence, vk.vkDestroyFence);
  if (device.capabilities().timestamps) {
    VkPhysicalDeviceProperties properties{};
    vkGetPhysicalDeviceProperties(device.physical().handle, &properties);
    timed.seconds_per_tick_ = static_cast<double>(properties.limits.timestampPeriod) * 1e-9;
    uint32_t families = 0;
    vkGetPhysicalDeviceQueueFamilyProperties(device.physical().handle, &families, nullptr);
    std::vector<VkQueueFamilyProperties> family(families);
    vkGetPhysicalDeviceQueueFamilyProperties(device.physical().handle, &families, family.data());
    const uint32_t bits = family[device.physical().queue_family].timestampValidBits;
    timed.valid_ticks_ = bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
    VkQueryPoolCreateInfo query_info{};
    query_info.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO;
    query_info.queryType = VK_QUERY_TYPE_TIMESTAMP;
    query_info.queryCount = 2;
    VkQueryPool queries = VK_NULL_HANDLE;
    if (Status status = check(vk.vkCreateQueryPool(device.get(), &query_info, nullptr, &queries),
                              "vkCreateQueryPool");
        !status) {
      return tl::unexpected(status.error());
    }
    timed.queries_ = Handle(device.get(), queries, vk.vkDestroyQueryPool);
  }

  VkCommandBufferAllocateInfo allocation{};
  allocation.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  allocation.commandPool = pool;
  allocation.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  allocation.commandBufferCount = 1;
  if (Status status =
          check(vk.vkAllocateCommandBuffers(device.get(), &allocation, &timed.commands_),
                "vkAllocateCommandBuffers");
      !status) {
    return tl::unexpected(status.error());
  }
  VkCommandBufferBeginInfo begin{};
  begin.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  if (Status status =
          check(vk.vkBeginCommandBuffer(timed.commands_, &begin), "vkBeginCommandBuffer");
      !status) {
    return tl::unexpected(status.error());
  }
  if (timed.queries_) {
    vk.vkCmdResetQueryPool(timed.commands_, timed.queries_.get(), 0, 2);
    vk.vkCmdWriteTimestamp(timed.commands_, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, timed.queries_.get(),
                           0);
  }
  record(timed.commands_);
  // What the next run writes again, and what the host reads.
  record_barrier(device, timed.commands_);
  if (timed.queries_) {
    vk.vkCmdWriteTimestamp(timed.commands_, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT,
                           timed.queries_.get(), 1);
  }
  if (Status status = check(vk.vkEndCommandBuffer(timed.commands_), "vkEndCommandBuffer");
      !status) {
    return tl::unexpected(status.error());
  }
  return timed;
}

Result<SubmissionTime> TimedCommands::run() {
  const VolkDeviceTable& vk = device_->functions();
  const VkFence fence = fence_.get();
  if (Status status = check(vk.vkResetFences(device_->get(), 1, &fence), "vkResetFences");
      !status) {
    return tl::unexpected(status.error());
  }
  SubmissionTime time;
  const Clock::time_point start = Clock::now();
  if (Status status = device_->submit(commands_, fence); !status) {
    return tl::unexpected(status.error());
  }
  if (Status status = device_->wait(fence); !status) return tl::unexpected(status.error());
  time.host_seconds = seconds_since(start);
  if (queries_) {
    std::array<uint64_t, 2> ticks{};
    if (Status status =
            check(vk.vkGetQueryPoolResults(device_->get(), queries_.get(), 0, 2, sizeof(ticks),
                                           ticks.data(), sizeof(uint64_t),
                                           VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT),
                  "vkGetQueryPoolResults");
        !status) {
      return tl::unexpected(status.error());
    }
    time.device_seconds =
        static_cast<double>((ticks[1] - ticks[0]) & valid_ticks_) * seconds_per_tick_;
  }
  return time;
}

void record_barrier(const LogicalDevice& device, VkCommandBuffer commands) {
  constexpr VkPipelineStageFlags kDeviceStages =
      VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
  VkMemoryBarrier barrier{};
  barrier.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER;
  barrier.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
  barrier.dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                          VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT |
                          VK_ACCESS_HOST_READ_BIT;
  device.functions().vkCmdPipelineBarrier(commands, kDeviceStages,
                                          kDeviceStages | VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
                                          &barrier, 0, nullptr, 0, nullptr);
}

}  // namespace lockstep::bench
