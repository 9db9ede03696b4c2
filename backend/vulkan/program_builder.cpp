// From a lowered graph and its kernel plans to a VulkanProgram, in the order of build(): where
// things live, constants, pipelines, how work is cut, what each run under way has for itself
// (buffers, descriptors, commands), and what has to happen once on the device.
#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "backend/vulkan/command_writer.h"
#include "backend/vulkan/dispatch_building.h"
#include "backend/vulkan/memory_plan.h"
#include "backend/vulkan/program.h"
#include "backend/vulkan/result.h"
#include "backend/vulkan/run_recorder.h"
#include "backend/vulkan/work_splitting.h"

namespace lockstep::backend::vulkan {
namespace {

using Memory = TensorPlace::Memory;

// Under validation, memory that kernels must not depend on starts as this instead of zeros.
constexpr uint8_t kPoison = 0xA5;
constexpr int32_t kMaximumRunsInFlight = 64;

VkDescriptorType descriptor_type(Binding::View view) {
  return view == Binding::View::kStorage ? VK_DESCRIPTOR_TYPE_STORAGE_BUFFER
                                         : VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER;
}

bool poison_memory() { return validation_state() == ValidationState::kActive; }

}  // namespace

class ProgramBuilder {
 public:
  ProgramBuilder(std::shared_ptr<DeviceContext> context, const graph::LoweredGraph& graph,
                 std::span<const KernelPlan> plans, const CompileOptions& options,
                 const FusedGraph* fused)
      : device_(*context->device),
        pipelines_store_(context->pipelines),
        vk_(device_.functions()),
        unified_(device_.capabilities().unified_memory),
        options_(options),
        fill_(options.guard_memory ? options.fill
              : poison_memory()    ? kPoison
                                   : uint8_t{0}),
        planned_{graph, plans, fused},
        program_(new VulkanProgram()),
        execution_(*program_->execution_),
        resources_(execution_.resources) {
    resources_.context = std::move(context);
  }

  Result<std::unique_ptr<VulkanProgram>> build() {
    for (auto step : {&ProgramBuilder::check_options, &ProgramBuilder::plan_memory_of_graph,
                      &ProgramBuilder::create_constants, &ProgramBuilder::split_work,
                      &ProgramBuilder::create_layouts, &ProgramBuilder::create_pools,
                      &ProgramBuilder::create_slots, &ProgramBuilder::create_pipelines,
                      &ProgramBuilder::prepare_device, &ProgramBuilder::record_runs,
                      &ProgramBuilder::record_profile, &ProgramBuilder::describe}) {
      if (Status status = (this->*step)(); !status) {
        finish_warming_up();
        return tl::unexpected(status.error());
      }
    }
    return std::move(program_);
  }

 private:
  const TensorPlace& place(int32_t tensor) const { return memory_.place(tensor); }

  Status check_options() {
    if (options_.runs_in_flight < 1 || options_.runs_in_flight > kMaximumRunsInFlight) {
      return make_error(ErrorCode::kInvalidArgument,
                        "{} runs in flight were asked for; 1 to {} are possible",
                        options_.runs_in_flight, kMaximumRunsInFlight);
    }
    return {};
  }

  Status plan_memory_of_graph() {
    auto planned = plan_memory(planned_, device_.capabilities(), options_);
    if (!planned) {
      return tl::unexpected(planned.error());
    }
    memory_ = std::move(*planned);
    return {};
  }

  Status create_buffer(Buffer& buffer, int64_t bytes, MemoryUse use, std::string_view purpose) {
    if (bytes == 0) {
      return {};
    }
    auto created = Buffer::create(device_, static_cast<uint64_t>(bytes), use,
                                  fmt::format("{} of '{}'", purpose, planned_.graph.name));
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

  Status create_constants() {
    const int64_t bytes = memory_.constant_bytes;
    if (bytes == 0) {
      return {};
    }
    Status status =
        create_buffer(resources_.constants, bytes,
                      unified_ ? MemoryUse::kShared : MemoryUse::kDevice, "the constants");
    if (status && !unified_) {
      status = create_buffer(resources_.constants_upload, bytes, MemoryUse::kUpload,
                             "the constants' staging");
    }
    if (!status) {
      return status;
    }
    const Buffer& written = unified_ ? resources_.constants : resources_.constants_upload;
    if (options_.guard_memory) {
      std::ranges::copy(guard_constants(planned_, memory_, fill_).image(), written.mapped());
    } else {
      write_constants(planned_, memory_, written.mapped());
    }
    return written.flush(device_);
  }

  // Bytes bound to the dispatch.
  int64_t bound_bytes_of(size_t operator_index, const Dispatch& dispatch) const {
    int64_t bytes = place(dispatch.output.index).bytes;
    for (const Binding& input : dispatch.inputs) {
      const auto index = static_cast<size_t>(input.index);
      bytes += input.kind == Binding::Kind::kConstant
                   ? memory_.constant_blocks[operator_index][index].bytes
                   : place(input.index).bytes;
    }
    return bytes;
  }

  Status split_work() {
    std::vector<DispatchWork> works;
    for (size_t op = 0; op < planned_.plans.size(); ++op) {
      const KernelPlan& plan = planned_.plans[op];
      const double multiplications = multiply_accumulates(planned_.graph.operators[op].operation);
      for (const Dispatch& dispatch : plan.dispatches) {
        const double share = multiplications / static_cast<double>(plan.dispatches.size());
        works.push_back(
            {dispatch.workgroups, share + static_cast<double>(bound_bytes_of(op, dispatch))});
        dispatches_.push_back({&dispatch, op, {}});
      }
    }
    const double speed = assumed_work_per_second(device_.physical().description.kind);
    chunks_ = cut_into_chunks(works, speed * kSubmissionSeconds, options_.split_everywhere);
    if (chunks_.work.empty()) {
      chunks_.work.push_back(0);  // copies alone are a chunk, too
    }
    execution_.pacer.emplace(chunks_.work, speed, !options_.split_everywhere);
    return {};
  }

  // Which pipelines there will be, and what descriptors need of them.
  Status create_layouts() {
    for (const PreparedDispatch& prepared : dispatches_) {
      const Dispatch& dispatch = *prepared.dispatch;
      std::vector<VkDescriptorType> bindings;
      for (const Binding& input : dispatch.inputs) {
        bindings.push_back(descriptor_type(input.view));
      }
      bindings.push_back(descriptor_type(dispatch.output.view));
      keys_.push_back({dispatch.shader, dispatch.specialization, std::move(bindings),
                       static_cast<uint32_t>(dispatch.push_constants.size() * sizeof(uint32_t))});
      keys_.back().subgroup_size = dispatch.subgroup_size;
    }
    for (const Slice& slice : chunks_.slices) {
      keys_[slice.dispatch].dispatch_base |= slice.workgroups.base != WorkgroupRange{}.base;
    }
    auto layouts = pipelines_store_.set_layouts(keys_);
    if (!layouts) {
      return tl::unexpected(layouts.error());
    }
    set_layouts_ = std::move(*layouts);
    return {};
  }

  Status create_pools() {
    VkCommandPoolCreateInfo command_info{};
    command_info.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
    command_info.queueFamilyIndex = device_.physical().queue_family;
    VkCommandPool commands = VK_NULL_HANDLE;
    if (Status status =
            check(vk_.vkCreateCommandPool(device_.get(), &command_info, nullptr, &commands),
                  "vkCreateCommandPool");
        !status) {
      return status;
    }
    resources_.command_pool = Handle(device_.get(), commands, vk_.vkDestroyCommandPool);
    preparation_.emplace(device_, commands);
    if (dispatches_.empty()) {
      return {};
    }
    const auto slots = static_cast<uint32_t>(options_.runs_in_flight);
    VkDescriptorPoolSize sizes[] = {{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 0},
                                    {VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, 0}};
    for (const PreparedDispatch& prepared : dispatches_) {
      for (VkDescriptorPoolSize& size : sizes) {
        size.descriptorCount += slots * static_cast<uint32_t>(prepared.dispatch->inputs.size() + 1);
      }
    }
    VkDescriptorPoolCreateInfo pool_info{};
    pool_info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO;
    pool_info.maxSets = slots * static_cast<uint32_t>(dispatches_.size());
    pool_info.poolSizeCount = static_cast<uint32_t>(std::size(sizes));
    pool_info.pPoolSizes = sizes;
    VkDescriptorPool descriptors = VK_NULL_HANDLE;
    if (Status status =
            check(vk_.vkCreateDescriptorPool(device_.get(), &pool_info, nullptr, &descriptors),
                  "vkCreateDescriptorPool");
        !status) {
      return status;
    }
    resources_.descriptors = Handle(device_.get(), descriptors, vk_.vkDestroyDescriptorPool);
    return {};
  }

  // ---- What each run under way has for itself ---------------------------------------------------

  Status create_slots() {
    for (int32_t i = 0; i < options_.runs_in_flight; ++i) {
      RunSlot& slot = *resources_.slots.emplace_back(std::make_unique<RunSlot>());
      Status status = create_buffers(slot);
      if (status) {
        status = create_descriptors(slot);
      }
      if (status) {
        status = create_fence(slot);
      }
      if (!status) {
        return status;
      }
      find_borders(slot);
    }
    return {};
  }

  RecordingPlan recording_plan() const {
    return {planned_, memory_, dispatches_, chunks_.slices, options_.reverse_unordered};
  }

  Status create_buffers(RunSlot& slot) {
    struct Need {
      Buffer* buffer;
      int64_t bytes;
      MemoryUse use;
      std::string_view purpose;
    };
    const int64_t arena_bytes = memory_.activations.arena_bytes;
    const int64_t inspected_constant_bytes = unified_ ? 0 : memory_.constant_bytes;
    const Need needs[] = {
        {&slot.arena, arena_bytes, MemoryUse::kDevice, "the activations"},
        {&slot.border, memory_.activations.border_bytes, MemoryUse::kShared,
         "the inputs and outputs"},
        {&slot.upload, memory_.upload_bytes, MemoryUse::kUpload, "the inputs' staging"},
        {&slot.download, memory_.download_bytes, MemoryUse::kDownload, "the outputs' staging"},
        {&slot.inspection, options_.guard_memory ? arena_bytes + inspected_constant_bytes : 0,
         MemoryUse::kDownload, "the inspection of guards"},
    };
    for (const Need& need : needs) {
      if (Status status = create_buffer(*need.buffer, need.bytes, need.use, need.purpose);
          !status) {
        return status;
      }
    }
    if (!options_.guard_memory) {
      return {};
    }
    guard_buffers(slot);
    return slot.border.flush(device_).and_then([&] { return slot.inspection.flush(device_); });
  }

  // Fills what a run keeps on the device with guards, in place or on its way there; the constants
  // have theirs.
  void guard_buffers(RunSlot& slot) {
    const auto guard = [&](Memory memory, std::byte* contents) {
      GuardedMemory guarded = guard_activations(planned_, memory_, memory, fill_);
      std::ranges::copy(guarded.image(), contents);
      slot.guarded.push_back({std::move(guarded), contents});
    };
    if (slot.border) {
      guard(Memory::kBorder, slot.border.mapped());
    }
    if (slot.arena) {
      guard(Memory::kArena, slot.inspection.mapped());
    }
    if (resources_.constants) {
      slot.guarded.push_back({guard_constants(planned_, memory_, fill_),
                              unified_
                                  ? resources_.constants.mapped()
                                  : slot.inspection.mapped() + memory_.activations.arena_bytes});
    }
  }

  Status create_fence(RunSlot& slot) {
    VkFenceCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO;
    VkFence fence = VK_NULL_HANDLE;
    if (Status status =
            check(vk_.vkCreateFence(device_.get(), &info, nullptr, &fence), "vkCreateFence");
        !status) {
      return status;
    }
    slot.fence = Handle(device_.get(), fence, vk_.vkDestroyFence);
    return {};
  }

  VkBuffer buffer_of(const RunSlot& slot, const TensorPlace& where) const {
    switch (where.memory) {
      case Memory::kArena:
        return slot.arena.get();
      case Memory::kBorder:
        return slot.border.get();
      case Memory::kConstants:
        return resources_.constants.get();
      case Memory::kNone:
        break;
    }
    return VK_NULL_HANDLE;
  }

  // What a kernel is bound to. The guards behind it are part of that: devices that clip accesses to
  // what is bound would otherwise hide what these are there to show.
  VkDescriptorBufferInfo bound_range(VkBuffer buffer, int64_t offset, int64_t bytes,
                                     int64_t guard_bytes) const {
    const uint64_t limit = device_.capabilities().max_storage_buffer_range;
    const auto with_guard = static_cast<VkDeviceSize>(bytes + guard_bytes);
    return {buffer, static_cast<VkDeviceSize>(offset), std::min<VkDeviceSize>(with_guard, limit)};
  }

  VkDescriptorBufferInfo buffer_range(const RunSlot& slot, size_t operator_index,
                                      const Binding& binding) const {
    if (binding.kind == Binding::Kind::kConstant) {
      const ConstantBlock& block =
          memory_.constant_blocks[operator_index][static_cast<size_t>(binding.index)];
      return bound_range(resources_.constants.get(), block.offset, block.bytes,
                         memory_.rules.guard_bytes);
    }
    const TensorPlace& where = place(binding.index);
    const TensorPlace& whole = place(where.root);
    const bool has_neighbour = where.offset + where.bytes < whole.offset + whole.bytes;
    return bound_range(buffer_of(slot, where), where.offset, where.bytes,
                       has_neighbour ? 0 : memory_.rules.guard_bytes);
  }

  // What a texel buffer is bound as; null for storage buffers. Bytes past the device's limit cannot
  // be reached: plans see to it that only guards lie there.
  Result<VkBufferView> texel_view(RunSlot& slot, const VkDescriptorBufferInfo& range,
                                  const Binding& binding) const {
    if (binding.view == Binding::View::kStorage) {
      return VkBufferView{VK_NULL_HANDLE};
    }
    const bool is_units = binding.view == Binding::View::kTexelUnits;
    const VkDeviceSize texel_bytes = is_units ? kUnitBytes : kWordBytes;
    VkBufferViewCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO;
    info.buffer = range.buffer;
    info.format = is_units ? VK_FORMAT_R32G32B32A32_UINT : VK_FORMAT_R32_UINT;
    info.offset = range.offset;
    const VkDeviceSize most = device_.capabilities().max_texel_buffer_elements * texel_bytes;
    const VkDeviceSize bytes = std::min(range.range / texel_bytes * texel_bytes, most);
    info.range = bytes;
    if (binding.kind == Binding::Kind::kConstant) {
      // Nobody writes what follows; behind an activation others may lie that are being made.
      const VkDeviceSize wanted = texel_range(device_.physical().quirks, bytes);
      info.range = wanted <= most ? wanted : bytes;
    }
    VkBufferView created = VK_NULL_HANDLE;
    if (const VkResult result = vk_.vkCreateBufferView(device_.get(), &info, nullptr, &created);
        result != VK_SUCCESS) {
      return tl::unexpected(error_of(result, "vkCreateBufferView"));
    }
    slot.texel_views.emplace_back(device_.get(), created, vk_.vkDestroyBufferView);
    return created;
  }

  Status create_descriptors(RunSlot& slot) {
    if (dispatches_.empty()) {
      return {};
    }
    size_t binding_count = 0;
    for (const PreparedDispatch& prepared : dispatches_) {
      binding_count += prepared.dispatch->inputs.size() + 1;
    }
    VkDescriptorSetAllocateInfo allocation{};
    allocation.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO;
    allocation.descriptorPool = resources_.descriptors.get();
    allocation.descriptorSetCount = static_cast<uint32_t>(set_layouts_.size());
    allocation.pSetLayouts = set_layouts_.data();
    slot.descriptors.resize(set_layouts_.size());
    if (Status status =
            check(vk_.vkAllocateDescriptorSets(device_.get(), &allocation, slot.descriptors.data()),
                  "vkAllocateDescriptorSets");
        !status) {
      return status;
    }
    std::vector<VkDescriptorBufferInfo> ranges;
    std::vector<VkWriteDescriptorSet> writes;
    ranges.reserve(binding_count);
    std::vector<VkBufferView> views;
    views.reserve(binding_count);
    for (size_t i = 0; i < dispatches_.size(); ++i) {
      const PreparedDispatch& prepared = dispatches_[i];
      std::vector<Binding> bindings = prepared.dispatch->inputs;
      bindings.push_back(prepared.dispatch->output);
      for (uint32_t binding = 0; binding < bindings.size(); ++binding) {
        ranges.push_back(buffer_range(slot, prepared.operator_index, bindings[binding]));
        const auto view = texel_view(slot, ranges.back(), bindings[binding]);
        if (!view) {
          return tl::unexpected(view.error());
        }
        views.push_back(*view);
        VkWriteDescriptorSet& write = writes.emplace_back();
        write.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
        write.dstSet = slot.descriptors[i];
        write.dstBinding = binding;
        write.descriptorCount = 1;
        write.descriptorType = descriptor_type(bindings[binding].view);
        write.pBufferInfo = &ranges.back();
        write.pTexelBufferView = &views.back();
      }
    }
    vk_.vkUpdateDescriptorSets(device_.get(), static_cast<uint32_t>(writes.size()), writes.data(),
                               0, nullptr);
    return {};
  }

  // Where the host sees a border tensor; null when no operator touches it.
  std::byte* mapped(int32_t tensor, const Buffer& border, const Buffer& staging,
                    const std::vector<Transfer>& transfers) const {
    const TensorPlace& where = place(tensor);
    if (where.memory == Memory::kBorder) {
      return border.mapped() + where.offset;
    }
    if (where.memory == Memory::kArena) {
      const auto transfer = std::ranges::find(transfers, where.root, &Transfer::tensor);
      const int64_t within = where.offset - place(where.root).offset;
      return staging.mapped() + transfer->staging_offset + within;
    }
    return nullptr;
  }

  void find_borders(RunSlot& slot) {
    for (const int32_t tensor : planned_.graph.inputs) {
      slot.inputs.push_back(mapped(tensor, slot.border, slot.upload, memory_.uploads));
    }
    for (const int32_t tensor : planned_.graph.outputs) {
      slot.outputs.push_back(mapped(tensor, slot.border, slot.download, memory_.downloads));
    }
    slot.destinations.resize(slot.outputs.size());
  }

  // ---- Once, before the first run ---------------------------------------------------------------

  Status create_pipelines() {
    // Guarded memory is to be fresh when the first run begins.
    const bool warms_up =
        !options_.guard_memory && device_.physical().quirks.compiles_at_first_dispatch;
    Status warmed_up;
    const auto pipelines =
        pipelines_store_.get(keys_, [&](size_t dispatch, const Pipeline& pipeline) {
          if (warms_up && warmed_up) {
            warmed_up = warm_up(dispatch, pipeline);
          }
        });
    if (!pipelines || !warmed_up) {
      return tl::unexpected(pipelines ? warmed_up.error() : pipelines.error());
    }
    for (size_t i = 0; i < dispatches_.size(); ++i) {
      dispatches_[i].pipeline = (*pipelines)[i];
    }
    return {};
  }

  // One workgroup, for drivers that put compilation off to the first dispatch: they compile one
  // pipeline while others are still being made.
  Status warm_up(size_t dispatch, const Pipeline& pipeline) {
    if (Status status = preparation_->begin(VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT); !status) {
      return status;
    }
    preparation_->dispatch(*dispatches_[dispatch].dispatch, pipeline,
                           resources_.slots.front()->descriptors[dispatch], {});
    preparation_->barrier(VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT);
    const auto commands = preparation_->end();
    if (!commands) {
      return tl::unexpected(commands.error());
    }
    warm_ups_.push_back(*commands);
    return device_.submit(*commands, VK_NULL_HANDLE);
  }

  // Before what was submitted so far loses what it uses.
  void finish_warming_up() {
    if (warm_ups_.empty()) {
      return;
    }
    const Status done = execution_.execute({}, resources_.slots.front()->fence.get());
    // A fence that cannot be submitted tells nothing. Who lost the device has kept everything.
    if (!done && done.error().code != ErrorCode::kDeviceLost) {
      std::ignore = device_.wait_until_idle();
    }
  }

  // Constants to their place, and the end of the warming up.
  Status prepare_device() {
    const bool has_arena = memory_.activations.arena_bytes > 0;
    const bool guard = options_.guard_memory && has_arena;
    const bool poison = !options_.guard_memory && poison_memory() && has_arena;
    const bool upload = static_cast<bool>(resources_.constants_upload);
    if (!guard && !poison && !upload && warm_ups_.empty()) {
      return {};
    }
    if (Status status = preparation_->begin(VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT); !status) {
      return status;
    }
    for (const std::unique_ptr<RunSlot>& slot : resources_.slots) {
      if (guard) {
        const VkBufferCopy everything{0, 0,
                                      static_cast<VkDeviceSize>(memory_.activations.arena_bytes)};
        preparation_->copy(slot->inspection.get(), slot->arena.get(), {&everything, 1});
      }
      if (poison) {
        preparation_->fill(slot->arena.get(), kPoison * 0x01010101u);
      }
    }
    if (upload) {
      const VkBufferCopy everything{0, 0, static_cast<VkDeviceSize>(memory_.constant_bytes)};
      preparation_->copy(resources_.constants_upload.get(), resources_.constants.get(),
                         {&everything, 1});
    }
    preparation_->barrier(VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT);
    const auto commands = preparation_->end();
    if (!commands) {
      return tl::unexpected(commands.error());
    }
    if (Status status = execution_.execute({&*commands, 1}, resources_.slots.front()->fence.get());
        !status) {
      return status;
    }
    warm_ups_.push_back(*commands);
    vk_.vkFreeCommandBuffers(device_.get(), resources_.command_pool.get(),
                             static_cast<uint32_t>(warm_ups_.size()), warm_ups_.data());
    warm_ups_.clear();
    resources_.constants_upload = Buffer();
    return {};
  }

  Status record_runs() {
    for (const std::unique_ptr<RunSlot>& slot : resources_.slots) {
      RunRecorder recorder(device_, recording_plan(), resources_, *slot);
      auto chunks = recorder.record_run();
      if (!chunks) {
        return tl::unexpected(chunks.error());
      }
      slot->chunks = std::move(*chunks);
    }
    return {};
  }

  Status record_profile() {
    if (!options_.profile) {
      return {};
    }
    RunRecorder recorder(device_, recording_plan(), resources_, *resources_.slots.front());
    auto profiled = recorder.record_profile();
    if (!profiled) {
      return tl::unexpected(profiled.error());
    }
    resources_.profiled = std::make_unique<ProfiledCommands>(std::move(*profiled));
    return {};
  }

  Border border(int32_t tensor) const {
    const graph::LoweredTensor& source = planned_.graph.tensors[static_cast<size_t>(tensor)];
    const TensorPlace& where = place(tensor);
    Border border;
    border.name = source.name;
    border.type = source.type;
    border.layout = layout_of(source);
    border.host_bytes = static_cast<size_t>(graph::element_count(source.shape).value_or(0)) *
                        graph::data_type_size(source.type);
    if (where.memory == Memory::kConstants) {
      const auto& stored = planned_.graph.tensors[static_cast<size_t>(where.root)].constant;
      border.constant.resize(stored.size());
      graph::from_stored(source.type, stored.data(), border.constant.data(), stored.size());
    }
    return border;
  }

  // The border of the tensor that the host knows, in front of or behind the one on the device.
  void see_as_host(const FusedGraph::Border& fused, bool is_input, Border& border) const {
    const graph::LoweredTensor& given = planned_.graph.tensors[static_cast<size_t>(fused.given)];
    border.name = given.name;
    border.type = given.type;
    if (!fused.table) {
      return;
    }
    const std::span<const std::byte> table = std::as_bytes(std::span(*fused.table));
    border.table.resize(table.size());
    for (size_t value = 0; value < table.size(); ++value) {
      // Tables are indexed by stored value + 128, which is the bit pattern with its sign flipped.
      const auto byte = static_cast<std::byte>(value);
      std::byte stored = byte;
      if (is_input) {
        graph::to_stored(given.type, &byte, &stored, 1);
      }
      const std::byte looked_up = table[std::to_integer<size_t>(stored ^ std::byte{0x80})];
      border.table[value] = looked_up;
      if (!is_input) {
        graph::from_stored(given.type, &looked_up, &border.table[value], 1);
      }
    }
  }

  Status describe() {
    for (size_t i = 0; i < planned_.graph.inputs.size(); ++i) {
      execution_.inputs.push_back(border(planned_.graph.inputs[i]));
      if (planned_.fused != nullptr) {
        see_as_host(planned_.fused->inputs[i], true, execution_.inputs.back());
      }
    }
    for (size_t i = 0; i < planned_.graph.outputs.size(); ++i) {
      execution_.outputs.push_back(border(planned_.graph.outputs[i]));
      if (planned_.fused != nullptr) {
        see_as_host(planned_.fused->outputs[i], false, execution_.outputs.back());
      }
    }
    std::set<VkPipeline> distinct;
    for (const PreparedDispatch& prepared : dispatches_) {
      distinct.insert(prepared.pipeline.pipeline);
    }
    program_->statistics_ = {
        .dispatches = static_cast<int64_t>(dispatches_.size()),
        .pipelines = static_cast<int64_t>(distinct.size()),
        .constant_bytes = memory_.constant_bytes,
        .arena_bytes = memory_.activations.arena_bytes,
        .arena_lower_bound = memory_.activations.arena_lower_bound,
    };
    if (planned_.fused != nullptr) {
      program_->placements_ = placements_of(*planned_.fused, planned_.plans);
      return {};
    }
    for (size_t i = 0; i < planned_.plans.size(); ++i) {
      program_->placements_.push_back(
          {planned_.graph.operators[i].source_operator, planned_.plans[i].variant});
    }
    return {};
  }

  LogicalDevice& device_;
  PipelineStore& pipelines_store_;
  const VolkDeviceTable& vk_;
  const bool unified_;
  const CompileOptions options_;
  const uint8_t fill_;  // what memory that kernels must not depend on starts as
  const PlannedGraph planned_;
  std::unique_ptr<VulkanProgram> program_;
  ProgramExecution& execution_;
  ProgramResources& resources_;

  MemoryPlan memory_;
  std::vector<PreparedDispatch> dispatches_;
  std::vector<PipelineKey> keys_;                   // by dispatch
  std::vector<VkDescriptorSetLayout> set_layouts_;  // by dispatch
  std::optional<CommandWriter> preparation_;        // of everything before the first run
  std::vector<VkCommandBuffer> warm_ups_;
  Chunks chunks_;
};

Result<std::unique_ptr<VulkanProgram>> VulkanProgram::create(std::shared_ptr<DeviceContext> context,
                                                             const graph::LoweredGraph& graph,
                                                             std::span<const KernelPlan> plans,
                                                             const CompileOptions& options,
                                                             const FusedGraph* fused) {
  return ProgramBuilder(std::move(context), graph, plans, options, fused).build();
}

}  // namespace lockstep::backend::vulkan
