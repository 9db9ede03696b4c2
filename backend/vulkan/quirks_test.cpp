#include "backend/vulkan/quirks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::backend::vulkan {
namespace {

TEST(Quirks, TexelRangesOfLavapipeAllSetABitOfTheirSecondByte) {
  const Quirks lavapipe = quirks_of(VK_DRIVER_ID_MESA_LLVMPIPE);
  for (const uint64_t bytes : {16u, 240u, 256u, 65'520u, 65'536u, 65'776u, 65'792u, 1u << 27}) {
    const uint64_t range = texel_range(lavapipe, bytes);
    EXPECT_NE(range & 0xff00, 0u) << bytes;
    EXPECT_GE(range, bytes);
    EXPECT_LE(range, bytes + texel_range_slack(lavapipe));
    EXPECT_EQ(range % 16, 0u) << "whole texels of " << bytes;
  }
  EXPECT_EQ(texel_range(lavapipe, 256), 256u);
}

TEST(Quirks, OtherDriversBindWhatIsThere) {
  const Quirks other = quirks_of(VK_DRIVER_ID_ARM_PROPRIETARY);
  EXPECT_EQ(texel_range(other, 65'536), 65'536u);
  EXPECT_EQ(texel_range_slack(other), 0u);
}

TEST(Quirks, LimitsOnlyShrinkAndWrongInstructionsDisappear) {
  Capabilities capabilities;
  capabilities.integer_dot_product = true;
  capabilities.integer_dot_product_accelerated = true;
  capabilities.max_loop_iterations = 1000;
  apply_quirks(quirks_of(VK_DRIVER_ID_MESA_LLVMPIPE), capabilities);
  EXPECT_EQ(capabilities.max_loop_iterations, 1000);
  EXPECT_TRUE(capabilities.integer_dot_product);
  apply_quirks(quirks_of(VK_DRIVER_ID_AMD_PROPRIETARY), capabilities);
  EXPECT_FALSE(capabilities.integer_dot_product);
  EXPECT_FALSE(capabilities.integer_dot_product_accelerated);
}

}  // namespace
}  // namespace lockstep::backend::vulkan
