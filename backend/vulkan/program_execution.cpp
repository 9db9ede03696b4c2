#include "backend/vulkan/program_execution.h"

#include <algorithm>

#include "backend/vulkan/host_layout.h"
#include "backend/vulkan/result.h"

namespace lockstep::backend::vulkan {
namespace {

// False for a submission that may still be running: its memory must not be freed. A lost device
// runs nothing any more.
bool is_finished(const LogicalDevice& device, VkFence fence) {
  const VkResult status = device.functions().vkGetFenceStatus(device.get(), fence);
  return status == VK_SUCCESS || status == VK_ERROR_DEVICE_LOST;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

// Keeps what a hanging device may still write to until the process ends.
void ProgramExecution::abandon() {
  static std::mutex mutex;
  static auto* const abandoned = new std::vector<std::shared_ptr<ProgramExecution>>();
  const std::lock_guard lock(mutex);
  abandoned->push_back(shared_from_this());
}

Status ProgramExecution::check_sizes(Inputs given_inputs, Outputs given_outputs) const {
  if (given_inputs.size() != inputs.size() || given_outputs.size() != outputs.size()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the program has {} inputs and {} outputs; {} and {} were given",
                      inputs.size(), outputs.size(), given_inputs.size(), given_outputs.size());
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (given_inputs[i].size() != inputs[i].host_bytes) {
      return make_error(ErrorCode::kInvalidArgument, "input {} ('{}') has {} bytes; {} were given",
                        i, inputs[i].name, inputs[i].host_bytes, given_inputs[i].size());
    }
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (given_outputs[i].size() != outputs[i].host_bytes) {
      return make_error(ErrorCode::kInvalidArgument,
                        "output {} ('{}') has {} bytes; room for {} was given", i, outputs[i].name,
                        outputs[i].host_bytes, given_outputs[i].size());
    }
  }
  return {};
}

// ---- Which run has which slot -------------------------------------------------------------------

RunSlot* ProgramExecution::find_free(RunSlot* wanted) const {
  if (wanted != nullptr) {
    return wanted->state == RunSlot::State::kFree ? wanted : nullptr;
  }
  for (const std::unique_ptr<RunSlot>& slot : resources.slots) {
    if (slot->state == RunSlot::State::kFree) {
      return slot.get();
    }
  }
  return nullptr;
}

RunSlot* ProgramExecution::find_oldest_running() const {
  RunSlot* oldest = nullptr;
  for (const std::unique_ptr<RunSlot>& slot : resources.slots) {
    if (slot->state == RunSlot::State::kRunning &&
        (oldest == nullptr || slot->order < oldest->order)) {
      oldest = slot.get();
    }
  }
  return oldest;
}

Result<RunSlot*> ProgramExecution::claim(RunSlot* wanted) {
  Lock lock(mutex_);
  while (true) {
    if (death_) {
      return tl::unexpected(*death_);
    }
    if (RunSlot* const slot = find_free(wanted)) {
      slot->is_alone = std::ranges::all_of(
          resources.slots, [](const auto& each) { return each->state == RunSlot::State::kFree; });
      slot->state = RunSlot::State::kStarting;
      return slot;
    }
    if (RunSlot* const oldest = find_oldest_running()) {
      finish(lock, *oldest);
    } else {
      changed_.wait(lock);
    }
  }
}

// The mutex is held.
void ProgramExecution::release(RunSlot& slot, const Status& status) {
  slot.state = RunSlot::State::kFree;
  slot.ticket = nullptr;
  if (!status && status.error().code == ErrorCode::kDeviceLost && !death_) {
    death_ = status.error();
    is_dead_ = true;
  }
  changed_.notify_all();
}

void ProgramExecution::finish(Lock& lock, RunSlot& slot) {
  slot.state = RunSlot::State::kFinishing;
  RunTicket& ticket = *slot.ticket;
  const std::optional<Error> death = death_;
  lock.unlock();
  const bool is_timed = !death && slot.is_alone && pacer->chunk_count() > 1;
  // Only who sees the device at work sees when it is done, too.
  const bool sees_the_end = is_timed && device().functions().vkGetFenceStatus(
                                            device().get(), slot.fence.get()) == VK_NOT_READY;
  Status status;
  if (!death) {
    status = finish_on_device(slot);
  } else {
    // The device is not waited for once more; what it may still be doing keeps its memory.
    status = tl::unexpected(*death);
    if (!slot.chunks.empty() && !is_finished(device(), slot.fence.get())) {
      abandon();
    }
  }
  const double run_seconds = is_timed ? seconds_since(slot.submitted_at) : 0;
  lock.lock();
  if (status && is_timed) {
    pacer->record(run_seconds, sees_the_end);
  }
  ticket.status = std::move(status);
  ticket.is_finished = true;
  release(slot, ticket.status);
}

Status ProgramExecution::start(Inputs given_inputs, Outputs given_outputs, RunTicket& ticket) {
  if (Status status = check_sizes(given_inputs, given_outputs); !status) {
    return status;
  }
  const auto claimed = claim(nullptr);
  if (!claimed) {
    return tl::unexpected(claimed.error());
  }
  RunSlot& slot = **claimed;
  std::ranges::copy(given_outputs, slot.destinations.begin());
  Status status = write_inputs(slot, given_inputs);
  if (status) {
    status = submit_chunks(slot);
  }
  const Lock lock(mutex_);
  if (!status) {
    release(slot, status);
    return status;
  }
  ticket.slot = &slot;
  slot.ticket = &ticket;
  slot.order = started_++;
  slot.state = RunSlot::State::kRunning;
  changed_.notify_all();
  return {};
}

bool ProgramExecution::poll(RunTicket& ticket) {
  Lock lock(mutex_);
  if (!ticket.is_finished && ticket.slot->state == RunSlot::State::kRunning) {
    RunSlot& slot = *ticket.slot;
    // Whatever else the answer is, waiting for it does not take long.
    const bool is_running =
        !death_ && !slot.chunks.empty() &&
        device().functions().vkGetFenceStatus(device().get(), slot.fence.get()) == VK_NOT_READY;
    if (!is_running) {
      finish(lock, slot);
    }
  }
  return ticket.is_finished;
}

Status ProgramExecution::wait(RunTicket& ticket) {
  Lock lock(mutex_);
  while (!ticket.is_finished) {
    if (ticket.slot->state == RunSlot::State::kRunning) {
      finish(lock, *ticket.slot);
    } else {
      changed_.wait(lock);
    }
  }
  return ticket.status;
}

// ---- One run ------------------------------------------------------------------------------------

Status ProgramExecution::write_inputs(const RunSlot& slot, Inputs given_inputs) const {
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Border& input = inputs[i];
    if (slot.inputs[i] == nullptr) {
      continue;
    }
    if (input.table.empty()) {
      copy_to_device_layout(input.type, input.layout, given_inputs[i].data(), slot.inputs[i]);
    } else {
      map_to_device_layout(std::span(input.table).first<256>(), input.layout,
                           given_inputs[i].data(), slot.inputs[i]);
    }
  }
  if (slot.chunks.empty()) {
    return {};
  }
  return slot.border.flush(device()).and_then([&] { return slot.upload.flush(device()); });
}

Status ProgramExecution::submit_chunks(RunSlot& slot) {
  const std::span<const VkCommandBuffer> chunks = slot.chunks;
  if (chunks.empty()) {
    return {};
  }
  const VkFence fence = slot.fence.get();
  if (Status status = reset(fence); !status) {
    return status;
  }
  if (slot.is_alone && chunks.size() > 1) {
    slot.submitted_at = std::chrono::steady_clock::now();
  }
  for (size_t first = 0; first < chunks.size();) {
    const size_t end = pacer->submission_end(first);
    Status status = device().submit(chunks.subspan(first, end - first),
                                    end == chunks.size() ? fence : VK_NULL_HANDLE);
    if (!status) {
      return first == 0 ? status : stop_half_submitted(fence, status.error());
    }
    first = end;
  }
  return {};
}

Status ProgramExecution::stop_half_submitted(VkFence fence, const Error& error) {
  if (error.code == ErrorCode::kDeviceLost) {
    return tl::unexpected(error);
  }
  // A fence behind what was submitted tells when it is over.
  if (!device().submit(std::span<const VkCommandBuffer>(), fence)) {
    abandon();
    return lose(error.message);
  }
  if (Status status = wait_for(fence); !status) {
    return status;
  }
  return tl::unexpected(error);
}

Status ProgramExecution::lose(std::string message) {
  return tl::unexpected(Error{ErrorCode::kDeviceLost, std::move(message)});
}

Status ProgramExecution::reset(VkFence fence) const {
  return check(device().functions().vkResetFences(device().get(), 1, &fence), "vkResetFences");
}

Status ProgramExecution::wait_for(VkFence fence) {
  Status status = device().wait(fence, &is_dead_);
  if (!status && !is_finished(device(), fence)) {
    abandon();
    return lose(std::move(status.error().message));
  }
  return status;
}

Status ProgramExecution::execute(std::span<const VkCommandBuffer> commands, VkFence fence) {
  return reset(fence).and_then([&] { return device().submit(commands, fence); }).and_then([&] {
    return wait_for(fence);
  });
}

Status ProgramExecution::finish_on_device(RunSlot& slot) {
  if (slot.chunks.empty()) {
    return read_outputs(slot);
  }
  return wait_for(slot.fence.get()).and_then([&] { return read_outputs(slot); });
}

Status ProgramExecution::check_guards(const RunSlot& slot) const {
  if (slot.guarded.empty()) {
    return {};
  }
  for (const Buffer* read : {&slot.inspection, &resources.constants}) {
    if (Status status = read->invalidate(device()); !status) {
      return status;
    }
  }
  for (const GuardedBuffer& guarded : slot.guarded) {
    if (Status status = guarded.memory.check(guarded.contents); !status) {
      return status;
    }
  }
  return {};
}

Status ProgramExecution::read_outputs(const RunSlot& slot) const {
  if (!slot.chunks.empty()) {
    const Status visible = slot.border.invalidate(device())
                               .and_then([&] { return slot.download.invalidate(device()); })
                               .and_then([&] { return check_guards(slot); });
    if (!visible) {
      return visible;
    }
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Border& output = outputs[i];
    std::byte* const destination = slot.destinations[i].data();
    if (slot.outputs[i] == nullptr) {
      std::ranges::copy(output.constant, destination);
    } else if (output.table.empty()) {
      copy_from_device_layout(output.type, output.layout, slot.outputs[i], destination);
    } else {
      map_from_device_layout(std::span(output.table).first<256>(), output.layout, slot.outputs[i],
                             destination);
    }
  }
  return {};
}

// ---- Profiling ----------------------------------------------------------------------------------

Result<RunProfile> ProgramExecution::profile(Inputs given_inputs, Outputs given_outputs) {
  if (Status status = check_sizes(given_inputs, given_outputs); !status) {
    return tl::unexpected(status.error());
  }
  HostStopwatch stopwatch;
  const auto claimed = claim(resources.slots.front().get());
  if (!claimed) {
    return tl::unexpected(claimed.error());
  }
  RunSlot& slot = **claimed;
  std::ranges::copy(given_outputs, slot.destinations.begin());
  RunProfile profile;
  profile.clock = resources.profiled->clock;
  profile.dispatches = resources.profiled->items;
  Status status =
      stopwatch.measure("write inputs", [&] { return write_inputs(slot, given_inputs); });
  if (status && !slot.chunks.empty()) {
    status = run_profiled(profile, stopwatch, slot.fence.get());
  }
  if (status) {
    status = stopwatch.measure("read outputs", [&] { return read_outputs(slot); });
  }
  {
    const Lock lock(mutex_);
    release(slot, status);
  }
  if (!status) {
    return tl::unexpected(status.error());
  }
  profile.host_us = stopwatch.elapsed_us();
  profile.host = stopwatch.take_times();
  return profile;
}

Status ProgramExecution::run_profiled(RunProfile& profile, HostStopwatch& stopwatch,
                                      VkFence fence) {
  return profile.clock == RunProfile::Clock::kTimestamps
             ? run_timestamped(profile, stopwatch, fence)
             : run_piece_by_piece(profile, stopwatch, fence);
}

Status ProgramExecution::run_timestamped(RunProfile& profile, HostStopwatch& stopwatch,
                                         VkFence fence) {
  const ProfiledCommands& profiled = *resources.profiled;
  const Status submitted = stopwatch.measure("submit", [&]() -> Status {
    if (Status status = reset(fence); !status) {
      return status;
    }
    for (size_t i = 0; i < profiled.pieces.size(); ++i) {
      const bool is_last = i + 1 == profiled.pieces.size();
      Status status =
          device().submit({&profiled.pieces[i].commands, 1}, is_last ? fence : VK_NULL_HANDLE);
      if (!status) {
        return i == 0 ? status : stop_half_submitted(fence, status.error());
      }
    }
    return {};
  });
  if (!submitted) {
    return submitted;
  }
  if (Status status = stopwatch.measure("wait", [&] { return wait_for(fence); }); !status) {
    return status;
  }
  std::vector<uint64_t> ticks(profile.dispatches.size() + 1);
  const VkResult read = device().functions().vkGetQueryPoolResults(
      device().get(), profiled.queries.get(), 0, static_cast<uint32_t>(ticks.size()),
      ticks.size() * sizeof(uint64_t), ticks.data(), sizeof(uint64_t), VK_QUERY_RESULT_64_BIT);
  if (Status status = check(read, "vkGetQueryPoolResults"); !status) {
    return status;
  }
  const PhysicalDevice& physical = device().physical();
  set_times(ticks, {physical.timestamp_valid_bits, physical.timestamp_period_ns},
            profile.dispatches);
  return {};
}

Status ProgramExecution::run_piece_by_piece(RunProfile& profile, HostStopwatch& stopwatch,
                                            VkFence fence) {
  return stopwatch.measure("submit and wait, piece by piece", [&]() -> Status {
    const double start_us = stopwatch.elapsed_us();
    double previous_end_us = 0;
    size_t begun_items = 0;
    for (const ProfiledCommands::Piece& piece : resources.profiled->pieces) {
      if (Status status = execute({&piece.commands, 1}, fence); !status) {
        return status;
      }
      DispatchTime& time = profile.dispatches[piece.item];
      if (piece.item == begun_items) {
        time.begin_us = previous_end_us;
        ++begun_items;
      }
      time.end_us = previous_end_us = stopwatch.elapsed_us() - start_us;
    }
    return {};
  });
}

}  // namespace lockstep::backend::vulkan
