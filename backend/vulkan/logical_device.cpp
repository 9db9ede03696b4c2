#include "backend/vulkan/logical_device.h"

#include <chrono>
#include <utility>
#include <vector>

#include "backend/vulkan/cooperative_matrix_registry.h"
#include "backend/vulkan/result.h"

namespace lockstep::backend::vulkan {
namespace {

// Waiting goes on in slices, because some drivers notice a lost device only between two waits.
constexpr std::chrono::nanoseconds kWaitSlice = std::chrono::seconds(1);
constexpr int kMaximumWaitSlices = 300;
constexpr const char* kPortabilitySubset = "VK_KHR_portability_subset";

}  // namespace

LogicalDevice::LogicalDevice(std::shared_ptr<Instance> instance, PhysicalDevice physical,
                             const Capabilities& capabilities)
    : instance_(std::move(instance)), physical_(std::move(physical)), capabilities_(capabilities) {}

LogicalDevice::~LogicalDevice() {
  if (device_ != VK_NULL_HANDLE) {
    functions_.vkDestroyDevice(device_, nullptr);
  }
}

Result<std::unique_ptr<LogicalDevice>> LogicalDevice::create(std::shared_ptr<Instance> instance,
                                                             PhysicalDevice physical,
                                                             const Capabilities& capabilities) {
  std::unique_ptr<LogicalDevice> device(
      new LogicalDevice(std::move(instance), std::move(physical), capabilities));
  if (Status status = device->initialize(); !status) {
    return tl::unexpected(status.error());
  }
  return device;
}

bool LogicalDevice::asks_for_subgroup_sizes() const {
  const bool has_a_choice = capabilities_.min_subgroup_size != capabilities_.max_subgroup_size;
  return capabilities_.required_subgroup_size > 0 ||
         (has_a_choice && !capabilities_.cooperative_matrices.empty());
}

Status LogicalDevice::initialize() {
  const float priority = 1.0f;
  VkDeviceQueueCreateInfo queue{};
  queue.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO;
  queue.queueFamilyIndex = physical_.queue_family;
  queue.queueCount = 1;
  queue.pQueuePriorities = &priority;

  VkDeviceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
  info.queueCreateInfoCount = 1;
  info.pQueueCreateInfos = &queue;

  std::vector<const char*> extensions;
  const auto enable_unless_core = [&](uint32_t core_since, const char* name) {
    if (physical_.api_version < core_since) {
      extensions.push_back(name);
    }
  };
  VkPhysicalDevice8BitStorageFeatures storage_8bit{};
  storage_8bit.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES;
  if (capabilities_.storage_8bit) {
    enable_unless_core(VK_API_VERSION_1_2, VK_KHR_8BIT_STORAGE_EXTENSION_NAME);
    storage_8bit.storageBuffer8BitAccess = VK_TRUE;
    storage_8bit.pNext = const_cast<void*>(info.pNext);
    info.pNext = &storage_8bit;
  }
  VkPhysicalDeviceShaderFloat16Int8Features int8{};
  int8.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES;
  if (capabilities_.shader_int8) {
    enable_unless_core(VK_API_VERSION_1_2, VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME);
    int8.shaderInt8 = VK_TRUE;
    int8.pNext = const_cast<void*>(info.pNext);
    info.pNext = &int8;
  }
  VkPhysicalDeviceShaderIntegerDotProductFeatures dot{};
  dot.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES;
  if (capabilities_.integer_dot_product) {
    enable_unless_core(VK_API_VERSION_1_3, VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME);
    dot.shaderIntegerDotProduct = VK_TRUE;
    dot.pNext = const_cast<void*>(info.pNext);
    info.pNext = &dot;
  }
  VkPhysicalDeviceSubgroupSizeControlFeatures subgroup_size_control{};
  subgroup_size_control.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES;
  if (asks_for_subgroup_sizes()) {
    enable_unless_core(VK_API_VERSION_1_3, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME);
    subgroup_size_control.subgroupSizeControl = VK_TRUE;
    subgroup_size_control.pNext = const_cast<void*>(info.pNext);
    info.pNext = &subgroup_size_control;
  }
  VkPhysicalDeviceCooperativeMatrixFeaturesKHR cooperative_matrix{};
  cooperative_matrix.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR;
  VkPhysicalDeviceVulkanMemoryModelFeatures memory_model{};
  memory_model.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES;
  if (!capabilities_.cooperative_matrices.empty()) {
    extensions.push_back(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME);
    enable_unless_core(VK_API_VERSION_1_2, VK_KHR_VULKAN_MEMORY_MODEL_EXTENSION_NAME);
    cooperative_matrix.cooperativeMatrix = VK_TRUE;
    memory_model.vulkanMemoryModel = VK_TRUE;
    memory_model.pNext = &cooperative_matrix;
    cooperative_matrix.pNext = const_cast<void*>(info.pNext);
    info.pNext = &memory_model;
  }
  if (physical_.has_extension(kPortabilitySubset)) {
    extensions.push_back(kPortabilitySubset);
  }
  info.enabledExtensionCount = static_cast<uint32_t>(extensions.size());
  info.ppEnabledExtensionNames = extensions.data();

  if (const VkResult result = vkCreateDevice(physical_.handle, &info, nullptr, &device_);
      result != VK_SUCCESS) {
    device_ = VK_NULL_HANDLE;
    return tl::unexpected(
        error_of(result, fmt::format("opening '{}' (vkCreateDevice)", physical_.description.name)));
  }
  volkLoadDeviceTable(&functions_, device_);
  functions_.vkGetDeviceQueue(device_, physical_.queue_family, 0, &queue_);
  return {};
}

Status LogicalDevice::submit(std::span<const VkCommandBuffer> commands, VkFence fence) {
  VkSubmitInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
  info.commandBufferCount = static_cast<uint32_t>(commands.size());
  info.pCommandBuffers = commands.data();
  const std::lock_guard lock(queue_mutex_);
  return check(functions_.vkQueueSubmit(queue_, 1, &info, fence), "vkQueueSubmit");
}

Status LogicalDevice::wait_until_idle() {
  const std::lock_guard lock(queue_mutex_);
  return check(functions_.vkQueueWaitIdle(queue_), "vkQueueWaitIdle");
}

Status LogicalDevice::wait(VkFence fence, const std::atomic<bool>* is_given_up) const {
  for (int slice = 0; slice < kMaximumWaitSlices; ++slice) {
    if (is_given_up != nullptr && *is_given_up) {
      return make_error(ErrorCode::kDeviceLost, "'{}' was given up while it worked",
                        physical_.description.name);
    }
    const VkResult result = functions_.vkWaitForFences(device_, 1, &fence, VK_TRUE,
                                                       static_cast<uint64_t>(kWaitSlice.count()));
    if (result != VK_TIMEOUT) {
      return check(result, "vkWaitForFences");
    }
  }
  return make_error(ErrorCode::kDeviceLost, "'{}' did not finish its work within {} seconds",
                    physical_.description.name, kMaximumWaitSlices);
}

}  // namespace lockstep::backend::vulkan
