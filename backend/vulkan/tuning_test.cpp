#include "backend/vulkan/tuning.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

namespace lockstep::backend::vulkan {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// How a kernel of the device below behaves.
struct Behaviour {
  double microseconds = 100;
  bool lies = false;      // other bits than everybody else
  bool flickers = false;  // other bits from its third run on
  bool compiles = true;
};

class FakeProgram final : public Program {
 public:
  explicit FakeProgram(const Behaviour& behaviour) : behaviour_(behaviour) {}
  Status run(std::span<const std::span<const std::byte>>,
             std::span<const std::span<std::byte>> outputs) override {
    ++runs_;
    const bool wrong = behaviour_.lies || (behaviour_.flickers && runs_ >= 3);
    std::ranges::fill(outputs[0], wrong ? std::byte{1} : std::byte{0});
    return {};
  }
  ProgramStatistics statistics() const override { return {}; }
  std::vector<OperatorPlacement> placements() const override { return {}; }
  double microseconds() const { return behaviour_.microseconds; }

 private:
  const Behaviour& behaviour_;
  int runs_ = 0;
};

// Computes every operator with each of its kernels.
class FakeDevice final : public Device {
 public:
  const DeviceDescription& description() const override { return description_; }
  Status supports(const graph::LoweredGraph&, const graph::LoweredOperator&) const override {
    return {};
  }
  Result<std::vector<std::string>> kernels(const graph::LoweredGraph&,
                                           const graph::LoweredOperator&) const override {
    return names;
  }
  Result<std::unique_ptr<Program>> compile(const graph::LoweredGraph& graph,
                                           const CompileOptions& options) override {
    EXPECT_EQ(graph.operators.size(), 1u);
    compiled.push_back(options.kernel);
    if (!kernel_behaviour[options.kernel].compiles) {
      return make_error(ErrorCode::kOutOfMemory, "{} is too large", options.kernel);
    }
    return std::make_unique<FakeProgram>(kernel_behaviour[options.kernel]);
  }
  Result<std::string> fingerprint(const graph::LoweredGraph&,
                                  const CompileOptions&) const override {
    return make_error(ErrorCode::kUnsupported, "not asked for");
  }

  std::vector<std::string> names{"usual", "other", "third"};
  std::map<std::string, Behaviour> kernel_behaviour;
  std::vector<std::string> compiled;

 private:
  DeviceDescription description_;
};

graph::LoweredConvolution convolution(int32_t channels) {
  graph::LoweredConvolution op;
  op.input = 0;
  op.output = 1;
  op.input_extent = {1, 8, 8, channels};
  op.output_extent = {1, 8, 8, channels};
  op.weights.assign(static_cast<size_t>(channels * channels), 1);
  op.weights_zero_points.assign(static_cast<size_t>(channels), 0);
  return op;
}

// A graph of independent convolutions, one for each number of channels.
graph::LoweredGraph graph_of(const std::vector<int32_t>& channels) {
  graph::LoweredGraph graph;
  for (const int32_t each : channels) {
    graph::LoweredConvolution op = convolution(each);
    op.input = static_cast<int32_t>(graph.tensors.size());
    op.output = op.input + 1;
    for (int i = 0; i < 2; ++i) {
      graph.tensors.push_back({"t", graph::DataType::kInt8, {1, 8, 8, each}, {}});
    }
    graph.operators.push_back({"CONV_2D", static_cast<int32_t>(graph.operators.size()), op});
  }
  return graph;
}

std::string signature(const graph::LoweredGraph& graph, size_t op = 0) {
  return operator_signature(graph, graph.operators[op]);
}

class Tuning : public ::testing::Test {
 protected:
  ~Tuning() override { fs::remove_all(folder_); }

  DeviceOptions options() {
    return {.mask = {},
            .cache_dir = folder_.string(),
            .log = [this](LogSeverity severity, const std::string& message) {
              (severity == LogSeverity::kWarning ? warnings_ : progress_).push_back(message);
            }};
  }

  void tune_on(TuningStore& store, const graph::LoweredGraph& graph) {
    tune(device_, graph, store, options().log,
         [this](Program& program, auto inputs, auto outputs) -> Result<double> {
           if (Status status = program.run(inputs, outputs); !status) {
             return tl::unexpected(status.error());
           }
           // The first measurements are slow, as on a machine that wakes up.
           const double noise = measurements_++ < 3 ? 500 : 0;
           return dynamic_cast<FakeProgram&>(program).microseconds() + noise;
         });
  }

  fs::path folder_ = fs::temp_directory_path() / fmt::format("lockstep_tuning_test_{}", ::getpid());
  FakeDevice device_;
  std::vector<std::string> warnings_;
  std::vector<std::string> progress_;
  int measurements_ = 0;
  DeviceCache cache_{PhysicalDevice{}, options()};
  TuningStore store_{cache_, Capabilities{}};
};

TEST_F(Tuning, TheFastestKernelIsRecordedAndProgressIsTold) {
  device_.kernel_behaviour["other"].microseconds = 50;
  const auto graph = graph_of({16});
  EXPECT_EQ(store_.choice(signature(graph)), "");
  tune_on(store_, graph);
  EXPECT_EQ(store_.choice(signature(graph)), "other");
  EXPECT_THAT(progress_, ElementsAre(HasSubstr("tuning 1 of 1")));
  EXPECT_THAT(warnings_, ElementsAre());
}

TEST_F(Tuning, NoiseDoesNotReplaceTheHeuristicsChoice) {
  device_.kernel_behaviour["other"].microseconds = 99;
  const auto graph = graph_of({16});
  tune_on(store_, graph);
  EXPECT_EQ(store_.choice(signature(graph)), "usual");
}

TEST_F(Tuning, AKernelThatLiesIsNeverChosenAndIsReported) {
  device_.kernel_behaviour["other"] = {.microseconds = 1, .lies = true};
  device_.kernel_behaviour["third"].microseconds = 60;
  const auto graph = graph_of({16});
  tune_on(store_, graph);
  EXPECT_EQ(store_.choice(signature(graph)), "third");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("kernel other computes something else")));
}

TEST_F(Tuning, AKernelThatLiesNowAndThenIsNeverChosenAndIsReported) {
  device_.kernel_behaviour["other"] = {.microseconds = 1, .flickers = true};
  const auto graph = graph_of({16});
  tune_on(store_, graph);
  EXPECT_EQ(store_.choice(signature(graph)), "usual");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("other does not always compute the same")));
}

TEST_F(Tuning, AKernelThatDoesNotCompileIsLeftOut) {
  device_.kernel_behaviour["other"] = {.microseconds = 1, .compiles = false};
  const auto graph = graph_of({16});
  tune_on(store_, graph);
  EXPECT_EQ(store_.choice(signature(graph)), "usual");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("other is too large")));
}

TEST_F(Tuning, EveryDistinctOperatorIsMeasuredOnce) {
  tune_on(store_, graph_of({16, 32, 16}));
  EXPECT_EQ(device_.compiled.size(), 2 * device_.names.size());
  tune_on(store_, graph_of({32, 64}));
  EXPECT_EQ(device_.compiled.size(), 3 * device_.names.size());
}

TEST_F(Tuning, AnOperatorWithOneKernelIsNotMeasured) {
  device_.names = {"only"};
  const auto graph = graph_of({16});
  tune_on(store_, graph);
  EXPECT_THAT(device_.compiled, ElementsAre());
  EXPECT_TRUE(store_.is_empty());
}

// What is hopeless on small operators may take seconds on large ones.
TEST_F(Tuning, AHopelessKernelIsNotTriedOnLargerOperators) {
  device_.kernel_behaviour["third"].microseconds = 10'000;
  tune_on(store_, graph_of({64, 16, 128, 32}));
  EXPECT_EQ(std::ranges::count(device_.compiled, "third"), 2);
  EXPECT_EQ(std::ranges::count(device_.compiled, "other"), 4);
}

TEST_F(Tuning, ChoicesSurviveTheProcess) {
  device_.kernel_behaviour["other"].microseconds = 50;
  const auto graph = graph_of({16});
  tune_on(store_, graph);
  DeviceCache later(PhysicalDevice{}, options());
  EXPECT_EQ(TuningStore(later, Capabilities{}).choice(signature(graph)), "other");

  Capabilities masked;
  masked.integer_dot_product = true;
  EXPECT_TRUE(TuningStore(later, masked).is_empty()) << "another device, as far as kernels go";
  PhysicalDevice updated;
  updated.description.driver_version = 2;
  DeviceCache updated_cache(updated, options());
  EXPECT_TRUE(TuningStore(updated_cache, Capabilities{}).is_empty());
}

TEST_F(Tuning, WhatTwoProcessesFindBothStays) {
  DeviceCache other_cache(PhysicalDevice{}, options());
  TuningStore other_store(other_cache, Capabilities{});
  store_.record("a", "usual");
  other_store.record("b", "other");
  store_.record("c", "third");
  DeviceCache later(PhysicalDevice{}, options());
  const TuningStore all(later, Capabilities{});
  EXPECT_EQ(all.choice("a"), "usual");
  EXPECT_EQ(all.choice("b"), "other");
  EXPECT_EQ(all.choice("c"), "third");
}

TEST_F(Tuning, AFolderThatCannotBeWrittenIsOneWarning) {
  DeviceOptions unwritable = options();
  unwritable.cache_dir = "/proc/nowhere";
  DeviceCache cache(PhysicalDevice{}, unwritable);
  TuningStore store(cache, Capabilities{});
  store.record("a", "usual");
  store.record("b", "usual");
  EXPECT_EQ(store.choice("b"), "usual");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("/proc/nowhere")));
}

TEST(OperatorSignature, HoldsWhatDecidesTheTimeAndNothingElse) {
  const auto plain = graph_of({16});
  const auto changed = [&](auto change) {
    graph::LoweredGraph graph = plain;
    change(std::get<graph::LoweredConvolution>(graph.operators[0].operation));
    return signature(graph);
  };
  std::set<std::string> different{signature(plain)};
  EXPECT_TRUE(different.insert(changed([](auto& op) { op.window.kernel_width = 3; })).second);
  EXPECT_TRUE(different.insert(changed([](auto& op) { op.window.stride_height = 2; })).second);
  EXPECT_TRUE(different.insert(changed([](auto& op) { op.window.padding_left = 1; })).second);
  EXPECT_TRUE(different.insert(changed([](auto& op) { op.groups = 2; })).second);
  EXPECT_TRUE(different.insert(changed([](auto& op) { op.weights_zero_points[3] = 1; })).second);
  EXPECT_TRUE(different.insert(changed([](auto& op) { op.output_extent.height = 7; })).second);
  EXPECT_TRUE(different
                  .insert(changed([](auto& op) {
                    op.output_stage.rounding = numerics::Rounding::kFloat32TiesEven;
                  }))
                  .second);
  EXPECT_TRUE(
      different.insert(changed([](auto& op) { op.output_stage.stores_accumulators = true; }))
          .second);
  EXPECT_EQ(changed([](auto& op) { op.weights[0] = 7; }), signature(plain));
  EXPECT_EQ(changed([](auto& op) { op.input_zero_point = 7; }), signature(plain));
  // As after a fused table that makes uint8 values of int8 ones.
  auto unsigned_output = plain;
  unsigned_output.tensors[1].type = graph::DataType::kUint8;
  EXPECT_EQ(signature(unsigned_output), signature(plain));
  auto accumulators = plain;
  accumulators.tensors[1].type = graph::DataType::kInt32;
  EXPECT_TRUE(different.insert(signature(accumulators)).second);
  for (const std::string& text : different) {
    EXPECT_THAT(text, Not(Contains('\n')));
    EXPECT_THAT(text, Not(Contains('\t')));
  }
}

}  // namespace
}  // namespace lockstep::backend::vulkan
