// From a lowered graph and its kernel plans to a VulkanProgram, in the order of build(): where
// things live, buffers, pipelines, descriptors, commands, and what has to happen once on the
// device.
#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "backend/vulkan/hazards.h"
#include "backend/vulkan/host_layout.h"
#include "backend/vulkan/program.h"
#include "backend/vulkan/program_checks.h"
#include "backend/vulkan/result.h"

namespace lockstep::backend::vulkan {
namespace {

using Memory = TensorPlace::Memory;

// Under validation, memory that kernels must not depend on starts as this instead of zeros.
constexpr uint8_t kPoison = 0xA5;

int64_t align_up(int64_t value, int64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

bool poison_memory() { return validation_state() == ValidationState::kActive; }

}  // namespace

class ProgramBuilder {
 public:
  ProgramBuilder(std::shared_ptr<DeviceContext> context, const graph::LoweredGraph& graph,
                 std::span<const KernelPlan> plans, const CompileOptions& options)
      : device_(*context->device),
        pipelines_store_(context->pipelines),
        vk_(device_.functions()),
        unified_(device_.capabilities().unified_memory),
        rules_(placement_rules(device_.capabilities(), options)),
        is_guarded_(options.guard_memory),
        reverses_unordered_(options.reverse_unordered),
        fill_(is_guarded_       ? options.fill
              : poison_memory() ? kPoison
                                : uint8_t{0}),
        graph_(graph),
        plans_(plans),
        program_(new VulkanProgram()) {
    program_->resources_ = std::make_unique<VulkanProgram::Resources>();
    program_->resources_->context = std::move(context);
  }

  Result<std::unique_ptr<VulkanProgram>> build() {
    for (auto step : {&ProgramBuilder::plan_memory, &ProgramBuilder::create_buffers,
                      &ProgramBuilder::create_pipelines, &ProgramBuilder::create_command_pool,
                      &ProgramBuilder::create_descriptors, &ProgramBuilder::record_run,
                      &ProgramBuilder::prepare_device, &ProgramBuilder::describe}) {
      if (Status status = (this->*step)(); !status) {
        return tl::unexpected(status.error());
      }
    }
    return std::move(program_);
  }

 private:
  struct Block {
    int64_t offset = 0;
    int64_t bytes = 0;
  };
  // A dispatch with everything its commands need.
  struct PreparedDispatch {
    const Dispatch* dispatch;
    size_t operator_index;
    Pipeline pipeline;
    VkDescriptorSet descriptors;
  };
  // A border tensor on its way through a staging buffer.
  struct Transfer {
    int32_t tensor;  // the root
    int64_t staging_offset;
  };

  VulkanProgram::Resources& resources() { return *program_->resources_; }
  const TensorPlace& place(int32_t tensor) const {
    return activations_.places[static_cast<size_t>(tensor)];
  }

  Status plan_memory() {
    auto planned = plan_activations(graph_, plans_, rules_);
    if (!planned) {
      return tl::unexpected(planned.error());
    }
    activations_ = std::move(*planned);
    for (size_t tensor = 0; tensor < activations_.places.size(); ++tensor) {
      if (activations_.places[tensor].memory == Memory::kNone) {
        continue;
      }
      if (Status status =
              check_tensor(graph_, static_cast<int32_t>(tensor), device_.capabilities());
          !status) {
        return status;
      }
    }
    lay_out_constants();
    if (!unified_) {
      upload_bytes_ = lay_out_staging(graph_.inputs, uploads_);
      download_bytes_ = lay_out_staging(graph_.outputs, downloads_);
    }
    return {};
  }

  Block reserve_constant(size_t bytes) {
    const Block block{std::max(constant_bytes_, rules_.guard_bytes),
                      bound_bytes(static_cast<int64_t>(bytes))};
    constant_bytes_ = block.offset + align_up(block.bytes, rules_.alignment) + rules_.guard_bytes;
    return block;
  }

  void lay_out_constants() {
    for (const KernelPlan& plan : plans_) {
      auto& blocks = constant_blocks_.emplace_back();
      for (const std::vector<std::byte>& constant : plan.constants) {
        blocks.push_back(reserve_constant(constant.size()));
      }
    }
    std::map<int32_t, int64_t> offset_of_root;
    for (TensorPlace& place : activations_.places) {
      if (place.memory != Memory::kConstants) {
        continue;
      }
      const auto [found, is_new] = offset_of_root.try_emplace(place.root, 0);
      if (is_new) {
        found->second = reserve_constant(static_cast<size_t>(place.bytes)).offset;
      }
      place.offset = found->second;
    }
  }

  // Gives every distinct non-constant border tensor a place in a staging buffer; its size.
  int64_t lay_out_staging(const std::vector<int32_t>& tensors, std::vector<Transfer>& transfers) {
    int64_t bytes = 0;
    std::set<int32_t> seen;
    for (const int32_t tensor : tensors) {
      if (place(tensor).memory == Memory::kArena && seen.insert(place(tensor).root).second) {
        transfers.push_back({place(tensor).root, bytes});
        bytes += align_up(place(tensor).bytes, rules_.alignment);
      }
    }
    return bytes;
  }

  void write_constants(std::byte* destination) const {
    for (size_t op = 0; op < plans_.size(); ++op) {
      for (size_t i = 0; i < plans_[op].constants.size(); ++i) {
        std::ranges::copy(plans_[op].constants[i], destination + constant_blocks_[op][i].offset);
      }
    }
    for (size_t tensor = 0; tensor < graph_.tensors.size(); ++tensor) {
      const graph::LoweredTensor& source = graph_.tensors[tensor];
      const TensorPlace& where = activations_.places[tensor];
      if (where.memory == Memory::kConstants && where.root == static_cast<int32_t>(tensor)) {
        // Constants are in the signed domain already, which is what int8 means here.
        copy_to_device_layout(graph::DataType::kInt8, layout_of(source), source.constant.data(),
                              destination + where.offset);
      }
    }
  }

  Status create_buffer(Buffer& buffer, int64_t bytes, MemoryUse use, std::string_view purpose) {
    if (bytes == 0) {
      return {};
    }
    auto created = Buffer::create(device_, static_cast<uint64_t>(bytes), use,
                                  fmt::format("{} of '{}'", purpose, graph_.name));
    if (!created) {
      return tl::unexpected(created.error());
    }
    buffer = std::move(*created);
    if (buffer.mapped() != nullptr) {
      std::memset(buffer.mapped(), fill_, buffer.bytes());
    }
    // Where memory is not coherent, this must not wait in a cache and then land on what the device
    // writes.
    return buffer.flush(device_);
  }

  Status create_buffers() {
    struct Need {
      Buffer* buffer;
      int64_t bytes;
      MemoryUse use;
      std::string_view purpose;
    };
    const Need needs[] = {
        {&resources().arena, activations_.arena_bytes, MemoryUse::kDevice, "the activations"},
        {&resources().border, activations_.border_bytes, MemoryUse::kShared,
         "the inputs and outputs"},
        {&resources().upload, upload_bytes_, MemoryUse::kUpload, "the inputs' staging"},
        {&resources().download, download_bytes_, MemoryUse::kDownload, "the outputs' staging"},
        {&resources().constants, constant_bytes_,
         unified_ ? MemoryUse::kShared : MemoryUse::kDevice, "the constants"},
        {&resources().constants_upload, unified_ ? 0 : constant_bytes_, MemoryUse::kUpload,
         "the constants' staging"},
        {&resources().inspection,
         is_guarded_ ? activations_.arena_bytes + (unified_ ? 0 : constant_bytes_) : 0,
         MemoryUse::kDownload, "the inspection of guards"},
    };
    for (const Need& need : needs) {
      if (Status status = create_buffer(*need.buffer, need.bytes, need.use, need.purpose);
          !status) {
        return status;
      }
    }
    if (is_guarded_) {
      guard_buffers();
      for (const Buffer* written : {&resources().border, &resources().inspection}) {
        if (Status status = written->flush(device_); !status) {
          return status;
        }
      }
    }
    if (constant_bytes_ > 0) {
      const Buffer& written = unified_ ? resources().constants : resources().constants_upload;
      write_constants(written.mapped());
      return written.flush(device_);
    }
    return {};
  }

  // Blocks of the arena or of the border, as guards know them.
  GuardedMemory guard_activations(Memory memory, int64_t bytes) const {
    std::map<int64_t, int32_t> roots;  // by offset
    for (const TensorPlace& where : activations_.places) {
      if (where.memory == memory) {
        roots.emplace(where.offset, where.root);
      }
    }
    GuardedMemory guarded(bytes, fill_);
    for (const auto& [offset, root] : roots) {
      guarded.add_activation(tensor_name(root), offset, place(root).bytes);
    }
    return guarded;
  }

  GuardedMemory guard_constants() const {
    GuardedMemory guarded(constant_bytes_, fill_);
    for (size_t op = 0; op < plans_.size(); ++op) {
      for (size_t i = 0; i < constant_blocks_[op].size(); ++i) {
        const Block& block = constant_blocks_[op][i];
        guarded.add_constant(fmt::format("constant {} of operator {} ({})", i,
                                         graph_.operators[op].source_operator, plans_[op].variant),
                             block.offset, block.bytes);
      }
    }
    std::map<int64_t, int32_t> roots;
    for (const TensorPlace& where : activations_.places) {
      if (where.memory == Memory::kConstants) {
        roots.emplace(where.offset, where.root);
      }
    }
    for (const auto& [offset, root] : roots) {
      guarded.add_constant(tensor_name(root), offset, place(root).bytes);
    }
    write_constants(guarded.image().data());
    return guarded;
  }

  std::string tensor_name(int32_t tensor) const {
    return fmt::format("tensor '{}'",
                       graph::printable(graph_.tensors[static_cast<size_t>(tensor)].name));
  }

  // Fills what the program keeps on the device with guards, in place or on its way there.
  void guard_buffers() {
    const auto guard = [&](GuardedMemory memory, std::byte* initial, const std::byte* contents) {
      std::ranges::copy(memory.image(), initial);
      program_->guarded_.push_back({std::move(memory), contents});
    };
    if (resources().border) {
      std::byte* const border = resources().border.mapped();
      guard(guard_activations(Memory::kBorder, activations_.border_bytes), border, border);
    }
    std::byte* const inspection = resources().inspection.mapped();
    if (resources().arena) {
      guard(guard_activations(Memory::kArena, activations_.arena_bytes), inspection, inspection);
    }
    if (resources().constants && unified_) {
      std::byte* const constants = resources().constants.mapped();
      guard(guard_constants(), constants, constants);
    } else if (resources().constants) {
      guard(guard_constants(), resources().constants_upload.mapped(),
            inspection + activations_.arena_bytes);
    }
  }

  // What the host cannot see in place goes to where it can.
  void record_inspection(VkCommandBuffer commands) {
    const auto arena_bytes = static_cast<VkDeviceSize>(activations_.arena_bytes);
    const auto constant_bytes = static_cast<VkDeviceSize>(constant_bytes_);
    const VkBuffer inspection = resources().inspection.get();
    if (arena_bytes > 0) {
      const VkBufferCopy everything{0, 0, arena_bytes};
      vk_.vkCmdCopyBuffer(commands, resources().arena.get(), inspection, 1, &everything);
    }
    if (constant_bytes > 0 && !unified_) {
      const VkBufferCopy everything{0, arena_bytes, constant_bytes};
      vk_.vkCmdCopyBuffer(commands, resources().constants.get(), inspection, 1, &everything);
    }
    transfers_pending_ = true;
  }

  Status create_pipelines() {
    std::vector<PipelineKey> keys;
    for (size_t op = 0; op < plans_.size(); ++op) {
      for (const Dispatch& dispatch : plans_[op].dispatches) {
        keys.push_back({dispatch.shader, dispatch.specialization,
                        static_cast<uint32_t>(dispatch.inputs.size() + 1),
                        static_cast<uint32_t>(dispatch.push_constants.size() * sizeof(uint32_t))});
        dispatches_.push_back({&dispatch, op, {}, VK_NULL_HANDLE});
      }
    }
    const auto pipelines = pipelines_store_.get(keys);
    if (!pipelines) {
      return tl::unexpected(pipelines.error());
    }
    for (size_t i = 0; i < dispatches_.size(); ++i) {
      dispatches_[i].pipeline = (*pipelines)[i];
    }
    return {};
  }

  Status create_command_pool() {
    VkCommandPoolCreateInfo pool_info{};
    pool_info.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
    pool_info.queueFamilyIndex = device_.physical().queue_family;
    VkCommandPool pool = VK_NULL_HANDLE;
    if (Status status = check(vk_.vkCreateCommandPool(device_.get(), &pool_info, nullptr, &pool),
                              "vkCreateCommandPool");
        !status) {
      return status;
    }
    resources().command_pool = Handle(device_.get(), pool, vk_.vkDestroyCommandPool);
    VkFenceCreateInfo fence_info{};
    fence_info.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO;
    VkFence fence = VK_NULL_HANDLE;
    if (Status status =
            check(vk_.vkCreateFence(device_.get(), &fence_info, nullptr, &fence), "vkCreateFence");
        !status) {
      return status;
    }
    resources().fence = Handle(device_.get(), fence, vk_.vkDestroyFence);
    return {};
  }

  VkBuffer buffer_of(const TensorPlace& where) {
    switch (where.memory) {
      case Memory::kArena:
        return resources().arena.get();
      case Memory::kBorder:
        return resources().border.get();
      case Memory::kConstants:
        return resources().constants.get();
      case Memory::kNone:
        break;
    }
    return VK_NULL_HANDLE;
  }

  // What a kernel is bound to. The guards behind it are part of that: devices that clip accesses to
  // what is bound would otherwise hide what these are there to show.
  VkDescriptorBufferInfo bound_range(VkBuffer buffer, int64_t offset, int64_t bytes) const {
    const uint64_t limit = device_.capabilities().max_storage_buffer_range;
    return {buffer, static_cast<VkDeviceSize>(offset),
            std::min<VkDeviceSize>(static_cast<VkDeviceSize>(bytes + rules_.guard_bytes), limit)};
  }

  VkDescriptorBufferInfo buffer_range(size_t operator_index, const Binding& binding) {
    if (binding.kind == Binding::Kind::kConstant) {
      const Block& block = constant_blocks_[operator_index][static_cast<size_t>(binding.index)];
      return bound_range(resources().constants.get(), block.offset, block.bytes);
    }
    const TensorPlace& where = place(binding.index);
    return bound_range(buffer_of(where), where.offset, where.bytes);
  }

  Status create_descriptors() {
    if (dispatches_.empty()) {
      return {};
    }
    uint32_t binding_count = 0;
    std::vector<VkDescriptorSetLayout> layouts;
    for (const PreparedDispatch& prepared : dispatches_) {
      binding_count += static_cast<uint32_t>(prepared.dispatch->inputs.size() + 1);
      layouts.push_back(prepared.pipeline.set_layout);
    }
    const VkDescriptorPoolSize size{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, binding_count};
    VkDescriptorPoolCreateInfo pool_info{};
    pool_info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO;
    pool_info.maxSets = static_cast<uint32_t>(layouts.size());
    pool_info.poolSizeCount = 1;
    pool_info.pPoolSizes = &size;
    VkDescriptorPool pool = VK_NULL_HANDLE;
    if (Status status = check(vk_.vkCreateDescriptorPool(device_.get(), &pool_info, nullptr, &pool),
                              "vkCreateDescriptorPool");
        !status) {
      return status;
    }
    resources().descriptors = Handle(device_.get(), pool, vk_.vkDestroyDescriptorPool);

    VkDescriptorSetAllocateInfo allocation{};
    allocation.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO;
    allocation.descriptorPool = pool;
    allocation.descriptorSetCount = pool_info.maxSets;
    allocation.pSetLayouts = layouts.data();
    std::vector<VkDescriptorSet> sets(layouts.size());
    if (Status status = check(vk_.vkAllocateDescriptorSets(device_.get(), &allocation, sets.data()),
                              "vkAllocateDescriptorSets");
        !status) {
      return status;
    }
    std::vector<VkDescriptorBufferInfo> ranges;
    std::vector<VkWriteDescriptorSet> writes;
    ranges.reserve(binding_count);
    for (size_t i = 0; i < dispatches_.size(); ++i) {
      PreparedDispatch& prepared = dispatches_[i];
      prepared.descriptors = sets[i];
      std::vector<Binding> bindings = prepared.dispatch->inputs;
      bindings.push_back(prepared.dispatch->output);
      for (uint32_t binding = 0; binding < bindings.size(); ++binding) {
        ranges.push_back(buffer_range(prepared.operator_index, bindings[binding]));
        VkWriteDescriptorSet& write = writes.emplace_back();
        write.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
        write.dstSet = sets[i];
        write.dstBinding = binding;
        write.descriptorCount = 1;
        write.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
        write.pBufferInfo = &ranges.back();
      }
    }
    vk_.vkUpdateDescriptorSets(device_.get(), static_cast<uint32_t>(writes.size()), writes.data(),
                               0, nullptr);
    return {};
  }

  Result<VkCommandBuffer> begin_commands(VkCommandBufferUsageFlags usage) {
    VkCommandBufferAllocateInfo allocation{};
    allocation.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
    allocation.commandPool = resources().command_pool.get();
    allocation.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
    allocation.commandBufferCount = 1;
    VkCommandBuffer commands = VK_NULL_HANDLE;
    if (const VkResult result = vk_.vkAllocateCommandBuffers(device_.get(), &allocation, &commands);
        result != VK_SUCCESS) {
      return tl::unexpected(error_of(result, "vkAllocateCommandBuffers"));
    }
    VkCommandBufferBeginInfo info{};
    info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
    info.flags = usage;
    if (const VkResult result = vk_.vkBeginCommandBuffer(commands, &info); result != VK_SUCCESS) {
      return tl::unexpected(error_of(result, "vkBeginCommandBuffer"));
    }
    return commands;
  }

  // Orders all earlier commands before all later ones of the stages.
  void record_barrier(VkCommandBuffer commands, VkPipelineStageFlags destination_stages) {
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
    vk_.vkCmdPipelineBarrier(commands, source_stages, destination_stages, 0, 1, &barrier, 0,
                             nullptr, 0, nullptr);
    transfers_pending_ = false;
  }

  void record_dispatch(VkCommandBuffer commands, const PreparedDispatch& prepared,
                       std::array<uint32_t, 3> workgroups) {
    const Pipeline& pipeline = prepared.pipeline;
    const std::vector<uint32_t>& push_constants = prepared.dispatch->push_constants;
    vk_.vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.pipeline);
    vk_.vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.layout, 0, 1,
                                &prepared.descriptors, 0, nullptr);
    if (!push_constants.empty()) {
      vk_.vkCmdPushConstants(commands, pipeline.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                             static_cast<uint32_t>(push_constants.size() * sizeof(uint32_t)),
                             push_constants.data());
    }
    vk_.vkCmdDispatch(commands, workgroups[0], workgroups[1], workgroups[2]);
  }

  MemoryRange accessed_range(int32_t tensor) const {
    const TensorPlace& where = place(tensor);
    return {static_cast<uint32_t>(where.memory), where.offset, where.offset + where.bytes};
  }

  void record_transfers(VkCommandBuffer commands, const std::vector<Transfer>& transfers,
                        const Buffer& staging, bool to_device) {
    std::vector<VkBufferCopy> regions;
    for (const Transfer& transfer : transfers) {
      const auto in_staging = static_cast<VkDeviceSize>(transfer.staging_offset);
      const auto in_arena = static_cast<VkDeviceSize>(place(transfer.tensor).offset);
      const auto bytes = static_cast<VkDeviceSize>(place(transfer.tensor).bytes);
      regions.push_back(to_device ? VkBufferCopy{in_staging, in_arena, bytes}
                                  : VkBufferCopy{in_arena, in_staging, bytes});
    }
    const VkBuffer source = to_device ? staging.get() : resources().arena.get();
    const VkBuffer destination = to_device ? resources().arena.get() : staging.get();
    vk_.vkCmdCopyBuffer(commands, source, destination, static_cast<uint32_t>(regions.size()),
                        regions.data());
    transfers_pending_ = true;
  }

  // All dispatches, with the barriers they need between them.
  void record_dispatches(VkCommandBuffer commands, HazardTracker& hazards) {
    std::vector<const PreparedDispatch*> unordered;  // since the last barrier
    const auto record_unordered = [&] {
      if (reverses_unordered_) {
        std::ranges::reverse(unordered);
      }
      for (const PreparedDispatch* prepared : unordered) {
        record_dispatch(commands, *prepared, prepared->dispatch->workgroups);
      }
      unordered.clear();
    };
    for (const PreparedDispatch& prepared : dispatches_) {
      std::vector<MemoryRange> reads;
      for (const Binding& binding : prepared.dispatch->inputs) {
        if (binding.kind == Binding::Kind::kTensor) {
          reads.push_back(accessed_range(binding.index));
        }
      }
      const MemoryRange written = accessed_range(prepared.dispatch->output.index);
      if (hazards.needs_barrier_before(reads, std::span(&written, 1))) {
        record_unordered();
        record_barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT);
      }
      unordered.push_back(&prepared);
    }
    record_unordered();
  }

  // The commands of every run. Writes of the host before a submission are visible to it without a
  // barrier.
  Status record_run() {
    if (dispatches_.empty() && uploads_.empty() && downloads_.empty()) {
      return {};
    }
    const auto begun = begin_commands(0);
    if (!begun) {
      return tl::unexpected(begun.error());
    }
    const VkCommandBuffer commands = *begun;
    HazardTracker hazards;
    if (!uploads_.empty()) {
      record_transfers(commands, uploads_, resources().upload, true);
      std::vector<MemoryRange> written;
      for (const Transfer& transfer : uploads_) {
        written.push_back(accessed_range(transfer.tensor));
      }
      hazards.needs_barrier_before({}, written);
    }
    record_dispatches(commands, hazards);
    const bool inspects = static_cast<bool>(resources().inspection);
    if (!downloads_.empty() || inspects) {
      record_barrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT);
    }
    if (!downloads_.empty()) {
      record_transfers(commands, downloads_, resources().download, false);
    }
    if (inspects) {
      record_inspection(commands);
    }
    record_barrier(commands, VK_PIPELINE_STAGE_HOST_BIT);
    resources().commands = commands;
    program_->has_commands_ = true;
    return check(vk_.vkEndCommandBuffer(commands), "vkEndCommandBuffer");
  }

  // Once, before the first run: constants to their place, and drivers that put compilation off made
  // to do it now.
  Status prepare_device() {
    const bool has_arena = static_cast<bool>(resources().arena);
    const bool guard = is_guarded_ && has_arena;
    const bool poison = !is_guarded_ && poison_memory() && has_arena;
    const bool upload = static_cast<bool>(resources().constants_upload);
    // Guarded memory is to be fresh when the first run begins.
    const bool warm_up = !is_guarded_ && device_.physical().quirks.compiles_at_first_dispatch;
    if (!guard && !poison && !upload && !warm_up) {
      return {};
    }
    const auto begun = begin_commands(VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT);
    if (!begun) {
      return tl::unexpected(begun.error());
    }
    const VkCommandBuffer commands = *begun;
    if (guard) {
      const VkBufferCopy everything{0, 0, static_cast<VkDeviceSize>(activations_.arena_bytes)};
      vk_.vkCmdCopyBuffer(commands, resources().inspection.get(), resources().arena.get(), 1,
                          &everything);
      transfers_pending_ = true;
    }
    if (poison) {
      vk_.vkCmdFillBuffer(commands, resources().arena.get(), 0, VK_WHOLE_SIZE,
                          kPoison * 0x01010101u);
      transfers_pending_ = true;
    }
    if (upload) {
      const VkBufferCopy everything{0, 0, static_cast<VkDeviceSize>(constant_bytes_)};
      vk_.vkCmdCopyBuffer(commands, resources().constants_upload.get(), resources().constants.get(),
                          1, &everything);
      transfers_pending_ = true;
    }
    record_barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT);
    if (warm_up) {
      std::set<VkPipeline> warm;
      for (const PreparedDispatch& prepared : dispatches_) {
        if (warm.insert(prepared.pipeline.pipeline).second) {
          record_dispatch(commands, prepared, {1, 1, 1});
          record_barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT);
        }
      }
    }
    if (Status status = check(vk_.vkEndCommandBuffer(commands), "vkEndCommandBuffer"); !status) {
      return status;
    }
    if (Status status = program_->execute(commands); !status) {
      return status;
    }
    vk_.vkFreeCommandBuffers(device_.get(), resources().command_pool.get(), 1, &commands);
    resources().constants_upload = Buffer();
    return {};
  }

  VulkanProgram::Border border(int32_t tensor, const Buffer& staging,
                               const std::vector<Transfer>& transfers) {
    const graph::LoweredTensor& source = graph_.tensors[static_cast<size_t>(tensor)];
    const TensorPlace& where = place(tensor);
    VulkanProgram::Border border;
    border.name = source.name;
    border.type = source.type;
    border.layout = layout_of(source);
    border.host_bytes = static_cast<size_t>(graph::element_count(source.shape).value_or(0)) *
                        graph::data_type_size(source.type);
    if (where.memory == Memory::kBorder) {
      border.mapped = resources().border.mapped() + where.offset;
    } else if (where.memory == Memory::kArena) {
      const auto transfer = std::ranges::find(transfers, where.root, &Transfer::tensor);
      border.mapped = staging.mapped() + transfer->staging_offset;
    } else if (where.memory == Memory::kConstants) {
      const auto& stored = graph_.tensors[static_cast<size_t>(where.root)].constant;
      border.constant.resize(stored.size());
      graph::from_stored(source.type, stored.data(), border.constant.data(), stored.size());
    }
    return border;
  }

  Status describe() {
    for (const int32_t tensor : graph_.inputs) {
      program_->inputs_.push_back(border(tensor, resources().upload, uploads_));
    }
    for (const int32_t tensor : graph_.outputs) {
      program_->outputs_.push_back(border(tensor, resources().download, downloads_));
    }
    std::set<VkPipeline> distinct;
    for (const PreparedDispatch& prepared : dispatches_) {
      distinct.insert(prepared.pipeline.pipeline);
    }
    program_->statistics_ = {
        .dispatches = static_cast<int64_t>(dispatches_.size()),
        .pipelines = static_cast<int64_t>(distinct.size()),
        .constant_bytes = constant_bytes_,
        .arena_bytes = activations_.arena_bytes,
        .arena_lower_bound = activations_.arena_lower_bound,
    };
    for (size_t i = 0; i < plans_.size(); ++i) {
      program_->placements_.push_back({graph_.operators[i].source_operator, plans_[i].variant});
    }
    return {};
  }

  LogicalDevice& device_;
  PipelineStore& pipelines_store_;
  const VolkDeviceTable& vk_;
  const bool unified_;
  const PlacementRules rules_;
  const bool is_guarded_;
  const bool reverses_unordered_;
  const uint8_t fill_;  // what memory that kernels must not depend on starts as
  const graph::LoweredGraph& graph_;
  std::span<const KernelPlan> plans_;
  std::unique_ptr<VulkanProgram> program_;

  ActivationPlan activations_;
  std::vector<std::vector<Block>> constant_blocks_;  // by operator, then constant of its plan
  int64_t constant_bytes_ = 0;
  std::vector<Transfer> uploads_;    // empty with unified memory
  std::vector<Transfer> downloads_;  // likewise
  int64_t upload_bytes_ = 0;
  int64_t download_bytes_ = 0;
  std::vector<PreparedDispatch> dispatches_;
  bool transfers_pending_ = false;  // copies were recorded since the last barrier
};

Result<std::unique_ptr<VulkanProgram>> VulkanProgram::create(std::shared_ptr<DeviceContext> context,
                                                             const graph::LoweredGraph& graph,
                                                             std::span<const KernelPlan> plans,
                                                             const CompileOptions& options) {
  return ProgramBuilder(std::move(context), graph, plans, options).build();
}

}  // namespace lockstep::backend::vulkan
