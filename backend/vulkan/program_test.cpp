// Whole programs against the reference, bit for bit: every operator kind, both 8-bit types, every
// contract, on every device of this machine and under masks that stand in for smaller ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>

#include "backend/reference/reference_device.h"
#include "backend/testing/program_runs.h"
#include "backend/testing/random_networks.h"
#include "backend/vulkan/testing/opened_devices.h"
#include "backend/vulkan/testing/validation_environment.h"
#include "backend/vulkan/vulkan_backend.h"
#include "graph/lowering.h"

namespace lockstep::backend::vulkan {
namespace {

using backend::testing::first_difference;
using backend::testing::NetworkKind;
using backend::testing::run;
using graph::DataType;
using testing::OpenedDevice;
using Bytes = std::vector<std::byte>;

const auto* const kValidation = testing::fail_on_validation_messages();

constexpr const char* kMasks[] = {"", "int-dot", "invocations=128,shared-memory=16384", "all"};
constexpr int kNetworksOfAKind = 24;
// Some drivers take seconds for one pipeline; such a device sees the first networks of a kind only.
constexpr auto kCompileBudget = std::chrono::seconds(5);

const std::vector<OpenedDevice>& devices() {
  static const std::vector<OpenedDevice> opened = testing::open_every_device(kMasks);
  return opened;
}

class Programs : public ::testing::TestWithParam<NetworkKind> {};

TEST_P(Programs, EqualTheReferenceOnEveryDevice) {
  if (devices().empty()) {
    GTEST_SKIP() << "no Vulkan device";
  }
  const auto reference_device = reference::open_device();
  std::mt19937 random(static_cast<uint32_t>(GetParam()) + 100);
  std::map<std::string, std::chrono::steady_clock::duration> compile_time;
  int compared = 0;
  for (int i = 0; i < kNetworksOfAKind; ++i) {
    const DataType type = i % 2 == 0 ? DataType::kInt8 : DataType::kUint8;
    const numerics::Contract contract = numerics::kAllContracts[static_cast<size_t>(i / 2) % 4];
    const graph::Graph network = backend::testing::random_network(GetParam(), type, random);
    const auto lowered = graph::lower(network, contract);
    if (!lowered) {
      ASSERT_EQ(lowered.error().code, ErrorCode::kUnsupported) << lowered.error().message;
      continue;
    }
    const auto reference = reference_device->compile(*lowered);
    ASSERT_TRUE(reference) << reference.error().message;
    std::vector<std::vector<Bytes>> inputs(2);
    std::vector<std::vector<Bytes>> expected;
    for (std::vector<Bytes>& run_inputs : inputs) {
      for (const int32_t input : lowered->inputs) {
        const auto& tensor = lowered->tensors[static_cast<size_t>(input)];
        run_inputs.push_back(backend::testing::random_contents(
            static_cast<size_t>(graph::element_count(tensor.shape).value()), type, random));
      }
      expected.push_back(run(**reference, *lowered, run_inputs));
    }
    for (const OpenedDevice& opened : devices()) {
      SCOPED_TRACE(fmt::format("network {} ({}, contract {}) on {}", i, graph::data_type_name(type),
                               numerics::contract_name(contract), opened.name));
      if (compile_time[opened.name] > kCompileBudget) {
        continue;
      }
      const auto start = std::chrono::steady_clock::now();
      // Every other program turns around what no barrier orders; some are cut into pieces.
      CompileOptions options;
      options.reverse_unordered = i % 2 == 1;
      options.split_everywhere = i % 6 == 2;
      const auto program = opened.device->compile(*lowered, options);
      compile_time[opened.name] += std::chrono::steady_clock::now() - start;
      ASSERT_TRUE(program) << program.error().message;
      ++compared;
      for (size_t round = 0; round < inputs.size(); ++round) {
        const auto actual = run(**program, *lowered, inputs[round]);
        ASSERT_EQ(first_difference(*lowered, actual, expected[round]), "") << "run " << round;
      }
    }
  }
  EXPECT_GE(compared, kNetworksOfAKind / 2) << "lowering refused nearly everything";
}

INSTANTIATE_TEST_SUITE_P(Kinds, Programs, ::testing::ValuesIn(backend::testing::kAllNetworkKinds),
                         [](const auto& instance) {
                           return std::string(backend::testing::network_kind_name(instance.param));
                         });

}  // namespace
}  // namespace lockstep::backend::vulkan
