#include "backend/vulkan/run_recorder.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "backend/vulkan/result.h"

namespace lockstep::backend::vulkan {

MemoryRange RunRecorder::accessed_range(int32_t tensor) const {
  const TensorPlace& place = plan_.memory.place(tensor);
  return {static_cast<uint32_t>(place.memory), place.offset, place.offset + place.bytes};
}

bool RunRecorder::needs_barrier_before(const Slice& slice, HazardTracker& hazards) const {
  const Dispatch& dispatch = *plan_.dispatches[slice.dispatch].dispatch;
  std::vector<MemoryRange> reads;
  for (const Binding& binding : dispatch.inputs) {
    if (binding.kind == Binding::Kind::kTensor) {
      reads.push_back(accessed_range(binding.index));
    }
  }
  const MemoryRange written = accessed_range(dispatch.output.index);
  return hazards.needs_barrier_before(reads, std::span(&written, 1));
}

void RunRecorder::record_slice(const Slice& slice) {
  const PreparedDispatch& prepared = plan_.dispatches[slice.dispatch];
  writer_.dispatch(*prepared.dispatch, prepared.pipeline, slot_.descriptors[slice.dispatch],
                   slice.workgroups);
}

void RunRecorder::record_transfers(const std::vector<Transfer>& transfers, const Buffer& staging,
                                   bool to_device) {
  std::vector<VkBufferCopy> regions;
  for (const Transfer& transfer : transfers) {
    const TensorPlace& place = plan_.memory.place(transfer.tensor);
    const auto in_staging = static_cast<VkDeviceSize>(transfer.staging_offset);
    const auto in_arena = static_cast<VkDeviceSize>(place.offset);
    const auto bytes = static_cast<VkDeviceSize>(place.bytes);
    regions.push_back(to_device ? VkBufferCopy{in_staging, in_arena, bytes}
                                : VkBufferCopy{in_arena, in_staging, bytes});
  }
  writer_.copy(to_device ? staging.get() : slot_.arena.get(),
               to_device ? slot_.arena.get() : staging.get(), regions);
}

void RunRecorder::record_copies_in() {
  if (!plan_.memory.uploads.empty()) {
    record_transfers(plan_.memory.uploads, slot_.upload, true);
  }
}

// Outputs to where the host reads them; with guarded memory, everything that the host cannot see in
// place.
void RunRecorder::record_copies_back() {
  if (!copies_back()) {
    return;
  }
  writer_.barrier(VK_PIPELINE_STAGE_TRANSFER_BIT);
  if (!plan_.memory.downloads.empty()) {
    record_transfers(plan_.memory.downloads, slot_.download, false);
  }
  if (!slot_.inspection) {
    return;
  }
  const VkBuffer inspection = slot_.inspection.get();
  const auto arena_bytes = static_cast<VkDeviceSize>(plan_.memory.activations.arena_bytes);
  const auto constant_bytes = static_cast<VkDeviceSize>(plan_.memory.constant_bytes);
  if (arena_bytes > 0) {
    const VkBufferCopy everything{0, 0, arena_bytes};
    writer_.copy(slot_.arena.get(), inspection, {&everything, 1});
  }
  if (constant_bytes > 0 && resources_.constants.mapped() == nullptr) {
    const VkBufferCopy everything{0, arena_bytes, constant_bytes};
    writer_.copy(resources_.constants.get(), inspection, {&everything, 1});
  }
}

Status RunRecorder::end_chunk(std::vector<VkCommandBuffer>& chunks) {
  const auto ended = writer_.end();
  if (!ended) {
    return tl::unexpected(ended.error());
  }
  chunks.push_back(*ended);
  return {};
}

// All dispatches, with the barriers they need between them.
Status RunRecorder::record_slices(std::vector<VkCommandBuffer>& chunks) {
  HazardTracker hazards;
  std::vector<MemoryRange> uploaded;
  for (const Transfer& transfer : plan_.memory.uploads) {
    uploaded.push_back(accessed_range(transfer.tensor));
  }
  hazards.needs_barrier_before({}, uploaded);
  std::vector<const Slice*> unordered;  // since the last barrier
  const auto record_unordered = [&] {
    if (plan_.reverses_unordered) {
      std::ranges::reverse(unordered);
    }
    for (const Slice* slice : unordered) {
      record_slice(*slice);
    }
    unordered.clear();
  };
  for (const Slice& slice : plan_.slices) {
    if (needs_barrier_before(slice, hazards)) {
      record_unordered();
      writer_.barrier(VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT);
    }
    unordered.push_back(&slice);
    if (slice.ends_chunk && &slice != &plan_.slices.back()) {
      record_unordered();
      const Status status = end_chunk(chunks).and_then([&] { return writer_.begin(); });
      if (!status) {
        return status;
      }
    }
  }
  record_unordered();
  return {};
}

Result<std::vector<VkCommandBuffer>> RunRecorder::record_run() {
  std::vector<VkCommandBuffer> chunks;
  if (!has_commands()) {
    return chunks;
  }
  Status status = writer_.begin();
  if (status) {
    record_copies_in();
    status = record_slices(chunks);
  }
  if (status) {
    record_copies_back();
    writer_.barrier(VK_PIPELINE_STAGE_HOST_BIT);
    status = end_chunk(chunks);
  }
  if (!status) {
    return tl::unexpected(status.error());
  }
  return chunks;
}

int64_t RunRecorder::bytes_of(const std::vector<Transfer>& transfers) const {
  int64_t bytes = 0;
  for (const Transfer& transfer : transfers) {
    bytes += plan_.memory.place(transfer.tensor).bytes;
  }
  return bytes;
}

DispatchTime RunRecorder::describe_copies(std::string_view what, int64_t bytes) const {
  DispatchTime copies;
  copies.kernel = what;
  copies.bytes_read = bytes;
  copies.bytes_written = bytes;
  return copies;
}

DispatchTime RunRecorder::describe_dispatch(const PreparedDispatch& prepared) const {
  const KernelPlan& plan = plan_.planned.plans[prepared.operator_index];
  const Dispatch& dispatch = *prepared.dispatch;
  DispatchTime described;
  described.operator_index =
      static_cast<int32_t>(plan_.planned.given_operator(prepared.operator_index));
  described.source_operator =
      plan_.planned.graph.operators[prepared.operator_index].source_operator;
  described.kernel = plan.dispatches.size() == 1
                         ? plan.variant
                         : fmt::format("{}, {}", plan.variant, dispatch.shader);
  described.workgroups = dispatch.workgroups;
  std::set<std::tuple<Binding::Kind, int32_t, int64_t>> counted;
  for (const Binding& input : dispatch.inputs) {
    const auto index = static_cast<size_t>(input.index);
    const bool is_constant = input.kind == Binding::Kind::kConstant;
    const int32_t memory = is_constant ? input.index : plan_.memory.place(input.index).root;
    const int64_t offset = is_constant ? 0 : plan_.memory.place(input.index).offset;
    if (counted.emplace(input.kind, memory, offset).second) {
      described.bytes_read +=
          is_constant ? plan_.memory.constant_blocks[prepared.operator_index][index].bytes
                      : plan_.memory.place(input.index).bytes;
    }
  }
  described.bytes_written = plan_.memory.place(dispatch.output.index).bytes;
  return described;
}

std::vector<DispatchTime> RunRecorder::describe_items() const {
  std::vector<DispatchTime> items;
  if (!has_commands()) {
    return items;
  }
  if (!plan_.memory.uploads.empty()) {
    items.push_back(describe_copies("copies to the device", bytes_of(plan_.memory.uploads)));
  }
  for (const PreparedDispatch& prepared : plan_.dispatches) {
    items.push_back(describe_dispatch(prepared));
  }
  if (copies_back()) {
    const auto inspected = static_cast<int64_t>(slot_.inspection.bytes());
    items.push_back(
        describe_copies("copies from the device", bytes_of(plan_.memory.downloads) + inspected));
  }
  return items;
}

Status RunRecorder::create_queries(ProfiledCommands& profiled) const {
  VkQueryPoolCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO;
  info.queryType = VK_QUERY_TYPE_TIMESTAMP;
  info.queryCount = static_cast<uint32_t>(profiled.items.size() + 1);
  VkQueryPool pool = VK_NULL_HANDLE;
  if (Status status =
          check(device_.functions().vkCreateQueryPool(device_.get(), &info, nullptr, &pool),
                "vkCreateQueryPool");
      !status) {
    return status;
  }
  profiled.queries = Handle(device_.get(), pool, device_.functions().vkDestroyQueryPool);
  return {};
}

Status RunRecorder::end_part(ProfiledCommands& profiled, const ItemPart& part) {
  const bool has_own_commands = profiled.clock == RunProfile::Clock::kSubmissions;
  const bool is_last = part.ends_item && part.item + 1 == profiled.items.size();
  if (part.ends_item && !has_own_commands) {
    writer_.timestamp(profiled.queries.get(), static_cast<uint32_t>(part.item + 1));
  }
  if (is_last) {
    writer_.barrier(VK_PIPELINE_STAGE_HOST_BIT);
  } else if (!has_own_commands && !part.ends_chunk) {
    return {};
  }
  const auto ended = writer_.end();
  if (!ended) {
    return tl::unexpected(ended.error());
  }
  profiled.pieces.push_back({*ended, part.item});
  return is_last ? Status{} : writer_.begin();
}

Result<ProfiledCommands> RunRecorder::record_profile() {
  ProfiledCommands profiled;
  profiled.clock = device_.capabilities().timestamps ? RunProfile::Clock::kTimestamps
                                                     : RunProfile::Clock::kSubmissions;
  profiled.items = describe_items();
  if (profiled.items.empty()) {
    return profiled;
  }
  Status status = writer_.begin();
  if (status && profiled.clock == RunProfile::Clock::kTimestamps) {
    status = create_queries(profiled);
    if (status) {
      writer_.reset_queries(profiled.queries.get(),
                            static_cast<uint32_t>(profiled.items.size() + 1));
      writer_.timestamp(profiled.queries.get(), 0);
    }
  }
  size_t item = 0;
  if (status && !plan_.memory.uploads.empty()) {
    record_copies_in();
    status = end_part(profiled, {.item = item++});
  }
  for (const Slice& slice : plan_.slices) {
    if (!status) {
      break;
    }
    writer_.barrier(VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT);
    record_slice(slice);
    const bool is_last = &slice == &plan_.slices.back();
    status = end_part(profiled, {item, slice.ends_dispatch, slice.ends_chunk && !is_last});
    item += slice.ends_dispatch ? 1 : 0;
  }
  if (status && copies_back()) {
    record_copies_back();
    status = end_part(profiled, {.item = item});
  }
  if (!status) {
    return tl::unexpected(status.error());
  }
  return profiled;
}

}  // namespace lockstep::backend::vulkan
