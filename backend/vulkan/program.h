// A compiled network: pipelines, memory and one recorded command buffer that every run submits
// again.
#pragma once

#include <volk.h>

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/device.h"
#include "backend/vulkan/activation_plan.h"
#include "backend/vulkan/device_context.h"
#include "backend/vulkan/guard_bands.h"
#include "backend/vulkan/kernel.h"
#include "backend/vulkan/memory.h"

namespace lockstep::backend::vulkan {

class VulkanProgram final : public Program {
 public:
  // `plans`: one for each of graph.operators; both passed program_checks.h.
  static Result<std::unique_ptr<VulkanProgram>> create(std::shared_ptr<DeviceContext> context,
                                                       const graph::LoweredGraph& graph,
                                                       std::span<const KernelPlan> plans,
                                                       const CompileOptions& options = {});
  ~VulkanProgram() override;

  Status run(std::span<const std::span<const std::byte>> inputs,
             std::span<const std::span<std::byte>> outputs) override;
  ProgramStatistics statistics() const override { return statistics_; }
  std::vector<OperatorPlacement> placements() const override { return placements_; }

 private:
  friend class ProgramBuilder;

  // One graph input or output as the host sees it.
  struct Border {
    std::string name;
    graph::DataType type = graph::DataType::kInt8;
    TensorLayout layout;
    size_t host_bytes = 0;
    // Where run() writes or reads it in the device's layout; null when no operator touches it.
    std::byte* mapped = nullptr;
    // Outputs that never change: their host bytes.
    std::vector<std::byte> constant;
  };

  // Everything the device may still be using while a submission is in flight. The context comes
  // first, so that it goes last.
  struct Resources {
    std::shared_ptr<DeviceContext> context;
    Buffer arena;
    Buffer border;    // unified memory only: inputs and outputs, mapped
    Buffer upload;    // otherwise: inputs on their way in
    Buffer download;  // otherwise: outputs on their way out
    Buffer constants;
    Buffer constants_upload;  // only while the program is built, without unified memory
    // With guarded memory: where the host sees what it cannot see in place, first the arena, then
    // (without unified memory) the constants.
    Buffer inspection;
    Handle<VkDescriptorPool> descriptors;
    Handle<VkCommandPool> command_pool;
    VkCommandBuffer commands = VK_NULL_HANDLE;
    Handle<VkFence> fence;
  };

  // A buffer whose guards are checked after every run.
  struct GuardedBuffer {
    GuardedMemory memory;
    const std::byte* contents;  // where the host sees it
  };

  VulkanProgram() = default;
  Status check_sizes(std::span<const std::span<const std::byte>> inputs,
                     std::span<const std::span<std::byte>> outputs) const;
  // Keeps what a hanging device may still write to until the process ends.
  static void abandon(std::unique_ptr<Resources> resources);
  Status check_guards() const;
  // Submits `commands` and waits for them. After kDeviceLost, which is also the answer when nobody
  // can tell whether they are done, the program is dead and may have no resources.
  Status execute(VkCommandBuffer commands);

  std::mutex mutex_;
  std::unique_ptr<Resources> resources_;
  std::vector<Border> inputs_;
  std::vector<Border> outputs_;
  std::vector<GuardedBuffer> guarded_;  // empty unless asked for
  bool has_commands_ = false;
  std::optional<Error> death_;  // why the program runs no more
  ProgramStatistics statistics_;
  std::vector<OperatorPlacement> placements_;
};

}  // namespace lockstep::backend::vulkan
