#include "backend/vulkan/pipeline.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <future>
#include <optional>
#include <thread>

#include "backend/vulkan/result.h"
#include "shaders/embedded_shaders.h"

namespace lockstep::backend::vulkan {
namespace {

constexpr size_t kMaximumCompilerThreads = 8;

constexpr std::string_view kCacheKind = "pipelines";

// What is in a file: hashes of the pipelines whose code the driver's contents hold.
//   number of hashes u64 | hashes u64, ascending | contents
struct SavedCache {
  std::set<uint64_t> hashes;
  std::span<const std::byte> contents;  // of the bytes it was parsed from
};

SavedCache parse_cache(std::span<const std::byte> bytes) {
  const auto take = [&bytes] {
    uint64_t number = 0;
    std::memcpy(&number, bytes.data(), sizeof number);
    bytes = bytes.subspan(sizeof number);
    return number;
  };
  SavedCache saved;
  if (bytes.size() < sizeof(uint64_t)) {
    return saved;
  }
  const uint64_t count = take();
  if (count > bytes.size() / sizeof(uint64_t)) {
    return saved;
  }
  for (uint64_t i = 0; i < count; ++i) {
    saved.hashes.insert(take());
  }
  saved.contents = bytes;
  return saved;
}

std::vector<std::byte> serialize_cache(const std::set<uint64_t>& hashes,
                                       std::span<const std::byte> contents) {
  std::vector<uint64_t> numbers{hashes.size()};
  numbers.insert(numbers.end(), hashes.begin(), hashes.end());
  const auto head = std::as_bytes(std::span(numbers));
  std::vector<std::byte> bytes(head.begin(), head.end());
  bytes.insert(bytes.end(), contents.begin(), contents.end());
  return bytes;
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

PipelineStore::PipelineStore(const LogicalDevice& device, DeviceCache& cache)
    : device_(device), disk_(cache), modules_(cache) {}

Result<Handle<VkPipelineCache>> PipelineStore::make_cache(
    std::span<const std::byte> contents) const {
  VkPipelineCacheCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO;
  info.initialDataSize = contents.size();
  info.pInitialData = contents.data();
  VkPipelineCache cache = VK_NULL_HANDLE;
  const VolkDeviceTable& vk = device_.functions();
  if (const VkResult result = vk.vkCreatePipelineCache(device_.get(), &info, nullptr, &cache);
      result != VK_SUCCESS) {
    return tl::unexpected(error_of(result, "vkCreatePipelineCache"));
  }
  return Handle(device_.get(), cache, vk.vkDestroyPipelineCache);
}

Result<const PipelineStore::Layouts*> PipelineStore::layouts_for(const PipelineKey& key) {
  const std::pair shape{key.bindings, key.push_constant_bytes};
  if (const auto found = layouts_.find(shape); found != layouts_.end()) {
    return &found->second;
  }
  const VolkDeviceTable& vk = device_.functions();
  std::vector<VkDescriptorSetLayoutBinding> bindings(key.bindings.size());
  for (uint32_t i = 0; i < bindings.size(); ++i) {
    bindings[i].binding = i;
    bindings[i].descriptorType = key.bindings[i];
    bindings[i].descriptorCount = 1;
    bindings[i].stageFlags = VK_SHADER_STAGE_COMPUTE_BIT;
  }
  VkDescriptorSetLayoutCreateInfo set_info{};
  set_info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO;
  set_info.bindingCount = static_cast<uint32_t>(bindings.size());
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

Result<Handle<VkPipeline>> PipelineStore::build(const PipelineKey& key, VkPipelineLayout layout) {
  std::span<const uint32_t> code = shaders::find(key.shader);
  if (code.empty()) {
    return make_error(ErrorCode::kInternal, "this build has no shader '{}'", key.shader);
  }
  const std::vector<uint32_t> specialized = modules_.get(key.shader, code, key.specialization);
  if (!specialized.empty()) {
    code = specialized;
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
  subgroup_size.requiredSubgroupSize =
      key.subgroup_size > 0 ? key.subgroup_size : device_.capabilities().required_subgroup_size;

  VkComputePipelineCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO;
  info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
  info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  info.stage.module = shader_module;
  info.stage.pName = "main";
  info.stage.pSpecializationInfo = specialized.empty() ? &specialization : nullptr;
  if (subgroup_size.requiredSubgroupSize > 0) {
    info.stage.pNext = &subgroup_size;
  }
  info.layout = layout;
  if (key.dispatch_base) {
    info.flags |= VK_PIPELINE_CREATE_DISPATCH_BASE_BIT;
  }
  VkPipeline pipeline = VK_NULL_HANDLE;
  if (const VkResult result =
          vk.vkCreateComputePipelines(device_.get(), cache_.get(), 1, &info, nullptr, &pipeline);
      result != VK_SUCCESS) {
    return tl::unexpected(
        error_of(result, fmt::format("vkCreateComputePipelines for '{}'", key.shader)));
  }
  return Handle(device_.get(), pipeline, vk.vkDestroyPipeline);
}

std::vector<std::byte> PipelineStore::cache_contents() const {
  const VolkDeviceTable& vk = device_.functions();
  size_t bytes = 0;
  if (vk.vkGetPipelineCacheData(device_.get(), cache_.get(), &bytes, nullptr) != VK_SUCCESS) {
    return {};
  }
  std::vector<std::byte> contents(bytes);
  if (vk.vkGetPipelineCacheData(device_.get(), cache_.get(), &bytes, contents.data()) !=
      VK_SUCCESS) {
    return {};
  }
  contents.resize(bytes);
  return contents;
}

uint64_t PipelineStore::hash_of(const PipelineKey& key) const {
  std::vector<uint32_t> numbers = key.specialization;
  for (const VkDescriptorType type : key.bindings) {
    numbers.push_back(static_cast<uint32_t>(type));
  }
  numbers.insert(numbers.end(),
                 {key.push_constant_bytes, device_.capabilities().required_subgroup_size,
                  key.dispatch_base ? 1u : 0u, key.subgroup_size});
  return fnv1a(std::as_bytes(std::span(numbers)), fnv1a(std::as_bytes(std::span(key.shader))));
}

void PipelineStore::save_cache(std::span<const PipelineKey* const> added) {
  std::set<uint64_t> hashes = saved_hashes_;
  for (const PipelineKey* key : added) {
    hashes.insert(hash_of(*key));
  }
  if (!disk_.is_enabled() || hashes == saved_hashes_) {
    return;
  }
  disk_.update(kCacheKind, {}, [&](std::span<const std::byte> existing) {
    const SavedCache theirs = parse_cache(existing);
    if (!std::ranges::includes(saved_hashes_, theirs.hashes)) {
      if (const auto other = make_cache(theirs.contents)) {
        const VkPipelineCache source = other->get();
        if (device_.functions().vkMergePipelineCaches(device_.get(), cache_.get(), 1, &source) ==
            VK_SUCCESS) {
          hashes.insert(theirs.hashes.begin(), theirs.hashes.end());
        }
      }
    }
    saved_hashes_ = hashes;
    return serialize_cache(hashes, cache_contents());
  });
}

Result<std::vector<Pipeline>> PipelineStore::get(std::span<const PipelineKey> keys) {
  const std::lock_guard lock(mutex_);
  if (!cache_) {
    const std::vector<std::byte> loaded = disk_.load(kCacheKind);
    SavedCache saved = parse_cache(loaded);
    auto made = make_cache(saved.contents);
    if (!made) {
      return tl::unexpected(made.error());
    }
    cache_ = std::move(*made);
    saved_hashes_ = std::move(saved.hashes);
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
  if (!missing.empty()) {
    std::vector<const PipelineKey*> added;
    for (const Missing& each : missing) {
      added.push_back(each.key);
    }
    save_cache(added);
    modules_.save();
  }
  std::vector<Pipeline> result;
  for (size_t i = 0; i < keys.size(); ++i) {
    result.push_back({pipelines_.at(keys[i]).get(), layouts[i]->pipeline_layout.get(),
                      layouts[i]->set_layout.get()});
  }
  return result;
}

}  // namespace lockstep::backend::vulkan
