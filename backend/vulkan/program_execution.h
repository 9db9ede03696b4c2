// Runs a program: which run has which slot, in which order they complete, and what happens when the
// device does not answer any more.
//
// Shared by the program and its pending runs; goes when the last of them does. Thread-safe.
#pragma once

#include <volk.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "backend/device.h"
#include "backend/vulkan/program_resources.h"
#include "backend/vulkan/run_profiling.h"
#include "backend/vulkan/work_splitting.h"

namespace lockstep::backend::vulkan {

class ProgramExecution : public std::enable_shared_from_this<ProgramExecution> {
 public:
  using Inputs = std::span<const std::span<const std::byte>>;
  using Outputs = std::span<const std::span<std::byte>>;

  // Everything that is built is written here before the first run and constant afterwards, but for
  // the slots' states.
  ProgramResources resources;
  std::vector<Border> inputs;
  std::vector<Border> outputs;
  std::optional<SubmissionPacer> pacer;

  // Starts a run; see Program::submit(). `ticket` must stay where it is until it is finished.
  // Allocates nothing.
  Status start(Inputs given_inputs, Outputs given_outputs, RunTicket& ticket);
  bool poll(RunTicket& ticket);
  Status wait(RunTicket& ticket);

  // One run alone on the first slot, by resources.profiled.
  Result<RunProfile> profile(Inputs given_inputs, Outputs given_outputs);

  // Submits the commands, in one submission, and waits for them. After kDeviceLost, which is also
  // the answer when nobody can tell whether they are done, nothing runs any more, and what the
  // device may still write to is kept until the process ends.
  Status execute(std::span<const VkCommandBuffer> commands, VkFence fence);

 private:
  using Lock = std::unique_lock<std::mutex>;

  Status check_sizes(Inputs given_inputs, Outputs given_outputs) const;
  // A free slot, or `wanted`, which is kStarting from now on. Completes old runs until there is
  // one.
  Result<RunSlot*> claim(RunSlot* wanted);
  RunSlot* find_free(RunSlot* wanted) const;
  RunSlot* find_oldest_running() const;
  void release(RunSlot& slot, const Status& status);
  // Completes the run of a kRunning slot. Unlocks while it waits.
  void finish(Lock& lock, RunSlot& slot);
  // The device's part of finish().
  Status finish_on_device(RunSlot& slot);

  Status write_inputs(const RunSlot& slot, Inputs given_inputs) const;
  Status read_outputs(const RunSlot& slot) const;
  Status check_guards(const RunSlot& slot) const;
  Status submit_chunks(RunSlot& slot);
  // The fence was reset, and some of the commands before it may be running.
  Status stop_half_submitted(VkFence fence, const Error& error);
  Status reset(VkFence fence) const;
  Status wait_for(VkFence fence);
  Status lose(std::string message);
  void abandon();
  LogicalDevice& device() const { return *resources.context->device; }

  Status run_profiled(RunProfile& profile, HostStopwatch& stopwatch, VkFence fence);
  Status run_timestamped(RunProfile& profile, HostStopwatch& stopwatch, VkFence fence);
  Status run_piece_by_piece(RunProfile& profile, HostStopwatch& stopwatch, VkFence fence);

  std::mutex mutex_;
  std::condition_variable changed_;    // a slot's state, a ticket, or death_
  std::optional<Error> death_;         // why the program runs no more
  std::atomic<bool> is_dead_ = false;  // the same for those who wait without the mutex
  uint64_t started_ = 0;
};

}  // namespace lockstep::backend::vulkan
