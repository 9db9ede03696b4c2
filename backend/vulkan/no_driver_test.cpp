#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "backend/vulkan/vulkan_backend.h"

namespace lockstep::backend::vulkan {
namespace {

class NoDriver : public testing::Test {
 protected:
  NoDriver() {
    ::setenv("VK_DRIVER_FILES", "/nonexistent", 1);
    ::setenv("VK_ICD_FILENAMES", "/nonexistent", 1);
  }
};

TEST_F(NoDriver, ListingSaysWhatToInstallAndWhichVariablesToCheck) {
  const auto devices = list_devices();
  ASSERT_FALSE(devices);
  EXPECT_EQ(devices.error().code, ErrorCode::kDeviceUnavailable);
  if (devices.error().message.find("no Vulkan loader") != std::string::npos) {
    GTEST_SKIP() << "without a loader nobody looks for drivers";
  }
  EXPECT_THAT(devices.error().message, testing::HasSubstr("driver"));
  EXPECT_THAT(devices.error().message, testing::HasSubstr("VK_DRIVER_FILES"));
}

TEST_F(NoDriver, OpeningFailsTheSameWay) {
  const auto device = open_device(0, {});
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().code, ErrorCode::kDeviceUnavailable);
}

}  // namespace
}  // namespace lockstep::backend::vulkan
