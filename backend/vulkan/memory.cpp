#include "backend/vulkan/memory.h"

#include <optional>
#include <span>

#include "backend/vulkan/result.h"

namespace lockstep::backend::vulkan {
namespace {

constexpr VkMemoryPropertyFlags kLocal = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
constexpr VkMemoryPropertyFlags kVisible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
constexpr VkMemoryPropertyFlags kCoherent = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
constexpr VkMemoryPropertyFlags kCached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
// Types that need more than asking for them.
constexpr VkMemoryPropertyFlags kNever =
    VK_MEMORY_PROPERTY_PROTECTED_BIT | VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT |
    VK_MEMORY_PROPERTY_DEVICE_COHERENT_BIT_AMD | VK_MEMORY_PROPERTY_DEVICE_UNCACHED_BIT_AMD;

// Property sets to look for, best first. Every device has a type that fits the last one.
std::span<const VkMemoryPropertyFlags> preferences(MemoryUse use) {
  static constexpr VkMemoryPropertyFlags kDevice[] = {kLocal, 0};
  static constexpr VkMemoryPropertyFlags kShared[] = {
      kLocal | kVisible | kCached | kCoherent, kLocal | kVisible | kCached, kLocal | kVisible};
  static constexpr VkMemoryPropertyFlags kUpload[] = {kVisible | kCoherent};
  static constexpr VkMemoryPropertyFlags kDownload[] = {kVisible | kCached | kCoherent,
                                                        kVisible | kCached, kVisible | kCoherent};
  switch (use) {
    case MemoryUse::kDevice:
      return kDevice;
    case MemoryUse::kShared:
      return kShared;
    case MemoryUse::kUpload:
      return kUpload;
    case MemoryUse::kDownload:
      return kDownload;
  }
  return kDevice;
}

std::optional<uint32_t> find_memory_type(const VkPhysicalDeviceMemoryProperties& memory,
                                         uint32_t allowed_types, MemoryUse use) {
  for (const VkMemoryPropertyFlags wanted : preferences(use)) {
    for (uint32_t type = 0; type < memory.memoryTypeCount; ++type) {
      const VkMemoryPropertyFlags flags = memory.memoryTypes[type].propertyFlags;
      if ((allowed_types >> type & 1u) != 0 && (flags & wanted) == wanted && !(flags & kNever)) {
        return type;
      }
    }
  }
  return std::nullopt;
}

}  // namespace

Result<Buffer> Buffer::create(const LogicalDevice& device, uint64_t bytes, MemoryUse use,
                              std::string_view purpose) {
  const VolkDeviceTable& vk = device.functions();
  const PhysicalDevice& physical = device.physical();
  const std::string what =
      fmt::format("{} bytes on '{}' for {}", bytes, physical.description.name, purpose);
  if (bytes > physical.max_allocation_bytes) {
    return make_error(ErrorCode::kOutOfMemory, "{}: one allocation is limited to {} bytes", what,
                      physical.max_allocation_bytes);
  }
  Buffer result;
  result.bytes_ = bytes;
  VkBufferCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
  info.size = bytes + texel_range_slack(physical.quirks);
  info.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT |
               VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  info.sharingMode = VK_SHARING_MODE_EXCLUSIVE;
  VkBuffer buffer = VK_NULL_HANDLE;
  if (const VkResult created = vk.vkCreateBuffer(device.get(), &info, nullptr, &buffer);
      created != VK_SUCCESS) {
    return tl::unexpected(error_of(created, what));
  }
  result.buffer_ = Handle(device.get(), buffer, vk.vkDestroyBuffer);

  VkMemoryRequirements requirements{};
  vk.vkGetBufferMemoryRequirements(device.get(), buffer, &requirements);
  const auto type = find_memory_type(physical.memory, requirements.memoryTypeBits, use);
  if (!type) {
    return make_error(ErrorCode::kInternal, "{}: no fitting type of memory", what);
  }
  VkMemoryAllocateInfo allocation{};
  allocation.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
  allocation.allocationSize = requirements.size;
  allocation.memoryTypeIndex = *type;
  VkDeviceMemory memory = VK_NULL_HANDLE;
  if (const VkResult allocated = vk.vkAllocateMemory(device.get(), &allocation, nullptr, &memory);
      allocated != VK_SUCCESS) {
    return tl::unexpected(error_of(allocated, what));
  }
  result.memory_ = Handle(device.get(), memory, vk.vkFreeMemory);
  if (const VkResult bound = vk.vkBindBufferMemory(device.get(), buffer, memory, 0);
      bound != VK_SUCCESS) {
    return tl::unexpected(error_of(bound, what));
  }
  if (use != MemoryUse::kDevice) {
    void* mapped = nullptr;
    if (const VkResult result_of_map =
            vk.vkMapMemory(device.get(), memory, 0, VK_WHOLE_SIZE, 0, &mapped);
        result_of_map != VK_SUCCESS) {
      return tl::unexpected(error_of(result_of_map, what));
    }
    result.mapped_ = static_cast<std::byte*>(mapped);
    result.coherent_ = (physical.memory.memoryTypes[*type].propertyFlags & kCoherent) != 0;
  }
  return result;
}

VkMappedMemoryRange Buffer::whole_range() const {
  VkMappedMemoryRange range{};
  range.sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE;
  range.memory = memory_.get();
  range.size = VK_WHOLE_SIZE;
  return range;
}

Status Buffer::flush(const LogicalDevice& device) const {
  if (coherent_ || mapped_ == nullptr) {
    return {};
  }
  const VkMappedMemoryRange range = whole_range();
  return check(device.functions().vkFlushMappedMemoryRanges(device.get(), 1, &range),
               "vkFlushMappedMemoryRanges");
}

Status Buffer::invalidate(const LogicalDevice& device) const {
  if (coherent_ || mapped_ == nullptr) {
    return {};
  }
  const VkMappedMemoryRange range = whole_range();
  return check(device.functions().vkInvalidateMappedMemoryRanges(device.get(), 1, &range),
               "vkInvalidateMappedMemoryRanges");
}

}  // namespace lockstep::backend::vulkan
