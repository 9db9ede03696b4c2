#include "shaders/embedded_shaders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace lockstep::shaders {
namespace {

constexpr std::uint32_t kSpirvMagic = 0x07230203;
constexpr std::uint32_t kOpCapability = 17;

// The capabilities a module declares: they come first, right behind the five words of the header.
std::vector<std::uint32_t> capabilities_of(std::span<const std::uint32_t> module) {
  std::vector<std::uint32_t> result;
  for (size_t i = 5; i < module.size() && (module[i] & 0xffff) == kOpCapability;
       i += module[i] >> 16) {
    result.push_back(module[i + 1]);
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

TEST(EmbeddedShaders, BaselineModulesNeedNoCapabilityButShader) {
  constexpr std::uint32_t kShader = 1;
  constexpr std::uint32_t kDotProductInput4x8BitPacked = 6018;
  constexpr std::uint32_t kDotProduct = 6019;
  for (const std::string_view name : names()) {
    if (name.ends_with("_int_dot")) {
      EXPECT_THAT(capabilities_of(find(name)),
                  testing::UnorderedElementsAre(kShader, kDotProductInput4x8BitPacked, kDotProduct))
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
