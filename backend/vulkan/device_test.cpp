// Opening devices: every device of this machine, under several masks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "backend/vulkan/device_context.h"
#include "backend/vulkan/testing/validation_environment.h"
#include "backend/vulkan/vulkan_backend.h"

namespace lockstep::backend::vulkan {
namespace {

const auto* const kValidation = vulkan::testing::fail_on_validation_messages();

class Devices : public ::testing::Test {
 protected:
  void SetUp() override {
    auto listed = list_devices();
    if (!listed || listed->empty()) {
      GTEST_SKIP() << "no Vulkan device";
    }
    devices_ = std::move(*listed);
  }
  std::vector<DeviceDescription> devices_;
};

TEST_F(Devices, AreListedBestKindFirstWithTheirIdentity) {
  EXPECT_TRUE(std::ranges::is_sorted(devices_, {}, &DeviceDescription::kind));
  for (const DeviceDescription& device : devices_) {
    EXPECT_EQ(device.backend, "vulkan");
    EXPECT_FALSE(device.name.empty());
    EXPECT_FALSE(device.driver.empty());
    EXPECT_EQ(device.device_uuid.size(), 32u);
    EXPECT_EQ(device.driver_uuid.size(), 32u);
    EXPECT_FALSE(device.capabilities.empty());
  }
}

TEST_F(Devices, KeepAtLeastTheMinimumLimits) {
  for (size_t i = 0; i < devices_.size(); ++i) {
    const auto context = open_context(i, {});
    ASSERT_TRUE(context) << context.error().message;
    const Capabilities& capabilities = (*context)->device->capabilities();
    const Capabilities minimum;
    EXPECT_GE(capabilities.max_workgroup_invocations, minimum.max_workgroup_invocations);
    EXPECT_GE(capabilities.max_shared_memory, minimum.max_shared_memory);
    EXPECT_GE(capabilities.max_storage_buffer_range, minimum.max_storage_buffer_range);
    EXPECT_LE(capabilities.min_storage_buffer_offset_alignment,
              minimum.min_storage_buffer_offset_alignment);
    EXPECT_GE(capabilities.max_push_constants, minimum.max_push_constants);
  }
}

TEST_F(Devices, OpenUnderEveryMaskAndDescribeWhatIsLeft) {
  for (size_t i = 0; i < devices_.size(); ++i) {
    for (const char* mask : {"", "int-dot", "int8", "subgroup,timestamps", "unified-memory",
                             "invocations=128,shared-memory=16384", "all"}) {
      const auto device = open_device(i, {.mask = mask, .cache_dir = ""});
      ASSERT_TRUE(device) << mask << ": " << device.error().message;
      EXPECT_EQ((*device)->description().name, devices_[i].name);
      if (std::string_view(mask) == "all") {
        EXPECT_THAT(
            (*device)->description().capabilities,
            ::testing::Contains(std::pair<std::string, std::string>("integer dot product", "no")));
      }
    }
  }
}

TEST_F(Devices, RefuseBadMasksAndIndices) {
  const auto masked = open_device(0, {.mask = "warp-drive", .cache_dir = ""});
  ASSERT_FALSE(masked);
  EXPECT_EQ(masked.error().code, ErrorCode::kInvalidArgument);
  const auto beyond = open_device(devices_.size(), {});
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code, ErrorCode::kDeviceUnavailable);
}

TEST_F(Devices, OpenFromSeveralThreadsAtOnce) {
  std::atomic<int> opened{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] { opened += open_device(0, {}).has_value(); });
    }
  }
  EXPECT_EQ(opened, 4);
}

}  // namespace
}  // namespace lockstep::backend::vulkan
