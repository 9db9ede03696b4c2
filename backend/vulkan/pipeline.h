// The compute pipelines of a device: made once for every (shader, specialization) and shared by all
// its programs.
#pragma once

#include <volk.h>

#include <compare>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backend/vulkan/device_cache.h"
#include "backend/vulkan/handle.h"
#include "backend/vulkan/logical_device.h"
#include "backend/vulkan/specialized_modules.h"

namespace lockstep::backend::vulkan {

// What makes two pipelines the same.
struct PipelineKey {
  std::string shader;  // name of the embedded module
  std::vector<uint32_t> specialization;
  std::vector<VkDescriptorType> bindings;  // 0, 1, 2, ...
  uint32_t push_constant_bytes = 0;
  bool dispatch_base = false;  // may be dispatched from another workgroup on than the first
  uint32_t subgroup_size = 0;  // 0: the device's

  auto operator<=>(const PipelineKey&) const = default;
};

// Not owning; valid as long as the store.
struct Pipeline {
  VkPipeline pipeline = VK_NULL_HANDLE;
  VkPipelineLayout layout = VK_NULL_HANDLE;
  VkDescriptorSetLayout set_layout = VK_NULL_HANDLE;
};

// Thread-safe. Must not outlive its device and cache.
class PipelineStore {
 public:
  // `cache`: where the driver's compiled code is kept between processes.
  PipelineStore(const LogicalDevice& device, DeviceCache& cache);
  PipelineStore(const PipelineStore&) = delete;
  PipelineStore& operator=(const PipelineStore&) = delete;

  // One pipeline a key, in their order. New ones are compiled on several threads.
  Result<std::vector<Pipeline>> get(std::span<const PipelineKey> keys);

 private:
  struct Layouts {
    Handle<VkDescriptorSetLayout> set_layout;
    Handle<VkPipelineLayout> pipeline_layout;
  };

  Result<Handle<VkPipelineCache>> make_cache(std::span<const std::byte> contents) const;
  Result<const Layouts*> layouts_for(const PipelineKey& key);
  Result<Handle<VkPipeline>> build(const PipelineKey& key, VkPipelineLayout layout);
  std::vector<std::byte> cache_contents() const;
  uint64_t hash_of(const PipelineKey& key) const;
  // Unless all of `added` were there already: writes the cache, together with what other processes
  // have added to the file meanwhile.
  void save_cache(std::span<const PipelineKey* const> added);

  const LogicalDevice& device_;
  DeviceCache& disk_;
  SpecializedModules modules_;
  std::mutex mutex_;
  Handle<VkPipelineCache> cache_;
  // Of the pipelines in the file that cache_ was made from. Contents alone do not tell whether
  // there is anything new to write: SwiftShader's grow by a header every time they are loaded.
  std::set<uint64_t> saved_hashes_;
  // By bindings and push-constant bytes.
  std::map<std::pair<std::vector<VkDescriptorType>, uint32_t>, Layouts> layouts_;
  std::map<PipelineKey, Handle<VkPipeline>> pipelines_;
};

}  // namespace lockstep::backend::vulkan
