// What a device keeps between two openings, and what tuning does on real devices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <random>

#include "backend/vulkan/specialization.h"
#include "backend/vulkan/testing/validation_environment.h"
#include "backend/vulkan/vulkan_backend.h"
#include "graph/graph_builder.h"
#include "graph/lowering.h"

namespace lockstep::backend::vulkan {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const auto* const kValidation = testing::fail_on_validation_messages();

// A 1x1 convolution, which several kernels compute.
graph::LoweredGraph pointwise_network() {
  std::mt19937 random(3);
  std::vector<int8_t> weights(32 * 48);
  for (int8_t& weight : weights) weight = static_cast<int8_t>(random());
  graph::GraphBuilder builder("pointwise");
  const int32_t input =
      builder.input("x", graph::DataType::kInt8, {1, 9, 7, 48}, graph::per_tensor(0.5f, 3));
  const int32_t constant =
      builder.constant<int8_t>("w", {32, 1, 1, 48}, weights, graph::per_tensor(0.25f));
  const auto graph = builder.build(
      {builder.conv_2d(input, constant, graph::kAbsentTensor, graph::per_tensor(40.0f))});
  EXPECT_TRUE(graph) << graph.error().message;
  return graph::lower(*graph, numerics::Contract::kTflite).value();
}

std::vector<std::byte> run_once(Program& program) {
  std::vector<std::byte> input(9 * 7 * 48);
  std::mt19937 random(5);
  for (std::byte& value : input) value = static_cast<std::byte>(random());
  std::vector<std::byte> output(9 * 7 * 32);
  const std::span<const std::byte> input_view = input;
  const std::span<std::byte> output_view = output;
  const Status status = program.run(std::span(&input_view, 1), std::span(&output_view, 1));
  EXPECT_TRUE(status) << status.error().message;
  return output;
}

class StartUp : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto devices = list_devices();
    if (!devices || devices->empty()) GTEST_SKIP() << "no Vulkan device";
  }
  ~StartUp() override { fs::remove_all(folder_); }

  DeviceOptions options() {
    return {.mask = {},
            .cache_dir = folder_.string(),
            .log = [this](LogSeverity severity, const std::string& message) {
              (severity == LogSeverity::kWarning ? warnings_ : progress_).push_back(message);
            }};
  }
  fs::path pipelines_file() const {
    for (const auto& entry : fs::directory_iterator(folder_)) {
      if (entry.path().filename().string().starts_with("pipelines-")) return entry.path();
    }
    return {};
  }
  std::shared_ptr<Device> open(const DeviceOptions& options) {
    return open_device(0, options).value();
  }

  fs::path folder_ =
      fs::temp_directory_path() / fmt::format("lockstep_start_up_test_{}", ::getpid());
  std::shared_ptr<const void> drivers_ = keep_drivers_loaded();
  std::vector<std::string> warnings_;
  std::vector<std::string> progress_;
  graph::LoweredGraph network_ = pointwise_network();
};

ChosenBy chosen_by(const Device& device, const graph::LoweredGraph& network,
                   const CompileOptions& options = {}) {
  return device.plan(network, options).value().operators[0].chosen_by;
}

TEST_F(StartUp, MeasuredChoicesAreUsedByTheNextDeviceWithoutMeasuringAgain) {
  std::vector<std::byte> expected;
  {
    const auto device = open(options());
    EXPECT_EQ(chosen_by(*device, network_), ChosenBy::kHeuristics);
    expected = run_once(**device->compile(network_));
    CompileOptions tuned;
    tuned.tune = true;
    EXPECT_EQ(run_once(**device->compile(network_, tuned)), expected);
    EXPECT_THAT(progress_, ElementsAre(HasSubstr("tuning 1 of 1")));
  }
  progress_.clear();
  const auto device = open(options());
  EXPECT_EQ(chosen_by(*device, network_), ChosenBy::kTuning);
  CompileOptions tuned;
  tuned.tune = true;
  EXPECT_EQ(run_once(**device->compile(network_, tuned)), expected);
  EXPECT_THAT(progress_, ElementsAre());
  EXPECT_THAT(warnings_, ElementsAre());
}

TEST_F(StartUp, AForcedKernelGoesBeforeAMeasuredOne) {
  const auto device = open(options());
  CompileOptions options;
  options.tune = true;
  ASSERT_TRUE(device->compile(network_, options));
  const auto kernels = device->kernels(network_, network_.operators[0]).value();
  options.tune = false;
  options.kernel = kernels.back();
  const ProgramPlan plan = device->plan(network_, options).value();
  EXPECT_EQ(plan.operators[0].kernel, kernels.back());
  EXPECT_EQ(plan.operators[0].chosen_by, ChosenBy::kForce);
}

TEST_F(StartUp, AChoiceThatTheDeviceDoesNotHaveIsIgnored) {
  const auto device = open(options());
  CompileOptions options;
  options.kernel = "no such kernel";
  EXPECT_EQ(chosen_by(*device, network_, options), ChosenBy::kHeuristics);
}

TEST_F(StartUp, AFolderThatCannotBeWrittenIsAWarningAndNothingElse) {
  DeviceOptions unwritable = options();
  unwritable.cache_dir = "/proc/nowhere";
  const auto device = open(unwritable);
  CompileOptions tuned;
  tuned.tune = true;
  const auto program = device->compile(network_, tuned);
  ASSERT_TRUE(program) << program.error().message;
  run_once(**program);
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("/proc/nowhere")));
  EXPECT_EQ(chosen_by(*device, network_), ChosenBy::kTuning) << "kept while the device lives";
}

// On every device: some drivers' caches differ each time they are asked for.
TEST_F(StartUp, FilesAreNotWrittenAgainWhereNothingIsNew) {
  const size_t devices = list_devices()->size();
  const auto compile_everywhere = [&] {
    for (size_t i = 0; i < devices; ++i) {
      ASSERT_TRUE(open_device(i, options()).value()->compile(network_));
    }
  };
  compile_everywhere();
  std::map<fs::path, fs::file_time_type> written;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.path().extension() != ".bin") continue;
    fs::last_write_time(entry, entry.last_write_time() - std::chrono::hours(1));
    written[entry.path()] = fs::last_write_time(entry);
  }
  const size_t kinds = can_specialize() ? 2 : 1;  // pipelines, and modules
  ASSERT_EQ(written.size(), kinds * devices);
  compile_everywhere();
  for (const auto& [path, time] : written) {
    EXPECT_EQ(fs::last_write_time(path), time) << path;
  }
}

// Two devices (two processes, for all the file knows) take turns: what one adds while the other has
// an older file in mind stays, and a third one finds everything.
TEST_F(StartUp, PipelinesOfSeveralProcessesAreMerged) {
  const auto first = open(options());
  const auto second = open(options());
  const auto kernels = first->kernels(network_, network_.operators[0]).value();
  ASSERT_GE(kernels.size(), 3u);
  const auto compile = [&](Device& device, size_t kernel) {
    CompileOptions options;
    options.kernel = kernels[kernel];
    ASSERT_TRUE(device.compile(network_, options));
  };
  compile(*first, 0);
  compile(*second, 1);
  compile(*first, 2);
  const fs::path file = pipelines_file();
  const auto long_ago = fs::last_write_time(file) - std::chrono::hours(1);
  fs::last_write_time(file, long_ago);
  const auto third = open(options());
  for (size_t kernel = 0; kernel < 3; ++kernel) {
    compile(*third, kernel);
  }
  EXPECT_EQ(fs::last_write_time(file), long_ago) << "a pipeline was missing from the file";
}

}  // namespace
}  // namespace lockstep::backend::vulkan
