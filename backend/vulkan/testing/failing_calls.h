// Makes single Vulkan calls of a device fail, to walk the paths that no healthy device takes.
#pragma once

#include <volk.h>

#include <atomic>
#include <limits>
#include <type_traits>
#include <utility>

#include "backend/vulkan/logical_device.h"

namespace lockstep::backend::vulkan::testing {

// While it lives, the device function `kMember` (a pointer to a member of VolkDeviceTable) answers
// `failure` without doing anything, from the call numbered `first_failing_call` (1 is the next) on,
// `failing_calls` times. One at a time for each function.
template <auto kMember>
class FailingCall {
 public:
  FailingCall(const LogicalDevice& device, VkResult failure, int first_failing_call = 1,
              int failing_calls = std::numeric_limits<int>::max())
      // No LogicalDevice is a const object; its table is const to users only.
      : function_(const_cast<VolkDeviceTable&>(device.functions()).*kMember), original_(function_) {
    replace(original_, failure, first_failing_call, failing_calls);
  }
  ~FailingCall() { function_ = original_; }
  FailingCall(const FailingCall&) = delete;
  FailingCall& operator=(const FailingCall&) = delete;

 private:
  using Function = std::remove_reference_t<decltype(std::declval<VolkDeviceTable&>().*kMember)>;

  template <typename... Arguments>
  void replace(VkResult(VKAPI_PTR* original)(Arguments...), VkResult failure, int first,
               int failing_calls) {
    static VkResult(VKAPI_PTR * real)(Arguments...);
    static VkResult answer;
    static std::atomic<int> calls_left;
    static std::atomic<int> failures_left;
    real = original;
    answer = failure;
    calls_left = first;
    failures_left = failing_calls;
    function_ = [](Arguments... arguments) -> VkResult {
      const bool fails = calls_left.fetch_sub(1) <= 1 && failures_left.fetch_sub(1) > 0;
      return fails ? answer : real(arguments...);
    };
  }

  Function& function_;
  Function original_;
};

}  // namespace lockstep::backend::vulkan::testing
