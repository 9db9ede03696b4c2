#include "backend/cpu/isa_choice.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace lockstep::backend::cpu {
namespace {

constexpr std::array kX86 = {Isa::kSse4, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Vnni};
constexpr std::array kArm = {Isa::kNeon, Isa::kNeonDotProduct};

bool anything(Isa) { return true; }

TEST(IsaChoice, IsTheBest) {
  const auto x86 = choose_isa(kX86, "", anything);
  ASSERT_TRUE(x86) << x86.error().message;
  EXPECT_EQ(x86->isa, Isa::kAvx512Vnni);
  EXPECT_TRUE(x86->liars.empty());
  EXPECT_EQ(choose_isa(kArm, "", anything)->isa, Isa::kNeonDotProduct);
}

TEST(IsaChoice, StaysBelowTheCap) {
  for (const Isa isa : kX86) {
    EXPECT_EQ(choose_isa(kX86, isa_name(isa), anything)->isa, isa);
  }
  EXPECT_EQ(choose_isa(kX86, "amx-int8", anything)->isa, Isa::kAvx512Vnni) << "not executable";
  EXPECT_EQ(choose_isa(kArm, "neon", anything)->isa, Isa::kNeon);
  EXPECT_EQ(choose_isa(kArm, "i8mm", anything)->isa, Isa::kNeonDotProduct);
}

TEST(IsaChoice, RefusesNamesThatTheProcessorsKindDoesNotHave) {
  for (const std::string_view name : {"avx3", "neon", "i8mm", "AVX2"}) {
    const auto chosen = choose_isa(kX86, name, anything);
    ASSERT_FALSE(chosen) << name;
    EXPECT_EQ(chosen.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(chosen.error().message,
              "'" + std::string(name) +
                  "' is no instruction set of this kind of processor; there are sse4, avx2, "
                  "avx512, avx512-vnni, amx-int8");
  }
  const auto chosen = choose_isa(kArm, "avx2", anything);
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(chosen.error().message.ends_with("there are neon, dotprod, i8mm"))
      << chosen.error().message;
}

TEST(IsaChoice, PassesOverLiarsAndNamesThem) {
  const auto chosen = choose_isa(kX86, "", [](Isa isa) { return isa <= Isa::kAvx2; });
  ASSERT_TRUE(chosen) << chosen.error().message;
  EXPECT_EQ(chosen->isa, Isa::kAvx2);
  EXPECT_EQ(chosen->liars, (std::vector{Isa::kAvx512Vnni, Isa::kAvx512}));
}

TEST(IsaChoice, TestsNothingThatItDoesNotNeed) {
  std::vector<Isa> tested;
  const auto note = [&](Isa isa) {
    tested.push_back(isa);
    return true;
  };
  ASSERT_TRUE(choose_isa(kX86, "avx2", note));
  EXPECT_EQ(tested, std::vector{Isa::kAvx2});
}

TEST(IsaChoice, FailsWhereNothingIsLeft) {
  const auto all_lie = choose_isa(kX86, "", [](Isa) { return false; });
  ASSERT_FALSE(all_lie);
  EXPECT_EQ(all_lie.error().code, ErrorCode::kDeviceUnavailable);
  for (const std::string_view cap : {"", "avx2"}) {
    const auto none = choose_isa({}, cap, anything);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, ErrorCode::kDeviceUnavailable);
  }
}

}  // namespace
}  // namespace lockstep::backend::cpu
