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
  large.min_subgroup_size = 8;
  large.max_subgroup_size = 32;
  large.max_workgroup_subgroups = 16;
  large.integer_dot_product = true;
  large.integer_dot_product_accelerated = true;
  large.storage_8bit = true;
  large.shader_int8 = true;
  large.subgroup_arithmetic = true;
  large.cooperative_matrices = {{.rows = 16, .columns = 8, .depth = 32}};
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
  ASSERT_TRUE(apply_mask("cooperative-matrix", capabilities));
  EXPECT_THAT(capabilities.cooperative_matrices, testing::IsEmpty());
  EXPECT_TRUE(capabilities.shader_int8);
  EXPECT_EQ(capabilities.subgroup_size, 32u);

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
  ASSERT_TRUE(apply_mask("workgroups=3", capabilities));
  EXPECT_EQ(capabilities.max_workgroup_count, (std::array<uint32_t, 3>{3, 65535, 65535}));
  ASSERT_TRUE(apply_mask("invocations=512,shared-memory=99999999,workgroups=4", capabilities));
  EXPECT_EQ(capabilities.max_workgroup_count[0], 3u);
  EXPECT_EQ(capabilities.max_workgroup_invocations, 128u);
  EXPECT_EQ(capabilities.max_shared_memory, 16384u);
}

TEST(ApplyMask, SubgroupSizesAreAskedForAmongThoseOffered) {
  EXPECT_THAT(offered_subgroup_sizes(large_device()), testing::ElementsAre(8u, 16u, 32u));
  EXPECT_THAT(offered_subgroup_sizes(Capabilities{}), testing::IsEmpty());
  EXPECT_THAT(describe(large_device()),
              testing::Contains(testing::Pair("subgroup sizes", "8, 16, 32")));
  EXPECT_THAT(describe(Capabilities{}), testing::Contains(testing::Pair("subgroup sizes", "none")));

  Capabilities capabilities = large_device();
  ASSERT_TRUE(apply_mask("subgroup-size=16", capabilities));
  EXPECT_EQ(capabilities.required_subgroup_size, 16u);
  EXPECT_EQ(capabilities.subgroup_size, 16u);
  // A workgroup has at most 16 subgroups then.
  EXPECT_EQ(capabilities.max_workgroup_invocations, 256u);
  EXPECT_EQ(capabilities.max_workgroup_size, (std::array<uint32_t, 3>{256, 256, 64}));
  ASSERT_TRUE(apply_mask("subgroup", capabilities));
  EXPECT_EQ(capabilities.required_subgroup_size, 0u);

  const auto failure = [](const char* mask, Capabilities device) {
    const Status status = apply_mask(mask, device);
    EXPECT_FALSE(status) << mask;
    return status ? Error{} : status.error();
  };
  for (const char* mask : {"subgroup-size=12", "subgroup-size=0", "subgroup-size"}) {
    EXPECT_EQ(failure(mask, large_device()).code, ErrorCode::kInvalidArgument) << mask;
  }
  for (const char* mask : {"subgroup-size=4", "subgroup-size=64", "all,subgroup-size=16"}) {
    EXPECT_EQ(failure(mask, large_device()).code, ErrorCode::kUnsupported) << mask;
  }
  EXPECT_THAT(failure("subgroup-size=64", large_device()).message, testing::HasSubstr("8, 16, 32"));
  EXPECT_THAT(failure("subgroup-size=8", Capabilities{}).message, testing::HasSubstr("none"));
}

TEST(ApplyMask, CooperativeMatricesGoWithWhatTheyNeed) {
  for (const char* mask : {"int8", "subgroup", "subgroup-size=16", "all"}) {
    Capabilities capabilities = large_device();
    ASSERT_TRUE(apply_mask(mask, capabilities));
    EXPECT_THAT(capabilities.cooperative_matrices, testing::IsEmpty()) << mask;
  }
  Capabilities capabilities = large_device();
  ASSERT_TRUE(apply_mask("subgroup-size=32,int-dot", capabilities));
  EXPECT_THAT(capabilities.cooperative_matrices, testing::SizeIs(1));
}

TEST(Describe, ListsCooperativeMatricesInTheDriversOrder) {
  Capabilities capabilities = large_device();
  capabilities.cooperative_matrices.push_back({.rows = 32,
                                               .columns = 32,
                                               .depth = 64,
                                               .is_left_signed = false,
                                               .scope = CooperativeMatrixShape::Scope::kWorkgroup});
  EXPECT_THAT(describe(capabilities),
              testing::Contains(testing::Pair("cooperative matrices",
                                              "16x8x32 s8*s8, 32x32x64 u8*s8 (workgroup)")));
  EXPECT_THAT(describe(Capabilities{}),
              testing::Contains(testing::Pair("cooperative matrices", "none")));
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
                           "invocations=12x", "shared-memory=4294967296", "workgroups=0"}) {
    Capabilities capabilities = large_device();
    EXPECT_FALSE(apply_mask(mask, capabilities)) << mask;
  }
}

}  // namespace
}  // namespace lockstep::backend::vulkan
