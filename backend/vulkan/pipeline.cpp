#include "backend/vulkan/pipeline.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <optional>
#include <thread>

#include "backend/vulkan/result.h"
#include "shaders/embedded_shaders.h"

namespace lockstep::backend::vulkan {
namespace {

constexpr size_t kMaximumCompilerThreads = 8;

PipelineCacheKey cache_key_of(const PhysicalDevice& physical) {
  return {physical.description.vendor_id, physical.description.device_id,
          physical.description.driver_version, physical.pipeline_cache_uuid};
}

// Calls work(i) for every i below `count` from several threads, and returns when all are done.
template <typename Work>
void for_each_in_parallel(size_t count, const Work& work) {
  std::atomic<size_t> next{0};
  const auto worker = [&] {
    for (size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
      work(i);
    }
  };
  const size_t threads = std::min<size_t>(
      {count, kMaximumCompilerThreads, std::max(std::thread::hardware_concurrency(), 1u)});
  // Their destructors wait. (std::jthread would do, but Android's C++ library lacks it.)
  std::vector<std::future<void>> helpers;
  for (size_t i = 1; i < threads; ++i) {
    helpers.push_back(std::async(std::launch::async, worker));
  }
  worker();
}

}  // namespace

PipelineStore::PipelineStore(const LogicalDevice& device, const std::string& cache_dir)
    : device_(device), cache_key_(cache_key_of(device.physical())) {
  if (!cache_dir.empty()) {
    cache_file_ = std::filesystem::path(cache_dir) / pipeline_cache_file_name(cache_key_);
  }
}

Status PipelineStore::initialize_cache() {
  std::vector<std::byte> blob;
  if (!cache_file_.empty()) {
    blob = load_pipeline_cache(cache_file_, cache_key_);
  }
  VkPipelineCacheCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO;
  info.initialDataSize = blob.size();
  info.pInitialData = blob.data();
  VkPipelineCache cache = VK_NULL_HANDLE;
  const VolkDeviceTable& vk = device_.functions();
  if (const VkResult result = vk.vkCreatePipelineCache(device_.get(), &info, nullptr, &cache);
      result != VK_SUCCESS) {
    return tl::unexpected(error_of(result, "vkCreatePipelineCache"));
  }
  cache_ = Handle(device_.get(), cache, vk.vkDestroyPipelineCache);
  return {};
}

Result<const PipelineStore::Layouts*> PipelineStore::layouts_for(const PipelineKey& key) {
  const std::pair<uint32_t, uint32_t> shape{key.bindings, key.push_constant_bytes};
  if (const auto found = layouts_.find(shape); found != layouts_.end()) {
    return &found->second;
  }
  const VolkDeviceTable& vk = device_.functions();
  std::vector<VkDescriptorSetLayoutBinding> bindings(key.bindings);
  for (uint32_t i = 0; i < key.bindings; ++i) {
    bindings[i].binding = i;
    bindings[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    bindings[i].descriptorCount = 1;
    bindings[i].stageFlags = VK_SHADER_STAGE_COMPUTE_BIT;
  }
  VkDescriptorSetLayoutCreateInfo set_info{};
  set_info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO;
  set_info.bindingCount = key.bindings;
  set_info.pBindings = bindings.data();
  VkDescriptorSetLayout set_layout = VK_NULL_HANDLE;
  if (const VkResult result =
          vk.vkCreateDescriptorSetLayout(device_.get(), &set_info, nullptr, &set_layout);
      result != VK_SUCCESS) {
    return tl::unexpected(error_of(result, "vkCreateDescriptorSetLayout"));
  }
  Layouts layouts;
  layouts.set_layout = Handle(device_.get(), set_layout, vk.vkDestroyDescriptorSetLayout);

  VkPushConstantRange push_range{};
  push_range.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT;
  push_range.size = key.push_constant_bytes;
  VkPipelineLayoutCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO;
  info.setLayoutCount = 1;
  info.pSetLayouts = &set_layout;
  info.pushConstantRangeCount = push_range.size > 0 ? 1 : 0;
  info.pPushConstantRanges = &push_range;
  VkPipelineLayout layout = VK_NULL_HANDLE;
  if (const VkResult result = vk.vkCreatePipelineLayout(device_.get(), &info, nullptr, &layout);
      result != VK_SUCCESS) {
    return tl::unexpected(error_of(result, "vkCreatePipelineLayout"));
  }
  layouts.pipeline_layout = Handle(device_.get(), layout, vk.vkDestroyPipelineLayout);
  return &layouts_.emplace(shape, std::move(layouts)).first->second;
}

Result<Handle<VkPipeline>> PipelineStore::build(const PipelineKey& key,
                                                VkPipelineLayout layout) const {
  const std::span<const uint32_t> code = shaders::find(key.shader);
  if (code.empty()) {
    return make_error(ErrorCode::kInternal, "this build has no shader '{}'", key.shader);
  }
  const VolkDeviceTable& vk = device_.functions();
  VkShaderModuleCreateInfo module_info{};
  module_info.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO;
  module_info.codeSize = code.size_bytes();
  module_info.pCode = code.data();
  VkShaderModule shader_module = VK_NULL_HANDLE;
  if (const VkResult result =
          vk.vkCreateShaderModule(device_.get(), &module_info, nullptr, &shader_module);
      result != VK_SUCCESS) {
    return tl::unexpected(
        error_of(result, fmt::format("vkCreateShaderModule for '{}'", key.shader)));
  }
  const Handle module_owner(device_.get(), shader_module, vk.vkDestroyShaderModule);

  std::vector<VkSpecializationMapEntry> entries(key.specialization.size());
  for (uint32_t i = 0; i < entries.size(); ++i) {
    entries[i] = {i, i * uint32_t{sizeof(uint32_t)}, sizeof(uint32_t)};
  }
  VkSpecializationInfo specialization{};
  specialization.mapEntryCount = static_cast<uint32_t>(entries.size());
  specialization.pMapEntries = entries.data();
  specialization.dataSize = key.specialization.size() * sizeof(uint32_t);
  specialization.pData = key.specialization.data();

  VkPipelineShaderStageRequiredSubgroupSizeCreateInfo subgroup_size{};
  subgroup_size.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO;
  subgroup_size.requiredSubgroupSize = device_.capabilities().required_subgroup_size;

  VkComputePipelineCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO;
  info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
  info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  info.stage.module = shader_module;
  info.stage.pName = "main";
  info.stage.pSpecializationInfo = &specialization;
  if (subgroup_size.requiredSubgroupSize > 0) {
    info.stage.pNext = &subgroup_size;
  }
  info.layout = layout;
  VkPipeline pipeline = VK_NULL_HANDLE;
  if (const VkResult result =
          vk.vkCreateComputePipelines(device_.get(), cache_.get(), 1, &info, nullptr, &pipeline);
      result != VK_SUCCESS) {
    return tl::unexpected(
        error_of(result, fmt::format("vkCreateComputePipelines for '{}'", key.shader)));
  }
  return Handle(device_.get(), pipeline, vk.vkDestroyPipeline);
}

void PipelineStore::save_cache() const {
  const VolkDeviceTable& vk = device_.functions();
  size_t bytes = 0;
  if (vk.vkGetPipelineCacheData(device_.get(), cache_.get(), &bytes, nullptr) != VK_SUCCESS) {
    return;
  }
  std::vector<std::byte> blob(bytes);
  if (vk.vkGetPipelineCacheData(device_.get(), cache_.get(), &bytes, blob.data()) != VK_SUCCESS) {
    return;
  }
  blob.resize(bytes);
  // A cache that cannot be written costs time at the next start and nothing else.
  static_cast<void>(save_pipeline_cache(cache_file_, cache_key_, blob));
}

Result<std::vector<Pipeline>> PipelineStore::get(std::span<const PipelineKey> keys) {
  const std::lock_guard lock(mutex_);
  if (!cache_) {
    if (Status status = initialize_cache(); !status) {
      return tl::unexpected(status.error());
    }
  }
  struct Missing {
    const PipelineKey* key;
    VkPipelineLayout layout;
    std::optional<Result<Handle<VkPipeline>>> built;
  };
  std::vector<Missing> missing;
  std::vector<const Layouts*> layouts;
  for (const PipelineKey& key : keys) {
    const auto layout = layouts_for(key);
    if (!layout) {
      return tl::unexpected(layout.error());
    }
    layouts.push_back(*layout);
    const bool planned =
        std::ranges::any_of(missing, [&](const Missing& each) { return *each.key == key; });
    if (!planned && !pipelines_.contains(key)) {
      missing.push_back({&key, (*layout)->pipeline_layout.get(), std::nullopt});
    }
  }
  for_each_in_parallel(missing.size(), [&](size_t i) {
    missing[i].built.emplace(build(*missing[i].key, missing[i].layout));
  });
  for (Missing& each : missing) {
    if (!*each.built) {
      return tl::unexpected(each.built->error());
    }
    pipelines_.emplace(*each.key, std::move(**each.built));
  }
  if (!missing.empty() && !cache_file_.empty()) {
    save_cache();
  }
  std::vector<Pipeline> result;
  for (size_t i = 0; i < keys.size(); ++i) {
    result.push_back({pipelines_.at(keys[i]).get(), layouts[i]->pipeline_layout.get(),
                      layouts[i]->set_layout.get()});
  }
  return result;
}

}  // namespace lockstep::backend::vulkan
