// What is measured of the processor, with fewer instruction sets and more threads than it has.
#include "bench/cpu/cpu_benchmark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <numeric>
#include <set>

#include "bench/cpu/cpu_memory.h"
#include "bench/cpu/read_words.h"
#include "bench/cpu/threads.h"

namespace lockstep::bench {
namespace {

using backend::cpu::Isa;
using backend::cpu::Target;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr MeasureOptions kTiny = {.minimum_seconds = 1e-4, .repetitions = 1};

std::vector<std::string> names_of(const std::vector<DeviceMeasurement>& measurements) {
  std::vector<std::string> names;
  for (const DeviceMeasurement& each : measurements) names.push_back(each.name);
  return names;
}

backend::DeviceDescription processor(const std::string& isa, const std::string& threads) {
  backend::DeviceDescription description;
  description.backend = "cpu";
  description.name = "a processor";
  description.capabilities = {{"isa", isa}, {"threads", threads}};
  return description;
}

TEST(CpuTarget, IsReadFromCapabilities) {
  const auto target = target_of(processor("amx-int8", "12"));
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(target->isa, Isa::kAmxInt8);
  EXPECT_EQ(target->threads, 12);
  backend::DeviceDescription silent = processor("avx2", "");
  silent.capabilities.pop_back();
  EXPECT_EQ(target_of(silent)->threads, 1);
}

TEST(CpuTarget, RefusesWhatIsNone) {
  EXPECT_THAT(target_of(processor("mmx", "1")).error().message, HasSubstr("'mmx'"));
  EXPECT_FALSE(target_of(processor("", "1")));
  for (const char* threads : {"0", "-3", "2x", "many", "99999999999999"}) {
    EXPECT_FALSE(target_of(processor("avx2", threads))) << threads;
  }
}

TEST(CpuMask, HasOneInstructionSet) {
  EXPECT_EQ(mask_with_isa("", Isa::kAvx2), "isa=avx2");
  EXPECT_EQ(mask_with_isa("isa=amx-int8", Isa::kAvx2), "isa=avx2");
  EXPECT_EQ(mask_with_isa("threads=1,isa=sse4,other", Isa::kAvx512), "threads=1,other,isa=avx512");
}

TEST(Threads, AllDoTheirPart) {
  std::mutex mutex;
  std::multiset<int32_t> seen;
  const auto seconds = seconds_of_threads(3, [&](int32_t thread) {
    const std::lock_guard lock(mutex);
    seen.insert(thread);
  });
  ASSERT_TRUE(seconds) << seconds.error().message;
  EXPECT_THAT(seen, ElementsAre(0, 1, 2));
  EXPECT_GE(*seconds, 0);
  EXPECT_EQ(threads_suffix(1), "");
  EXPECT_EQ(threads_suffix(3), "-3-threads");
}

TEST(ReadWords, EveryWordCounts) {
  std::vector<uint32_t> words(3 * kReadWords);
  std::iota(words.begin(), words.end(), 0xfffffff0u);
  for (const Isa isa : backend::cpu::executable_isas()) {
    SCOPED_TRACE(backend::cpu::isa_name(isa));
    EXPECT_EQ(sum_of_words(isa, words.data(), words.size()),
              std::accumulate(words.begin(), words.end(), 0u));
  }
}

// Forms that need not be timed to be chosen from.
RegisterForm form(const std::string& name, Isa isa, bool is_exact, bool is_right) {
  return {.name = name,
          .meaning = "",
          .isa = isa,
          .is_exact_int8 = is_exact,
          .multiply_adds = 1000,
          .run = [is_right] { return is_right; }};
}

const IsWanted kEverything = [](const std::string&) { return true; };

class CpuArithmetics : public testing::Test {
 protected:
  void SetUp() override {
    isas_ = backend::cpu::executable_isas();
    if (isas_.size() < 2) GTEST_SKIP() << "one instruction set has none beyond it";
  }
  std::vector<Isa> isas_;
};

TEST_F(CpuArithmetics, FormsBeyondTheDeviceSayWhyAndCountForNothing) {
  const auto measured =
      measure_cpu_arithmetic({form("small", isas_[0], true, true),
                              form("large", isas_[1], true, false)},  // which nobody runs
                             {.isa = isas_[0], .threads = 1}, kTiny, kEverything);
  ASSERT_TRUE(measured) << measured.error().message;
  ASSERT_EQ(measured->size(), 2u);
  EXPECT_EQ((*measured)[0].measurement.name, "multiply-add/small");
  EXPECT_GT((*measured)[0].measurement.value, 0);
  EXPECT_THAT((*measured)[1].measurement.unavailable, HasSubstr("opened without"));
  EXPECT_EQ(peak_gops(*measured, {.isa = isas_[1], .threads = 1}),
            (*measured)[0].measurement.value);
}

TEST_F(CpuArithmetics, WrongSumsHaveNoSpeed) {
  const auto measured = measure_cpu_arithmetic({form("wrong", isas_[0], true, false)},
                                               {.isa = isas_[0], .threads = 1}, kTiny, kEverything);
  ASSERT_FALSE(measured);
  EXPECT_EQ(measured.error().code, ErrorCode::kInternal);
  EXPECT_THAT(measured.error().message, HasSubstr("multiply-add/wrong"));
}

TEST_F(CpuArithmetics, AllThreadsTogetherAreAMeasurementOfTheirOwn) {
  const auto measured = measure_cpu_arithmetic(
      {form("exact", isas_[0], true, true), form("float", isas_[0], false, true)},
      {.isa = isas_[0], .threads = 2}, kTiny, kEverything);
  ASSERT_TRUE(measured) << measured.error().message;
  std::vector<DeviceMeasurement> measurements;
  for (const CpuArithmetic& each : *measured) measurements.push_back(each.measurement);
  EXPECT_THAT(names_of(measurements),
              ElementsAre("multiply-add/exact", "float32/float", "multiply-add/exact-2-threads",
                          "float32/float-2-threads"));
  EXPECT_EQ(peak_gops(*measured, {.isa = isas_[0], .threads = 2}), measurements[2].value);
}

TEST(CpuPeak, IsTheFastestExactFormOfAnInstructionSet) {
  const auto measured = [](Isa isa, bool is_exact, double gops) {
    CpuArithmetic result{.isa = isa, .is_exact_int8 = is_exact, .threads = 1, .measurement = {}};
    result.measurement.value = gops;
    return result;
  };
  const std::vector<CpuArithmetic> all = {
      measured(Isa::kSse4, true, 60), measured(Isa::kAvx2, true, 130),
      measured(Isa::kAvx2, false, 900), measured(Isa::kAvx512, true, 120)};
  EXPECT_EQ(peak_gops(all, {.isa = Isa::kSse4, .threads = 1}), 60);
  EXPECT_EQ(peak_gops(all, {.isa = Isa::kAvx2, .threads = 1}), 130);
  EXPECT_EQ(peak_gops(all, {.isa = Isa::kAvx512, .threads = 1}), 130);
  EXPECT_EQ(peak_gops(all, {.isa = Isa::kAvx512, .threads = 2}), 0);
}

TEST(CpuBenchmark, MeasuresEveryFormAndEveryCache) {
  if (backend::cpu::executable_isas().empty()) GTEST_SKIP() << "no instruction set we know";
  const Target target{.isa = backend::cpu::executable_isas().back(), .threads = 2};
  const auto measured = measure_cpu(target, {.filter = {}, .measure = kTiny, .quick = true},
                                    kEverything, [](const std::string&) {});
  ASSERT_TRUE(measured) << measured.error().message;
  for (const CpuArithmetic& each : measured->arithmetic) {
    EXPECT_EQ(each.measurement.value > 0, each.measurement.unavailable.empty())
        << each.measurement.name;
  }
  EXPECT_GT(peak_gops(measured->arithmetic, target), 0);
  EXPECT_THAT(names_of(measured->memory),
              ElementsAre("cache/copy-l1", "cache/copy-l1-2-threads", "cache/read-l1",
                          "cache/read-l1-2-threads", "cache/copy-l2", "cache/copy-l2-2-threads",
                          "cache/read-l2", "cache/read-l2-2-threads", "memory/copy",
                          "memory/copy-2-threads", "memory/read", "memory/read-2-threads"));
  for (const DeviceMeasurement& each : measured->memory) EXPECT_GT(each.value, 0) << each.name;
}

TEST(CpuBenchmark, MeasuresNothingThatIsNotWanted) {
  const auto measured = measure_cpu(
      {}, {.filter = {}, .measure = kTiny, .quick = true}, [](const std::string&) { return false; },
      [](const std::string&) {});
  ASSERT_TRUE(measured) << measured.error().message;
  EXPECT_TRUE(measured->arithmetic.empty());
  EXPECT_TRUE(measured->memory.empty());
}

}  // namespace
}  // namespace lockstep::bench
