// A program of its own, because it takes the loader away from the whole process: the dynamic
// linker's dlopen is replaced by one that finds nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "backend/registry.h"
#include "backend/vulkan/vulkan_backend.h"

namespace {
std::atomic<int> attempts_to_load{0};
}  // namespace

extern "C" __attribute__((visibility("default"))) void* dlopen(const char*, int) noexcept {
  ++attempts_to_load;
  return nullptr;
}

namespace lockstep::backend::vulkan {
namespace {

TEST(NoLoader, ListingSaysWhatToInstall) {
  const auto devices = list_devices();
  ASSERT_FALSE(devices);
  EXPECT_EQ(devices.error().code, ErrorCode::kDeviceUnavailable);
  EXPECT_THAT(devices.error().message, testing::HasSubstr("libvulkan1"));
}

TEST(NoLoader, OpeningFailsTheSameWayEveryTime) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto device = open_device(0, {});
    ASSERT_FALSE(device);
    EXPECT_EQ(device.error().code, ErrorCode::kDeviceUnavailable);
  }
}

// The fallback must not depend on what it is the fallback for: drivers have crashed their
// processes.
TEST(NoLoader, ReferenceAndProcessorAreOpenedWithoutLookingForDrivers) {
  const int before = attempts_to_load;
  for (const char* selector : {"ref", "cpu"}) {
    const auto device = backend::open_device(selector, {});
    ASSERT_TRUE(device) << device.error().message;
    EXPECT_EQ((*device)->description().backend, selector);
  }
  EXPECT_TRUE(backend::open_host_device(0));
  EXPECT_EQ(attempts_to_load, before);
}

TEST(NoLoader, TheProcessorIsTheBestThereIs) {
  const int before = attempts_to_load;
  const auto device = backend::open_device("", {});
  ASSERT_TRUE(device) << device.error().message;
  EXPECT_EQ((*device)->description().backend, "cpu");
  EXPECT_GT(attempts_to_load, before);
}

}  // namespace
}  // namespace lockstep::backend::vulkan
