#include "backend/cpu/isa.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace lockstep::backend::cpu {
namespace {

TEST(Isa, HasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const Isa isa : kAllIsas) {
    EXPECT_EQ(parse_isa(isa_name(isa)), isa);
    names.insert(isa_name(isa));
  }
  EXPECT_EQ(names.size(), kAllIsas.size());
  EXPECT_FALSE(names.contains(""));
}

TEST(Isa, IsNothingElseByName) {
  for (const std::string_view name : {"", "avx", "AVX2", "avx2 ", "avx512-vnni-and-more", "none"}) {
    EXPECT_EQ(parse_isa(name), std::nullopt) << name;
  }
}

TEST(ExecutableIsas, BeginWithTheLeastOfAnArchitectureAndLeaveNoneOut) {
  const std::vector<Isa> isas = executable_isas();
  if (isas.empty()) GTEST_SKIP() << "no kernels for this kind of processor";
  const auto first = std::ranges::find(kAllIsas, isas.front());
  EXPECT_TRUE(*first == Isa::kSse4 || *first == Isa::kNeon);
  ASSERT_LE(static_cast<std::ptrdiff_t>(isas.size()), kAllIsas.end() - first);
  EXPECT_TRUE(std::equal(isas.begin(), isas.end(), first));
  EXPECT_EQ(executable_isas(), isas) << "asked again";
}

#if defined(__x86_64__)
TEST(ExecutableIsas, AreThoseThatTheCompilersLibraryFinds) {
  const std::vector<Isa> isas = executable_isas();
  const auto has = [&](Isa isa) { return std::ranges::find(isas, isa) != isas.end(); };
  EXPECT_EQ(has(Isa::kSse4), __builtin_cpu_supports("sse4.2") != 0);
  EXPECT_EQ(has(Isa::kAvx2), __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
  EXPECT_EQ(has(Isa::kAvx512),
            __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"));
  EXPECT_EQ(has(Isa::kAvx512Vnni), __builtin_cpu_supports("avx512vnni") != 0);
}
#endif

}  // namespace
}  // namespace lockstep::backend::cpu
