// Records the commands of a run: copies in, dispatches with the barriers they need, copies out.
#pragma once

#include <span>
#include <vector>

#include "backend/vulkan/command_writer.h"
#include "backend/vulkan/hazards.h"
#include "backend/vulkan/memory_plan.h"
#include "backend/vulkan/program_resources.h"
#include "backend/vulkan/work_splitting.h"

namespace lockstep::backend::vulkan {

struct PreparedDispatch {
  const Dispatch* dispatch = nullptr;
  size_t operator_index = 0;
  Pipeline pipeline;
};

// What the recordings of one program have in common.
struct RecordingPlan {
  const PlannedGraph& planned;
  const MemoryPlan& memory;
  std::span<const PreparedDispatch> dispatches;
  std::span<const Slice> slices;
  bool reverses_unordered = false;
};

class RunRecorder {
 public:
  // `slot` has its buffers and descriptors.
  RunRecorder(const LogicalDevice& device, const RecordingPlan& plan,
              const ProgramResources& resources, const RunSlot& slot)
      : device_(device),
        plan_(plan),
        resources_(resources),
        slot_(slot),
        writer_(device, resources.command_pool.get()) {}

  // The chunks of a run, none when there is nothing to do for the device. Writes of the host before
  // a submission are visible to it without a barrier.
  Result<std::vector<VkCommandBuffer>> record_run();

  // The same work with everything in strict order and the device's clock read in between.
  Result<ProfiledCommands> record_profile();

 private:
  bool has_commands() const {
    return !plan_.slices.empty() || !plan_.memory.uploads.empty() ||
           !plan_.memory.downloads.empty();
  }
  bool copies_back() const {
    return !plan_.memory.downloads.empty() || static_cast<bool>(slot_.inspection);
  }
  MemoryRange accessed_range(int32_t tensor) const;
  bool needs_barrier_before(const Slice& slice, HazardTracker& hazards) const;
  Status end_chunk(std::vector<VkCommandBuffer>& chunks);
  void record_slice(const Slice& slice);
  void record_transfers(const std::vector<Transfer>& transfers, const Buffer& staging,
                        bool to_device);
  void record_copies_in();
  void record_copies_back();
  Status record_slices(std::vector<VkCommandBuffer>& chunks);
  std::vector<DispatchTime> describe_items() const;
  DispatchTime describe_dispatch(const PreparedDispatch& prepared) const;
  DispatchTime describe_copies(std::string_view what, int64_t bytes) const;
  int64_t bytes_of(const std::vector<Transfer>& transfers) const;
  Status create_queries(ProfiledCommands& profiled) const;
  // What follows a part of an item: its timestamp, and the end of a command buffer where one is
  // due.
  struct ItemPart {
    size_t item = 0;
    bool ends_item = true;
    bool ends_chunk = false;
  };
  Status end_part(ProfiledCommands& profiled, const ItemPart& part);

  const LogicalDevice& device_;
  const RecordingPlan plan_;
  const ProgramResources& resources_;
  const RunSlot& slot_;
  CommandWriter writer_;
};

}  // namespace lockstep::backend::vulkan
