#include "backend/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "backend/vulkan/testing/validation_environment.h"
#include "graph/lowered_graph.h"

namespace lockstep::backend {
namespace {

const auto* const kValidation = vulkan::testing::fail_on_validation_messages();

class Registry : public testing::Test {
 protected:
  Registry() { ::unsetenv("LOCKSTEP_DEVICE"); }
};

TEST_F(Registry, ListsTheProcessorAndTheReferenceLast) {
  const auto devices = list_devices();
  ASSERT_GE(devices.size(), 2u);
  EXPECT_EQ(devices.back().backend, "ref");
  EXPECT_EQ(devices[devices.size() - 2].backend, "cpu");
  for (size_t i = 0; i + 2 < devices.size(); ++i) {
    EXPECT_EQ(devices[i].backend, "vulkan");
  }
}

TEST_F(Registry, TheHostDeviceIsTheProcessor) {
  EXPECT_EQ(open_host_device(1)->description().backend, "cpu");
}

TEST_F(Registry, OpensByWordNumberNameAndPartOfAName) {
  const auto devices = list_devices();
  const auto reference = open_device("ref", {});
  ASSERT_TRUE(reference);
  EXPECT_EQ((*reference)->description().backend, "ref");
  for (size_t i = 0; i < devices.size(); ++i) {
    const auto by_number = open_device(std::to_string(i), {});
    ASSERT_TRUE(by_number) << by_number.error().message;
    EXPECT_EQ((*by_number)->description().name, devices[i].name);
    const auto by_name = open_device(devices[i].name, {});
    ASSERT_TRUE(by_name) << by_name.error().message;
    EXPECT_EQ((*by_name)->description().name, devices[i].name);
  }
  const auto by_part = open_device("LOCKSTEP ref", {});
  ASSERT_TRUE(by_part) << by_part.error().message;
  EXPECT_EQ((*by_part)->description().backend, "ref");
}

TEST_F(Registry, EmptySelectorTakesTheEnvironmentThenTheFirstAccelerator) {
  ASSERT_EQ(::setenv("LOCKSTEP_DEVICE", "ref", 1), 0);
  const auto reference = open_device("", {});
  ASSERT_TRUE(reference);
  EXPECT_EQ((*reference)->description().backend, "ref");

  ::unsetenv("LOCKSTEP_DEVICE");
  const auto devices = list_devices();
  const auto accelerator = open_device("", {});
  if (devices.size() == 1) {
    ASSERT_FALSE(accelerator) << "the reference is no accelerator";
    EXPECT_EQ(accelerator.error().code, ErrorCode::kDeviceUnavailable);
  } else {
    ASSERT_TRUE(accelerator) << accelerator.error().message;
    EXPECT_EQ((*accelerator)->description().name, devices.front().name);
  }
}

TEST_F(Registry, UnknownDevicesAreAnsweredWithWhatThereIs) {
  for (const char* selector : {"quantum", "99", "-1", "18446744073709551616"}) {
    const auto device = open_device(selector, {});
    ASSERT_FALSE(device) << selector;
    EXPECT_EQ(device.error().code, ErrorCode::kDeviceUnavailable);
    EXPECT_THAT(device.error().message, testing::HasSubstr(selector));
    EXPECT_THAT(device.error().message, testing::HasSubstr("'Lockstep reference (host)' (ref)"));
  }
}

// x -> 255 - x in the model's domain, as a table over the signed domain.
graph::LoweredGraph inverter() {
  graph::LoweredTable table{0, 1, {}};
  for (int stored = -128; stored < 128; ++stored) {
    table.table[static_cast<size_t>(stored + 128)] = static_cast<int8_t>(-1 - stored);
  }
  graph::LoweredGraph graph;
  graph.name = "inverter";
  graph.tensors = {{"x", graph::DataType::kUint8, {4}, {}},
                   {"y", graph::DataType::kUint8, {4}, {}}};
  graph.operators = {{"RELU", 5, table}};
  graph.inputs = {0};
  graph.outputs = {1};
  return graph;
}

TEST_F(Registry, ReferenceRunsAndReportsPlacements) {
  const auto device = open_device("ref", {});
  ASSERT_TRUE(device);
  const auto program = (*device)->compile(inverter());
  ASSERT_TRUE(program) << program.error().message;
  ASSERT_EQ((*program)->placements().size(), 1u);
  EXPECT_EQ((*program)->placements()[0].source_operator, 5);
  EXPECT_EQ((*program)->placements()[0].variant, "reference");

  const std::vector<uint8_t> x{0, 1, 128, 255};
  std::vector<uint8_t> y(4);
  const auto input = std::as_bytes(std::span(x));
  const auto output = std::as_writable_bytes(std::span(y));
  ASSERT_TRUE((*program)->run({&input, 1}, {&output, 1}));
  EXPECT_THAT(y, testing::ElementsAre(255, 254, 127, 0));
}

TEST_F(Registry, ReferenceRefusesWrongSizes) {
  const auto device = open_device("ref", {});
  ASSERT_TRUE(device);
  const auto program = (*device)->compile(inverter());
  ASSERT_TRUE(program);
  std::vector<std::byte> four(4);
  std::vector<std::byte> five(5);
  const std::span<const std::byte> input(four);
  const std::span<const std::byte> long_input(five);
  const std::span<std::byte> output(four);
  const std::span<std::byte> long_output(five);
  for (const Status& status : {(*program)->run({}, {&output, 1}), (*program)->run({&input, 1}, {}),
                               (*program)->run({&long_input, 1}, {&output, 1}),
                               (*program)->run({&input, 1}, {&long_output, 1})}) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(Registry, TakesAnotherBackendBeforeTheReferenceOnce) {
  const Backend backend{
      "extra",
      [] {
        DeviceDescription description;
        description.backend = "extra";
        description.name = "extra device";
        return Result<std::vector<DeviceDescription>>({description});
      },
      [](size_t index, const DeviceOptions& options) -> Result<std::shared_ptr<Device>> {
        return make_error(ErrorCode::kDeviceUnavailable, "extra {} mask '{}'", index, options.mask);
      }};
  // A backend stays for the life of the process, so a process of its own: started anew, because
  // drivers of this one have threads.
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        const size_t before = list_devices().size();
        const bool added = register_backend(backend).has_value();
        const auto devices = list_devices();
        const bool is_listed = devices.size() == before + 1 &&
                               devices[before - 1].backend == "extra" &&
                               devices.back().backend == "ref";
        const auto opened = open_device("extra", {.mask = "int-dot", .cache_dir = {}});
        const bool is_opened = !opened && opened.error().message == "extra 0 mask 'int-dot'";
        const bool is_added_once = !register_backend(backend);
        std::_Exit(added && is_listed && is_opened && is_added_once ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace lockstep::backend
