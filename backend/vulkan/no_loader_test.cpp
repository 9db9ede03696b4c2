// A program of its own, because it takes the loader away from the whole process: the dynamic
// linker's dlopen is replaced by one that finds nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/vulkan/vulkan_backend.h"

extern "C" __attribute__((visibility("default"))) void* dlopen(const char*, int) noexcept {
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

}  // namespace
}  // namespace lockstep::backend::vulkan
