#include "backend/cpu/cpu_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cfenv>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>

#include "backend/cpu/isa.h"
#include "backend/cpu/testing/small_networks.h"
#include "backend/cpu/thread_pool.h"
#include "backend/testing/program_runs.h"

namespace lockstep::backend::cpu {
namespace {

using backend::testing::first_difference;
using backend::testing::run;
using testing::Bytes;
using ::testing::HasSubstr;
using testing::small_network;
using ::testing::StartsWith;

constexpr const char* kVariable = "LOCKSTEP_CPU_ISA";

// LOCKSTEP_CPU_ISA is what a test sets, nothing at first, and afterwards as it was.
class CpuDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const char* value = std::getenv(kVariable)) before_ = value;
    ::unsetenv(kVariable);
    if (executable_isas().empty()) GTEST_SKIP() << "no kernels for this kind of processor";
  }
  void TearDown() override {
    before_ ? ::setenv(kVariable, before_->c_str(), 1) : ::unsetenv(kVariable);
  }

  static void cap(std::string_view isa) { ::setenv(kVariable, std::string(isa).c_str(), 1); }

  static std::shared_ptr<Device> open(const DeviceOptions& options = {}) {
    auto device = open_device(options);
    if (!device) throw std::logic_error(device.error().message);
    return *std::move(device);
  }
  static std::string refusal(const DeviceOptions& options) {
    const auto device = open_device(options);
    if (device) return "opened";
    EXPECT_EQ(device.error().code, ErrorCode::kInvalidArgument);
    return device.error().message;
  }
  static std::string capability(const Device& device, const std::string& name) {
    for (const auto& [key, value] : device.description().capabilities) {
      if (key == name) return value;
    }
    return "";
  }
  static std::string mask(Isa isa) { return "isa=" + std::string(isa_name(isa)); }

 private:
  std::optional<std::string> before_;
};

TEST_F(CpuDevice, IsListedOnce) {
  const auto listed = list_devices();
  ASSERT_TRUE(listed) << listed.error().message;
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_EQ(listed->front().backend, "cpu");
  EXPECT_EQ(listed->front().kind, DeviceKind::kCpu);
  EXPECT_EQ(listed->front(), open()->description());
}

TEST_F(CpuDevice, UsesTheBestInstructionSetAtMostTheCap) {
  EXPECT_EQ(capability(*open(), "isa"), isa_name(executable_isas().back()));
  for (const Isa isa : executable_isas()) {
    EXPECT_EQ(capability(*open({.mask = mask(isa)}), "isa"), isa_name(isa));
    cap(isa_name(isa));
    EXPECT_EQ(capability(*open(), "isa"), isa_name(isa));
    EXPECT_EQ(list_devices()->front(), open()->description());
    cap("");
    EXPECT_EQ(capability(*open(), "isa"), isa_name(executable_isas().back()));
  }
}

TEST_F(CpuDevice, TakesTheSmallerOfMaskAndEnvironment) {
  const Isa least = executable_isas().front();
  const Isa best = executable_isas().back();
  cap(isa_name(least));
  EXPECT_EQ(capability(*open({.mask = mask(best)}), "isa"), isa_name(least));
  cap(isa_name(best));
  EXPECT_EQ(capability(*open({.mask = mask(least)}), "isa"), isa_name(least));
}

TEST_F(CpuDevice, RefusesMasksAndCapsThatItDoesNotKnow) {
  EXPECT_THAT(refusal({.mask = "all"}), HasSubstr("mask 'all'"));
  EXPECT_THAT(refusal({.mask = "isa=avx9"}),
              StartsWith("'avx9' is no instruction set of this kind of processor; there are "));
  EXPECT_THAT(refusal({.mask = "isa=avx9"}), HasSubstr(isa_name(executable_isas().front())));
  cap("avx9");
  EXPECT_THAT(refusal({}), StartsWith("LOCKSTEP_CPU_ISA: 'avx9' is no instruction set"));
  EXPECT_FALSE(list_devices());
}

TEST_F(CpuDevice, ComputesWithAsManyThreadsAsAsked) {
  EXPECT_EQ(capability(*open(), "threads"), std::to_string(physical_cores()));
  EXPECT_EQ(capability(*open({.threads = 1}), "threads"), "1");
  EXPECT_EQ(capability(*open({.threads = 3}), "threads"), "3");
  EXPECT_EQ(refusal({.threads = -1}), "-1 threads; 1 to 1024 are possible");
  EXPECT_EQ(refusal({.threads = kMostThreads + 1}), "1025 threads; 1 to 1024 are possible");
}

TEST_F(CpuDevice, TakesEveryOperator) {
  const graph::LoweredGraph network = small_network();
  const auto device = open();
  for (const graph::LoweredOperator& op : network.operators) {
    EXPECT_TRUE(device->supports(network, op));
    const auto kernels = device->kernels(network, op);
    ASSERT_TRUE(kernels);
    EXPECT_FALSE(kernels->empty());
  }
}

TEST_F(CpuDevice, RefusesGraphsThatReadWhatNothingFills) {
  graph::LoweredGraph network = small_network();
  network.inputs.clear();
  const auto device = open();
  const auto program = device->compile(network);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(device->fingerprint(network));
  EXPECT_FALSE(device->plan(network));
}

TEST_F(CpuDevice, MayGoBeforeItsPrograms) {
  const graph::LoweredGraph network = small_network();
  auto device = open({.threads = 3});
  const auto program = device->compile(network);
  ASSERT_TRUE(program) << program.error().message;
  device.reset();
  const std::vector<Bytes> inputs = testing::random_inputs(network, 1);
  EXPECT_EQ(first_difference(network, run(**program, network, inputs),
                             testing::reference_outputs(network, inputs)),
            "");
}

TEST_F(CpuDevice, FingerprintsTellWhatIsComputedHow) {
  const graph::LoweredGraph network = small_network();
  std::map<std::string, std::string> seen;  // description by fingerprint
  for (const Isa isa : executable_isas()) {
    for (const int32_t threads : {1, 3}) {
      const DeviceOptions options{.mask = mask(isa), .threads = threads};
      const auto fingerprint = open(options)->fingerprint(network);
      ASSERT_TRUE(fingerprint) << fingerprint.error().message;
      EXPECT_EQ(*fingerprint, open(options)->fingerprint(network).value()) << "opened again";
      const std::string description = options.mask + ", threads " + std::to_string(threads);
      const auto [found, is_new] = seen.emplace(*fingerprint, description);
      EXPECT_TRUE(is_new) << description << " is like " << found->second;
    }
  }
  const auto device = open();
  EXPECT_NE(device->fingerprint(network).value(),
            device->fingerprint(network, {.guard_memory = true}).value());
}

TEST_F(CpuDevice, PlansWhatItCompiles) {
  const graph::LoweredGraph network = small_network();
  const auto device = open();
  const auto plan = device->plan(network);
  ASSERT_TRUE(plan) << plan.error().message;
  const auto program = device->compile(network);
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_EQ(plan->arena_bytes, (*program)->statistics().arena_bytes);
  EXPECT_EQ(plan->operators.size(), network.operators.size());
}

// What is prepared in floats rounds to nearest, too; so do threads that a device starts.
TEST_F(CpuDevice, IsTheSameOpenedByAThreadThatRoundsUpward) {
  constexpr int32_t kThreads = 5;  // of a pool that nobody else has
  for (const numerics::Contract contract : numerics::kAllContracts) {
    const graph::LoweredGraph network = small_network(contract);
    const std::vector<Bytes> inputs = testing::random_inputs(network, 5);
    std::vector<Bytes> outputs;
    std::fesetround(FE_UPWARD);
    if (const auto device = open_device({.threads = kThreads})) {
      if (const auto program = (*device)->compile(network)) {
        outputs = run(**program, network, inputs);
      }
    }
    std::fesetround(FE_TONEAREST);
    ASSERT_EQ(outputs.size(), network.outputs.size());
    EXPECT_EQ(first_difference(network, outputs, testing::reference_outputs(network, inputs)), "");
  }
}

}  // namespace
}  // namespace lockstep::backend::cpu
