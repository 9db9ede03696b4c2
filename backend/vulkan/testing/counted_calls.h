// Counts Vulkan calls of a device.
#pragma once

#include <volk.h>

#include <atomic>
#include <type_traits>
#include <utility>

#include "backend/vulkan/logical_device.h"

namespace lockstep::backend::vulkan::testing {

// While it lives, counts the calls of the device function `kMember` (a pointer to a member of
// VolkDeviceTable). One at a time for each function, inside of every FailingCall for it.
template <auto kMember>
class CountedCalls {
 public:
  explicit CountedCalls(const LogicalDevice& device)
      // No LogicalDevice is a const object; its table is const to users only.
      : function_(const_cast<VolkDeviceTable&>(device.functions()).*kMember), original_(function_) {
    replace(original_);
  }
  ~CountedCalls() { function_ = original_; }
  CountedCalls(const CountedCalls&) = delete;
  CountedCalls& operator=(const CountedCalls&) = delete;

  // Since the last call of take().
  int take() { return count_->exchange(0); }

 private:
  using Function = std::remove_reference_t<decltype(std::declval<VolkDeviceTable&>().*kMember)>;

  template <typename... Arguments>
  void replace(VkResult(VKAPI_PTR* original)(Arguments...)) {
    static VkResult(VKAPI_PTR * real)(Arguments...);
    static std::atomic<int> count;
    real = original;
    count = 0;
    count_ = &count;
    function_ = [](Arguments... arguments) -> VkResult {
      ++count;
      return real(arguments...);
    };
  }

  Function& function_;
  Function original_;
  std::atomic<int>* count_ = nullptr;
};

}  // namespace lockstep::backend::vulkan::testing
