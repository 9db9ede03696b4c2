#include "backend/vulkan/specialization.h"

#include <gtest/gtest.h>

#include <array>

#include "shaders/embedded_shaders.h"

namespace lockstep::backend::vulkan {
namespace {

// How many instructions with that opcode a module has.
int count(std::span<const uint32_t> module, uint32_t opcode) {
  int result = 0;
  for (size_t i = 5; i < module.size() && module[i] >> 16 != 0; i += module[i] >> 16) {
    result += (module[i] & 0xffff) == opcode ? 1 : 0;
  }
  return result;
}

constexpr uint32_t kOpSpecConstantTrue = 48;
constexpr uint32_t kOpSpecConstantOp = 52;

TEST(Specialization, LeavesNoSpecializationConstantAndOnlyTheCodeThatIsLeft) {
  if (!can_specialize()) {
    GTEST_SKIP() << "built without SPIRV-Tools' optimizer";
  }
  const std::span<const uint32_t> module = shaders::find("convolution_pointwise");
  // Local size, end of the accumulators (a rounding, or none at all), symmetric weights.
  const std::vector<uint32_t> rounds = specialize(module, std::array<uint32_t, 5>{64, 3, 0, 2, 0});
  const std::vector<uint32_t> stores = specialize(module, std::array<uint32_t, 5>{64, 4, 0, 2, 0});
  for (const std::vector<uint32_t>& specialized : {rounds, stores}) {
    ASSERT_GT(specialized.size(), 5u);
    EXPECT_EQ(specialized[0], module[0]);
    for (uint32_t opcode = kOpSpecConstantTrue; opcode <= kOpSpecConstantOp; ++opcode) {
      EXPECT_EQ(count(specialized, opcode), 0) << opcode;
    }
  }
  EXPECT_LT(rounds.size(), module.size());
  EXPECT_LT(stores.size(), rounds.size());
}

TEST(Specialization, RefusesWhatIsNoModule) {
  EXPECT_TRUE(specialize(std::array<uint32_t, 3>{1, 2, 3}, {}).empty());
}

}  // namespace
}  // namespace lockstep::backend::vulkan
