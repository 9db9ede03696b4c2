// The little of Vulkan that the device benchmarks need of their own: a shader with its buffers, and
// commands that are recorded once and timed again and again.
#pragma once

#include <volk.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "backend/vulkan/device_context.h"
#include "backend/vulkan/handle.h"
#include "backend/vulkan/memory.h"
#include "graph/status.h"

namespace lockstep::bench {

// A pipeline of a module of bench_modules.h, bound to its buffers. Must not outlive device and
// buffers.
class MicroKernel {
 public:
  struct Settings {
    std::string_view module;
    std::vector<uint32_t> specialization;  // values of constant_id 0, 1, ...
    std::vector<uint32_t> push_constants;
    std::vector<const backend::vulkan::Buffer*>
        buffers;  // bindings 0, 1, ...; only while it is made
    std::array<uint32_t, 3> workgroups{1, 1, 1};
    uint32_t subgroup_size = 0;  // what the pipeline asks for; 0: nothing
  };

  static Result<MicroKernel> create(const backend::vulkan::LogicalDevice& device,
                                    Settings settings);

  // Seconds that vkCreateComputePipelines took.
  double creation_seconds() const { return creation_seconds_; }

  // Both of later recordings.
  void set_steps(uint32_t count) { settings_.push_constants[0] = count; }
  void set_workgroups(uint32_t count) { settings_.workgroups = {count, 1, 1}; }

  void record(VkCommandBuffer commands) const;

 private:
  MicroKernel() = default;

  const backend::vulkan::LogicalDevice* device_ = nullptr;
  Settings settings_;
  double creation_seconds_ = 0;
  backend::vulkan::Handle<VkDescriptorSetLayout> set_layout_;
  backend::vulkan::Handle<VkPipelineLayout> pipeline_layout_;
  backend::vulkan::Handle<VkPipeline> pipeline_;
  backend::vulkan::Handle<VkDescriptorPool> descriptor_pool_;
  VkDescriptorSet descriptors_ = VK_NULL_HANDLE;
};

// What one submission took.
struct SubmissionTime {
  double host_seconds = 0;               // from submitting to knowing that it is done
  std::optional<double> device_seconds;  // by the device's clock, where it has one
  double best() const { return device_seconds.value_or(host_seconds); }
};

// Commands that may be run any number of times. Must not outlive the device.
class TimedCommands {
 public:
  using Record = std::function<void(VkCommandBuffer)>;
  static Result<TimedCommands> create(const backend::vulkan::LogicalDevice& device,
                                      const Record& record);

  Result<SubmissionTime> run();

 private:
  TimedCommands() = default;

  backend::vulkan::LogicalDevice* device_ = nullptr;
  double seconds_per_tick_ = 0;
  uint64_t valid_ticks_ = 0;                      // all ones in the bits that count
  backend::vulkan::Handle<VkQueryPool> queries_;  // none where there are no timestamps
  backend::vulkan::Handle<VkCommandPool> pool_;
  backend::vulkan::Handle<VkFence> fence_;
  VkCommandBuffer commands_ = VK_NULL_HANDLE;
};

// Between two commands of which the second needs, or overwrites, what the first has made.
void record_barrier(const backend::vulkan::LogicalDevice& device, VkCommandBuffer commands);

}  // namespace lockstep::bench
