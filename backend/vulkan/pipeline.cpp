#include "backend/vulkan/pipeline.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <future>
#include <iterator>
#include <optional>
#include <system_error>
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

// Calls work(i) for every i below `count` on other threads, and done(i) on this one once work(i)
// has returned; returns when all are done.
template <typename Work, typename Done>
void for_each_in_parallel(size_t count, const Work& work, const Done& done) {
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<size_t> worked;
  const auto worker = [&] {
    for (size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
      work(i);
      // Notified with the mutex held: `changed` is gone soon after the last one was counted.
      const std::lock_guard lock(mutex);
      worked.push_back(i);
      changed.notify_one();
    }
  };
  const size_t threads = std::min<size_t>(
      {count, kMaximumCompilerThreads, std::max(std::thread::hardware_concurrency(), 1u)});
  // Their destructors wait. (std::jthread would do, but Android's C++ library lacks it.)
  std::vector<std::future<void>> helpers;
  try {
    while (helpers.size() < threads) {
      helpers.push_back(std::async(std::launch::async, worker));
    }
  } catch (const std::system_error&) {  // no more threads: those that are there do it
    if (helpers.empty()) {
      worker();
    }
  }
  for (size_t count_done = 0; count_done < count; ++count_done) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return !worked.empty(); });
    const size_t i = worked.front();
    worked.erase(worked.begin());
    lock.unlock();
    done(i);
  }
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

Result<std::vector<VkDescriptorSetLayout>> PipelineStore::set_layouts(
    std::span<const PipelineKey> keys) {
  const std::lock_guard lock(mutex_);
  std::vector<VkDescriptorSetLayout> result;
  for (const PipelineKey& key : keys) {
    const auto layouts = layouts_for(key);
    if (!layouts) {
      return tl::unexpected(layouts.error());
    }
    result.push_back((*layouts)->set_layout.get());
  }
  return result;
}

Status PipelineStore::load_cache() {
  const std::vector<std::byte> loaded = disk_.load(kCacheKind);
  SavedCache saved = parse_cache(loaded);
  auto made = make_cache(saved.contents);
  if (!made) {
    return tl::unexpected(made.error());
  }
  cache_ = std::move(*made);
  saved_hashes_ = std::move(saved.hashes);
  return {};
}

Status PipelineStore::build_missing(std::span<const Wanted> missing, const OnReady& on_ready) {
  std::vector<std::optional<Result<Handle<VkPipeline>>>> built(missing.size());
  Status status;
  for_each_in_parallel(
      missing.size(),
      [&](size_t i) {
        built[i].emplace(build(*missing[i].key, missing[i].layouts->pipeline_layout.get()));
      },
      [&](size_t i) {
        if (!*built[i]) {
          status = tl::unexpected(built[i]->error());
          return;
        }
        const auto& added = *pipelines_.emplace(*missing[i].key, std::move(**built[i])).first;
        on_ready(missing[i].index, pipeline_of(added.second, *missing[i].layouts));
      });
  std::vector<const PipelineKey*> added;
  for (const Wanted& each : missing) {
    if (pipelines_.contains(*each.key)) {
      added.push_back(each.key);
    }
  }
  save_cache(added);
  modules_.save();
  return status;
}

Result<std::vector<Pipeline>> PipelineStore::get(std::span<const PipelineKey> keys,
                                                 const OnReady& on_ready) {
  const std::lock_guard lock(mutex_);
  if (!cache_) {
    if (Status status = load_cache(); !status) {
      return tl::unexpected(status.error());
    }
  }
  std::map<PipelineKey, Wanted> distinct;
  std::vector<const Layouts*> layouts;
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto found = layouts_for(keys[i]);
    if (!found) {
      return tl::unexpected(found.error());
    }
    layouts.push_back(*found);
    distinct.emplace(keys[i], Wanted{i, &keys[i], *found});
  }
  std::vector<Wanted> missing;
  for (const auto& [key, wanted] : distinct) {
    if (const auto there = pipelines_.find(key); there != pipelines_.end()) {
      on_ready(wanted.index, pipeline_of(there->second, *wanted.layouts));
    } else {
      missing.push_back(wanted);
    }
  }
  // The largest first, so that no thread is left with one at the end; but before them the smallest,
  // so that whoever waits for pipelines to be ready has one at once.
  std::ranges::sort(missing, std::ranges::greater(),
                    [](const Wanted& each) { return shaders::find(each.key->shader).size(); });
  if (!missing.empty()) {
    std::ranges::rotate(missing, std::prev(missing.end()));
  }
  if (!missing.empty()) {
    if (Status status = build_missing(missing, on_ready); !status) {
      return tl::unexpected(status.error());
    }
  }
  std::vector<Pipeline> result;
  for (size_t i = 0; i < keys.size(); ++i) {
    result.push_back(pipeline_of(pipelines_.at(keys[i]), *layouts[i]));
  }
  return result;
}

}  // namespace lockstep::backend::vulkan
