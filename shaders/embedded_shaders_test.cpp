#include "shaders/embedded_shaders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace lockstep::shaders {
namespace {

constexpr std::uint32_t kSpirvMagic = 0x07230203;
constexpr std::uint32_t kOpCapability = 17;
constexpr std::uint32_t kSampledBuffer = 46;

// The capabilities a module declares, except for texel buffers, which every Vulkan device has: they
// come first, right behind the five words of the header.
std::vector<std::uint32_t> capabilities_of(std::span<const std::uint32_t> module) {
  std::vector<std::uint32_t> result;
  for (size_t i = 5; i < module.size() && (module[i] & 0xffff) == kOpCapability;
       i += module[i] >> 16) {
    if (module[i + 1] != kSampledBuffer) {
      result.push_back(module[i + 1]);
    }
  }
  return result;
}

TEST(EmbeddedShaders, EveryModuleIsSpirvInNativeByteOrder) {
  ASSERT_FALSE(names().empty());
  for (const std::string_view name : names()) {
    const auto module = find(name);
    ASSERT_GT(module.size(), 5u) << name;
    EXPECT_EQ(module[0], kSpirvMagic) << name;
  }
}

TEST(EmbeddedShaders, EveryModuleIsOneComputeShaderForVulkan11) {
  constexpr std::uint32_t kSpirv13 = 0x00010300;
  constexpr std::uint32_t kOpEntryPoint = 15;
  constexpr std::uint32_t kGlCompute = 5;
  constexpr std::uint32_t kMain[] = {0x6e69616d, 0};  // "main"
  for (const std::string_view name : names()) {
    const auto module = find(name);
    EXPECT_EQ(module[1], kSpirv13) << name;
    std::vector<std::span<const std::uint32_t>> entry_points;
    for (size_t i = 5; i < module.size() && module[i] >> 16 != 0; i += module[i] >> 16) {
      if ((module[i] & 0xffff) == kOpEntryPoint) {
        entry_points.push_back(module.subspan(i, module[i] >> 16));
      }
    }
    ASSERT_EQ(entry_points.size(), 1u) << name;
    EXPECT_EQ(entry_points[0][1], kGlCompute) << name;
    EXPECT_TRUE(std::ranges::equal(entry_points[0].subspan(3, 2), kMain)) << name;
  }
}

TEST(EmbeddedShaders, BaselineModulesNeedNoCapabilityButShader) {
  constexpr std::uint32_t kShader = 1;
  constexpr std::uint32_t kInt8 = 39;
  constexpr std::uint32_t kGroupNonUniform = 61;
  constexpr std::uint32_t kVulkanMemoryModel = 5345;
  constexpr std::uint32_t kCooperativeMatrix = 6022;
  constexpr std::uint32_t kDotProductInput4x8BitPacked = 6018;
  constexpr std::uint32_t kDotProduct = 6019;
  for (const std::string_view name : names()) {
    if (name.ends_with("_int_dot") || name.ends_with("_int_dot_saturating")) {
      EXPECT_THAT(capabilities_of(find(name)),
                  testing::UnorderedElementsAre(kShader, kDotProductInput4x8BitPacked, kDotProduct))
          << name;
    } else if (name.starts_with("convolution_cooperative_matrix")) {
      EXPECT_THAT(capabilities_of(find(name)),
                  testing::UnorderedElementsAre(kShader, kInt8, kGroupNonUniform,
                                                kVulkanMemoryModel, kCooperativeMatrix))
          << name;
    } else {
      EXPECT_THAT(capabilities_of(find(name)), testing::ElementsAre(kShader)) << name;
    }
  }
}

TEST(EmbeddedShaders, UnknownNamesGiveNothing) {
  EXPECT_TRUE(find("").empty());
  EXPECT_TRUE(find("convolution_").empty());
}

}  // namespace
}  // namespace lockstep::shaders
