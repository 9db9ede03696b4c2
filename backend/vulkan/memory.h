// Buffers with memory of their own. A program has only a handful, so each gets one allocation.
#pragma once

#include <volk.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backend/vulkan/handle.h"
#include "backend/vulkan/logical_device.h"

namespace lockstep::backend::vulkan {

enum class MemoryUse : uint8_t {
  kDevice,    // fast for the device; the host cannot see it
  kShared,    // fast for the device and mapped (only with Capabilities::unified_memory)
  kUpload,    // mapped; the host writes, the device copies from it
  kDownload,  // mapped; the device copies into it, the host reads
};

// A storage buffer that can be copied from and to. Must not outlive its device.
class Buffer {
 public:
  Buffer() = default;
  // `purpose` is for messages: "the weights". bytes > 0. kOutOfMemory with the size when there is
  // not enough.
  static Result<Buffer> create(const LogicalDevice& device, uint64_t bytes, MemoryUse use,
                               std::string_view purpose);

  VkBuffer get() const { return buffer_.get(); }
  explicit operator bool() const { return static_cast<bool>(buffer_); }
  uint64_t bytes() const { return bytes_; }
  // Where the host sees the buffer; null for kDevice.
  std::byte* mapped() const { return mapped_; }

  // Makes the host's writes visible to later submissions, and finished submissions' writes visible
  // to the host. Free on coherent memory.
  Status flush(const LogicalDevice& device) const;
  Status invalidate(const LogicalDevice& device) const;

 private:
  VkMappedMemoryRange whole_range() const;

  // Declared before the buffer, so that it is freed after it.
  Handle<VkDeviceMemory> memory_;
  Handle<VkBuffer> buffer_;
  uint64_t bytes_ = 0;
  std::byte* mapped_ = nullptr;
  bool coherent_ = true;
};

}  // namespace lockstep::backend::vulkan
