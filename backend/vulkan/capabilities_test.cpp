#include "backend/vulkan/capabilities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::backend::vulkan {
namespace {

Capabilities large_device() {
  Capabilities large;
  large.max_workgroup_invocations = 1024;
  large.max_workgroup_size = {1024, 1024, 64};
  large.max_workgroup_count = {2147483647, 65535, 65535};
  large.max_shared_memory = 49152;
  large.max_storage_buffer_range = uint64_t{1} << 32;
  large.min_storage_buffer_offset_alignment = 16;
  large.max_push_constants = 256;
  large.subgroup_size = 32;
  large.integer_dot_product = true;
  large.integer_dot_product_accelerated = true;
  large.storage_8bit = true;
  large.shader_int8 = true;
  large.subgroup_arithmetic = true;
  large.unified_memory = true;
  large.timestamps = true;
  return large;
}

TEST(ApplyMask, EmptyMaskHidesNothing) {
  Capabilities capabilities = large_device();
  ASSERT_TRUE(apply_mask("", capabilities));
  EXPECT_EQ(describe(capabilities), describe(large_device()));
}

TEST(ApplyMask, AllLeavesTheVulkan11Minimum) {
  Capabilities capabilities = large_device();
  ASSERT_TRUE(apply_mask("all", capabilities));
  EXPECT_EQ(describe(capabilities), describe(Capabilities{}));
}

TEST(ApplyMask, EachNameHidesOnlyItself) {
  Capabilities capabilities = large_device();
  ASSERT_TRUE(apply_mask("int-dot", capabilities));
  EXPECT_FALSE(capabilities.integer_dot_product);
  EXPECT_FALSE(capabilities.integer_dot_product_accelerated);
  EXPECT_TRUE(capabilities.storage_8bit);

  capabilities = large_device();
  ASSERT_TRUE(apply_mask("int8", capabilities));
  EXPECT_FALSE(capabilities.storage_8bit);
  EXPECT_FALSE(capabilities.shader_int8);
  EXPECT_TRUE(capabilities.integer_dot_product);

  capabilities = large_device();
  ASSERT_TRUE(apply_mask(" subgroup , timestamps,unified-memory", capabilities));
  EXPECT_FALSE(capabilities.subgroup_arithmetic);
  EXPECT_EQ(capabilities.subgroup_size, 1u);
  EXPECT_FALSE(capabilities.timestamps);
  EXPECT_FALSE(capabilities.unified_memory);
  EXPECT_EQ(capabilities.max_shared_memory, 49152u);
}

TEST(ApplyMask, LimitsOnlyShrink) {
  Capabilities capabilities = large_device();
  ASSERT_TRUE(apply_mask("invocations=128,shared-memory=16384", capabilities));
  EXPECT_EQ(capabilities.max_workgroup_invocations, 128u);
  EXPECT_EQ(capabilities.max_workgroup_size, (std::array<uint32_t, 3>{128, 128, 64}));
  EXPECT_EQ(capabilities.max_shared_memory, 16384u);
  ASSERT_TRUE(apply_mask("invocations=512,shared-memory=99999999", capabilities));
  EXPECT_EQ(capabilities.max_workgroup_invocations, 128u);
  EXPECT_EQ(capabilities.max_shared_memory, 16384u);
}

TEST(ApplyMask, UnknownNameListsTheValidOnesAndChangesNothing) {
  Capabilities capabilities = large_device();
  const Status status = apply_mask("int8,intdot", capabilities);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(status.error().message, testing::HasSubstr("'intdot'"));
  EXPECT_THAT(status.error().message, testing::HasSubstr("int-dot"));
  EXPECT_EQ(describe(capabilities), describe(large_device()));
}

TEST(ApplyMask, LimitsMustBePositiveNumbers) {
  for (const char* mask : {"invocations", "invocations=", "invocations=0", "invocations=-1",
                           "invocations=12x", "shared-memory=4294967296"}) {
    Capabilities capabilities = large_device();
    EXPECT_FALSE(apply_mask(mask, capabilities)) << mask;
  }
}

}  // namespace
}  // namespace lockstep::backend::vulkan
