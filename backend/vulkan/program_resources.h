// The Vulkan objects of a program: what all its runs share, and what each run that is under way has
// for itself.
#pragma once

#include <volk.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/device.h"
#include "backend/vulkan/device_context.h"
#include "backend/vulkan/guard_bands.h"
#include "backend/vulkan/handle.h"
#include "backend/vulkan/layout.h"
#include "backend/vulkan/memory.h"

namespace lockstep::backend::vulkan {

// One graph input or output as the host sees it.
struct Border {
  std::string name;
  graph::DataType type = graph::DataType::kInt8;
  TensorLayout layout;
  size_t host_bytes = 0;
  // What a byte of the host is on the device (of outputs: the other way round), instead of what
  // `type` says of it: a table operator that was fused into the copy. Empty: there is none.
  std::vector<std::byte> table;
  // Outputs that never change: their host bytes.
  std::vector<std::byte> constant;
};

// A buffer whose guards are checked after every run.
struct GuardedBuffer {
  GuardedMemory memory;
  const std::byte* contents;  // where the host sees it
};

// A run on its way from start to end. Belongs to whoever waits for it, guarded by the execution's
// mutex.
struct RunSlot;
struct RunTicket {
  RunSlot* slot = nullptr;
  bool is_finished = false;
  Status status;
};

// What one run at a time uses.
struct RunSlot {
  Buffer arena;
  Buffer border;    // unified memory only: inputs and outputs, mapped
  Buffer upload;    // otherwise: inputs on their way in
  Buffer download;  // otherwise: outputs on their way out
  // With guarded memory: where the host sees what it cannot see in place, first the arena, then
  // (without unified memory) the constants.
  Buffer inspection;
  std::vector<Handle<VkBufferView>> texel_views;
  std::vector<VkDescriptorSet> descriptors;  // by dispatch
  std::vector<VkCommandBuffer> chunks;       // the commands of a run; empty: there are none
  Handle<VkFence> fence;
  // Where the host writes inputs and reads outputs in the device's layout; null for those that no
  // operator touches.
  std::vector<std::byte*> inputs;
  std::vector<const std::byte*> outputs;
  std::vector<GuardedBuffer> guarded;  // empty unless asked for

  // Guarded by the execution's mutex. Whoever moves a slot out of kFree or kRunning owns the rest
  // of it until moving it on.
  enum class State : uint8_t {
    kFree,
    kStarting,   // inputs are written, commands submitted
    kRunning,    // the device has it
    kFinishing,  // somebody waits for the device and reads outputs
  };
  State state = State::kFree;
  RunTicket* ticket = nullptr;                     // of kRunning and kFinishing
  uint64_t order = 0;                              // of kRunning: the lower, the older
  std::vector<std::span<std::byte>> destinations;  // the caller's memory for the outputs
  bool is_alone = false;  // nothing else was under way when the run started
  std::chrono::steady_clock::time_point submitted_at;
};

// The commands of a run that says where its time goes.
struct ProfiledCommands {
  struct Piece {
    VkCommandBuffer commands = VK_NULL_HANDLE;
    size_t item = 0;  // of kSubmissions: what it is part of
  };
  RunProfile::Clock clock = RunProfile::Clock::kTimestamps;
  std::vector<DispatchTime> items;  // without times
  std::vector<Piece> pieces;
  Handle<VkQueryPool> queries;  // of kTimestamps: one before the first item and one after each
};

// Everything the device may still be using while submissions are in flight. The context comes
// first, so that it goes last.
struct ProgramResources {
  std::shared_ptr<DeviceContext> context;
  Buffer constants;
  Buffer constants_upload;  // only while the program is built, without unified memory
  Handle<VkDescriptorPool> descriptors;
  Handle<VkCommandPool> command_pool;
  std::vector<std::unique_ptr<RunSlot>> slots;
  std::unique_ptr<ProfiledCommands> profiled;  // of the first slot; null unless asked for
};

}  // namespace lockstep::backend::vulkan
