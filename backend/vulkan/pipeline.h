// The compute pipelines of a device: made once for every (shader, specialization) and shared by all
// its programs.
#pragma once

#include <volk.h>

#include <compare>
#include <cstdint>
#include <functional>
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

  // What descriptors need of the pipelines: one a key, in their order, valid as long as the store.
  Result<std::vector<VkDescriptorSetLayout>> set_layouts(std::span<const PipelineKey> keys);

  // Called on the thread that asked for pipelines, once for every distinct one as soon as it is
  // there: `key` is the number of the first key of it. Must not call the store.
  using OnReady = std::function<void(size_t key, const Pipeline& pipeline)>;

  // One pipeline a key, in their order. New ones are compiled on several threads.
  Result<std::vector<Pipeline>> get(
      std::span<const PipelineKey> keys, const OnReady& on_ready = [](size_t, const Pipeline&) {});

 private:
  struct Layouts {
    Handle<VkDescriptorSetLayout> set_layout;
    Handle<VkPipelineLayout> pipeline_layout;
  };
  struct Wanted {
    size_t index = 0;  // of its first key
    const PipelineKey* key = nullptr;
    const Layouts* layouts = nullptr;
  };

  static Pipeline pipeline_of(const Handle<VkPipeline>& pipeline, const Layouts& layouts) {
    return {pipeline.get(), layouts.pipeline_layout.get(), layouts.set_layout.get()};
  }

  Result<Handle<VkPipelineCache>> make_cache(std::span<const std::byte> contents) const;
  Result<const Layouts*> layouts_for(const PipelineKey& key);
  Result<Handle<VkPipeline>> build(const PipelineKey& key, VkPipelineLayout layout);
  // Those that can be built are kept, whatever happens to the others.
  Status build_missing(std::span<const Wanted> missing, const OnReady& on_ready);
  Status load_cache();
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
