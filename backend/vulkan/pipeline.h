// The compute pipelines of a device: made once for every (shader, specialization) and shared by all
// its programs.
#pragma once

#include <volk.h>

#include <compare>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backend/vulkan/handle.h"
#include "backend/vulkan/logical_device.h"
#include "backend/vulkan/pipeline_cache_file.h"

namespace lockstep::backend::vulkan {

// What makes two pipelines the same.
struct PipelineKey {
  std::string shader;  // name of the embedded module
  std::vector<uint32_t> specialization;
  uint32_t bindings = 0;
  uint32_t push_constant_bytes = 0;

  auto operator<=>(const PipelineKey&) const = default;
};

// Not owning; valid as long as the store.
struct Pipeline {
  VkPipeline pipeline = VK_NULL_HANDLE;
  VkPipelineLayout layout = VK_NULL_HANDLE;
  VkDescriptorSetLayout set_layout = VK_NULL_HANDLE;
};

// Thread-safe. Must not outlive its device.
class PipelineStore {
 public:
  // `cache_dir`: where the driver's compiled code is kept between processes; empty for nowhere.
  PipelineStore(const LogicalDevice& device, const std::string& cache_dir);
  PipelineStore(const PipelineStore&) = delete;
  PipelineStore& operator=(const PipelineStore&) = delete;

  // One pipeline a key, in their order. New ones are compiled on several threads.
  Result<std::vector<Pipeline>> get(std::span<const PipelineKey> keys);

 private:
  struct Layouts {
    Handle<VkDescriptorSetLayout> set_layout;
    Handle<VkPipelineLayout> pipeline_layout;
  };

  Status initialize_cache();
  Result<const Layouts*> layouts_for(const PipelineKey& key);
  Result<Handle<VkPipeline>> build(const PipelineKey& key, VkPipelineLayout layout) const;
  void save_cache() const;

  const LogicalDevice& device_;
  PipelineCacheKey cache_key_;
  std::filesystem::path cache_file_;  // empty: none
  std::mutex mutex_;
  Handle<VkPipelineCache> cache_;
  std::map<std::pair<uint32_t, uint32_t>, Layouts> layouts_;  // by bindings, push-constant bytes
  std::map<PipelineKey, Handle<VkPipeline>> pipelines_;
};

}  // namespace lockstep::backend::vulkan
