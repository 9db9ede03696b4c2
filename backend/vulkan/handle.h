// Owns one object that belongs to a VkDevice. The device must outlive it.
#pragma once

#include <volk.h>

#include <utility>

namespace lockstep::backend::vulkan {

template <typename T>
class Handle {
 public:
  using Destroy = void(VKAPI_PTR*)(VkDevice, T, const VkAllocationCallbacks*);

  Handle() = default;
  Handle(VkDevice device, T object, Destroy destroy)
      : device_(device), object_(object), destroy_(destroy) {}
  Handle(Handle&& other) noexcept
      : device_(other.device_),
        object_(std::exchange(other.object_, VK_NULL_HANDLE)),
        destroy_(other.destroy_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(object_, other.object_);
    std::swap(destroy_, other.destroy_);
    return *this;
  }
  ~Handle() {
    if (object_ != VK_NULL_HANDLE) {
      destroy_(device_, object_, nullptr);
    }
  }

  T get() const { return object_; }
  explicit operator bool() const { return object_ != VK_NULL_HANDLE; }

 private:
  VkDevice device_ = VK_NULL_HANDLE;
  T object_ = VK_NULL_HANDLE;
  Destroy destroy_ = nullptr;
};

}  // namespace lockstep::backend::vulkan
