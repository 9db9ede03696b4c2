// The program starts itself as the worker of devices that misbehave.
#include "conformance/minimiser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string_view>
#include <thread>
#include <variant>

#include "backend/registry.h"
#include "conformance/case_folder.h"
#include "conformance/failure_folder.h"
#include "conformance/replay_process.h"
#include "conformance/runner.h"
#include "conformance/testing/double_device.h"
#include "conformance/testing/simple_cases.h"
#include "graph/graph_builder.h"
#include "graph/testing/sample_graphs.h"

namespace lockstep::conformance {
namespace {

using graph::DataType;
using graph::GraphBuilder;
using graph::per_axis;
using graph::per_tensor;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto kContract = numerics::Contract::kTflite;
constexpr std::string_view kReplayWorker = "--replay-worker";

using Outputs = std::span<const std::span<std::byte>>;
using Inputs = std::span<const std::span<const std::byte>>;
using Misbehaviour = void (*)(const graph::LoweredGraph&, Inputs, Outputs);

// Calls `spoil` for every convolution that stores 8-bit outputs.
template <typename Spoil>
void for_each_convolution(const graph::LoweredGraph& graph, Outputs outputs, Spoil spoil) {
  for (const graph::LoweredOperator& op : graph.operators) {
    const auto* convolution = std::get_if<graph::LoweredConvolution>(&op.operation);
    if (convolution == nullptr || convolution->output_stage.stores_accumulators) continue;
    for (size_t i = 0; i < graph.outputs.size(); ++i) {
      if (graph.outputs[i] == convolution->output) spoil(*convolution, outputs[i]);
    }
  }
}

// Wrong in output channel 5 where K > 20 and the stride is 2.
void spoil_channel_5(const graph::LoweredGraph& graph, Inputs, Outputs outputs) {
  for_each_convolution(
      graph, outputs,
      [](const graph::LoweredConvolution& convolution, std::span<std::byte> output) {
        const auto channels = static_cast<size_t>(convolution.output_extent.channels);
        const size_t k = convolution.weights.size() / channels;
        if (k <= 20 || convolution.window.stride_height != 2 || channels <= 5) return;
        for (size_t i = 5; i < output.size(); i += channels) output[i] ^= std::byte{1};
      });
}

void spoil_means(const graph::LoweredGraph& graph, Inputs, Outputs outputs) {
  for (const graph::LoweredOperator& op : graph.operators) {
    const auto* mean = std::get_if<graph::LoweredMean>(&op.operation);
    if (mean == nullptr) continue;
    for (size_t i = 0; i < graph.outputs.size(); ++i) {
      if (graph.outputs[i] == mean->output) outputs[i][0] ^= std::byte{1};
    }
  }
}

void crash_on_large_weights(const graph::LoweredGraph& graph, Inputs, Outputs outputs) {
  for_each_convolution(
      graph, outputs, [](const graph::LoweredConvolution& convolution, std::span<std::byte>) {
        if (std::ranges::any_of(convolution.weights, [](int8_t weight) { return weight >= 14; })) {
          testing::crash();
        }
      });
}

void hang_on_five_elements(const graph::LoweredGraph&, Inputs inputs, Outputs) {
  if (inputs[0].size() >= 5) std::this_thread::sleep_for(std::chrono::hours(1));
}

class MisbehavingDevice final : public testing::DoubleDevice {
 public:
  MisbehavingDevice(const std::string& name, Misbehaviour misbehave)
      : DoubleDevice(testing::describe_double(name)), misbehave_(misbehave) {}

  Status after_run(const graph::LoweredGraph& graph, const backend::CompileOptions&, Inputs inputs,
                   Outputs outputs) override {
    misbehave_(graph, inputs, outputs);
    return {};
  }

 private:
  Misbehaviour misbehave_;
};

void register_backends() {
  for (const auto& [name, misbehave] :
       {std::pair<std::string, Misbehaviour>{"channel-5", &spoil_channel_5},
        {"wrong-mean", &spoil_means},
        {"crashing", &crash_on_large_weights},
        {"hanging", &hang_on_five_elements}}) {
    const Status status = backend::register_backend(
        {name,
         [name] {
           return Result<std::vector<backend::DeviceDescription>>({testing::describe_double(name)});
         },
         [name, misbehave](size_t, const backend::DeviceOptions& options)
             -> Result<std::shared_ptr<backend::Device>> {
           if (!options.mask.empty()) return make_error(ErrorCode::kInvalidArgument, "no masks");
           return std::make_shared<MisbehavingDevice>(name, misbehave);
         }});
    if (!status) std::abort();
  }
}

// As child_process_tester(), but in this process: for subjects that survive.
CaseTester in_process_tester(const std::string& selector) {
  const std::shared_ptr<Subject> subject = open_subject(selector).value();
  return [subject](std::span<const Case> cases) -> Result<std::vector<std::optional<RunResult>>> {
    std::vector<std::optional<RunResult>> outcomes(cases.size());
    for (size_t i = 0; i < cases.size(); ++i) {
      RunOptions options;
      options.contracts = {kContract};
      options.default_configuration_only = true;
      run_case(cases[i], *subject, options, nullptr, {},
               {.begin = [](const RunKey&) {},
                .end =
                    [&](const RunResult& result) {
                      if (result.verdict == Verdict::kFail) outcomes[i] = result;
                    }});
    }
    return outcomes;
  };
}

// K = 30, 9 output channels, stride 2, and everything else as intricate as it can be.
Case wide_convolution() {
  GraphBuilder builder("wide");
  const int32_t input = builder.input("x", DataType::kInt8, {2, 5, 4, 30}, per_tensor(0.3f, 7));
  std::vector<int8_t> weights(9 * 30);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<int8_t>(i % 120);
  std::vector<float> scales;
  for (int32_t i = 0; i < 9; ++i) scales.push_back(0.01f * static_cast<float>(i + 1));
  const int32_t w = builder.constant<int8_t>("w", {9, 1, 1, 30}, weights, per_axis(scales, 0));
  const int32_t b =
      builder.constant<int32_t>("b", {9}, {1, 2, 3, 4, 5, 6, 7, 8, 9}, per_tensor(0.003f));
  const int32_t output = builder.conv_2d(
      input, w, b, per_tensor(0.7f, -3),
      {.stride_height = 2, .stride_width = 2, .activation = graph::Activation::kRelu6});
  Case result;
  result.name = "conv_2d/wide";
  result.family = "conv_2d";
  result.graph = builder.build({output}).value();
  result.inputs.emplace_back(2 * 5 * 4 * 30, std::byte{11});
  return result;
}

TEST(Minimiser, ReachesTheSmallestConvolution) {
  MinimiserOptions options;
  int64_t reports = 0;
  CaseMeasure last = measure_case(wide_convolution());
  options.on_progress = [&](const MinimiserProgress& progress) {
    ++reports;
    EXPECT_LE(progress.measure, last);
    last = progress.measure;
  };
  const auto minimised =
      minimise(wide_convolution(), kContract, in_process_tester("channel-5"), options);
  ASSERT_TRUE(minimised) << minimised.error().message;
  EXPECT_THAT(minimised->stopped, IsEmpty());
  EXPECT_GT(reports, 10);
  const graph::Graph& graph = minimised->smallest.graph;
  ASSERT_EQ(graph.operators.size(), 1u);
  EXPECT_EQ(graph.tensors[0].shape, (graph::Shape{1, 1, 1, 21}));
  EXPECT_EQ(graph.tensors[1].shape, (graph::Shape{6, 1, 1, 21}));
  EXPECT_EQ(graph.tensors[2].shape, (graph::Shape{6}));
  EXPECT_EQ(std::get<graph::Conv2dAttributes>(graph.operators[0].attributes),
            (graph::Conv2dAttributes{.padding = graph::Padding::kValid, .stride_height = 2}));
  for (const graph::Tensor& tensor : graph.tensors) {
    EXPECT_THAT(tensor.quantization.zero_points, Each(0)) << tensor.name;
    ASSERT_EQ(tensor.quantization.scales.size(), 1u) << tensor.name;
    EXPECT_TRUE(is_power_of_two(tensor.quantization.scales[0])) << tensor.name;
    EXPECT_THAT(tensor.data, Each(std::byte{0})) << tensor.name;
  }
  EXPECT_THAT(minimised->smallest.inputs[0], Each(std::byte{0}));
  ASSERT_TRUE(minimised->failure.difference);
  EXPECT_EQ(minimised->failure.difference->first, 5);
}

TEST(Minimiser, CutsANetworkDownToTheFailingOperator) {
  Case source;
  source.name = "network";
  source.family = "network";
  source.graph = graph::testing::sample_network();
  source.graph.outputs.clear();
  for (const graph::Operator& op : source.graph.operators) {
    source.graph.outputs.push_back(op.outputs[0]);
  }
  for (const int32_t input : source.graph.inputs) {
    const auto& tensor = source.graph.tensors[static_cast<size_t>(input)];
    source.inputs.emplace_back(static_cast<size_t>(graph::element_count(tensor.shape).value()),
                               std::byte{9});
  }
  const auto minimised =
      minimise(source, kContract, in_process_tester("wrong-mean"), MinimiserOptions{});
  ASSERT_TRUE(minimised) << minimised.error().message;
  const graph::Graph& graph = minimised->smallest.graph;
  ASSERT_EQ(graph.operators.size(), 1u);
  EXPECT_EQ(graph.operators[0].name, "MEAN");
  EXPECT_THAT(minimised->smallest.inputs[0], ::testing::SizeIs(1));
}

TEST(Minimiser, GivesTheSmallestFoundWhenTheBudgetRunsOut) {
  MinimiserOptions options;
  options.maximum_candidates = 12;
  const auto minimised =
      minimise(wide_convolution(), kContract, in_process_tester("channel-5"), options);
  ASSERT_TRUE(minimised);
  EXPECT_LE(minimised->progress.candidates, 12);
  EXPECT_GT(minimised->progress.accepted, 0);
  EXPECT_LT(measure_case(minimised->smallest), measure_case(wide_convolution()));
  EXPECT_THAT(minimised->stopped, HasSubstr("12 candidates"));

  options = {};
  options.maximum_time = std::chrono::milliseconds(0);
  const auto at_once =
      minimise(wide_convolution(), kContract, in_process_tester("channel-5"), options);
  ASSERT_TRUE(at_once);
  EXPECT_EQ(at_once->progress.accepted, 0);
  EXPECT_EQ(measure_case(at_once->smallest), measure_case(wide_convolution()));
}

TEST(Minimiser, KeepsWhatItHasWhenTheTesterBreaks) {
  const CaseTester working = in_process_tester("channel-5");
  int32_t calls = 0;
  const CaseTester breaking =
      [&](std::span<const Case> cases) -> Result<std::vector<std::optional<RunResult>>> {
    if (++calls > 10) return make_error(ErrorCode::kDeviceUnavailable, "it was unplugged");
    return working(cases);
  };
  const auto minimised = minimise(wide_convolution(), kContract, breaking, MinimiserOptions{});
  ASSERT_TRUE(minimised);
  EXPECT_GT(minimised->progress.accepted, 0);
  EXPECT_EQ(minimised->stopped, "it was unplugged");
  EXPECT_TRUE(working(std::span(&minimised->smallest, 1)).value()[0]);
}

TEST(Minimiser, RefusesACaseThatDoesNotFail) {
  const auto minimised = minimise(testing::relu_case("relu/good"), kContract,
                                  in_process_tester("channel-5"), MinimiserOptions{});
  ASSERT_FALSE(minimised);
  EXPECT_EQ(minimised.error().code, ErrorCode::kInvalidArgument);
}

class MinimiserOfProcesses : public ::testing::Test {
 protected:
  static ConformanceOptions options(const std::string& selector) {
    ConformanceOptions options;
    options.selector = selector;
    options.program = std::filesystem::read_symlink("/proc/self/exe");
    options.run_timeout = std::chrono::seconds(20);
    options.run.repetitions = 1;
    return options;
  }

  static RunResult failure(Verdict verdict) {
    RunResult result;
    result.verdict = verdict;
    result.contract = kContract;
    result.configuration = "kernel=double";  // that "default" comes down to
    return result;
  }
};

TEST_F(MinimiserOfProcesses, ShrinksWrongResults) {
  MinimiserOptions budget;
  budget.maximum_candidates = 60;
  const auto minimised =
      minimise(wide_convolution(), kContract,
               child_process_tester(options("channel-5"), failure(Verdict::kFail)), budget);
  ASSERT_TRUE(minimised) << minimised.error().message;
  EXPECT_EQ(minimised->smallest.name, "conv_2d/wide");
  EXPECT_EQ(minimised->failure.case_name, "conv_2d/wide");
  EXPECT_EQ(minimised->failure.configuration, "kernel=double");
  EXPECT_EQ(minimised->smallest.graph.tensors[0].shape, (graph::Shape{1, 1, 1, 21}));
}

TEST_F(MinimiserOfProcesses, ShrinksCrashesToOneWeight) {
  const Case source = testing::convolution_case("conv_2d/crash");
  const auto minimised = minimise(
      source, kContract, child_process_tester(options("crashing"), failure(Verdict::kCrash)), {});
  ASSERT_TRUE(minimised) << minimised.error().message;
  EXPECT_THAT(minimised->stopped, IsEmpty());
  const graph::Graph& graph = minimised->smallest.graph;
  EXPECT_EQ(graph::constant_values<int8_t>(graph.tensors[1]), std::vector<int8_t>{14});
  EXPECT_EQ(minimised->failure.verdict, Verdict::kCrash);
}

TEST_F(MinimiserOfProcesses, ShrinksHangs) {
  GraphBuilder builder("relu");
  const int32_t x = builder.input("x", DataType::kInt8, {1, 8}, per_tensor(0.5f));
  Case source;
  source.name = "relu/hang";
  source.family = "relu";
  source.graph =
      builder.build({builder.unary(graph::UnaryKind::kRelu, x, per_tensor(0.5f))}).value();
  source.inputs.emplace_back(8, std::byte{0});
  ConformanceOptions hanging = options("hanging");
  hanging.run_timeout = std::chrono::milliseconds(500);
  const auto minimised =
      minimise(source, kContract, child_process_tester(hanging, failure(Verdict::kTimeout)), {});
  ASSERT_TRUE(minimised) << minimised.error().message;
  EXPECT_THAT(minimised->smallest.inputs[0], ::testing::SizeIs(5));
}

TEST_F(MinimiserOfProcesses, AnotherVerdictIsAnotherFailure) {
  const auto minimised =
      minimise(wide_convolution(), kContract,
               child_process_tester(options("channel-5"), failure(Verdict::kCrash)), {});
  ASSERT_FALSE(minimised);
  EXPECT_EQ(minimised.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(MinimiserOfProcesses, WritesAFolderWithAReport) {
  const std::filesystem::path path = ::testing::TempDir() + "lockstep-failure-folder-test";
  std::filesystem::remove_all(path);
  MinimisedCase minimised;
  minimised.smallest = wide_convolution();
  minimised.failure = failure(Verdict::kFail);
  ReplayProcessOptions replay;
  replay.program = std::filesystem::read_symlink("/proc/self/exe");
  replay.arguments = {std::string(kReplayWorker)};
  replay.selector = "channel-5";
  SubjectDescription subject;
  subject.device = testing::describe_double("channel-5");
  const Status status = write_failure_folder(path, minimised, subject, replay);
  EXPECT_TRUE(status) << status.error().message;
  EXPECT_TRUE(std::filesystem::exists(path / "REPORT.md"));
  const auto read = read_case_folder(path);
  EXPECT_TRUE(read && read->expected.size() == 4 &&
              read->failure->configuration == "kernel=double");

  replay.selector = "ref";
  std::filesystem::remove_all(path);
  EXPECT_FALSE(write_failure_folder(path, minimised, subject, replay)) << "it does not fail there";
  EXPECT_TRUE(read_case_folder(path)) << "but the case is there";
  std::filesystem::remove_all(path);
}

class ReplayOfProcesses : public ::testing::Test {
 protected:
  ReplayOfProcesses() : folder_(::testing::TempDir() + "lockstep-replay-test") {
    std::filesystem::remove_all(folder_);
  }
  ~ReplayOfProcesses() override { std::filesystem::remove_all(folder_); }

  Result<Replay> replay(const Case& source, const std::string& selector,
                        std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
    const auto folder = make_case_folder(source, numerics::kAllContracts);
    if (!folder) return tl::unexpected(folder.error());
    if (Status status = write_case_folder(folder_, *folder); !status) {
      return tl::unexpected(status.error());
    }
    ReplayProcessOptions options;
    options.program = std::filesystem::read_symlink("/proc/self/exe");
    options.arguments = {std::string(kReplayWorker)};
    options.selector = selector;
    options.run_timeout = timeout;
    options.replay.contracts = {numerics::Contract::kTflite, numerics::Contract::kLitert};
    return replay_in_process(folder_, options);
  }

  std::filesystem::path folder_;
};

TEST_F(ReplayOfProcesses, PassesOnTheReference) {
  const auto replayed = replay(wide_convolution(), "ref");
  ASSERT_TRUE(replayed) << replayed.error().message;
  ASSERT_EQ(replayed->runs.size(), 2u);
  EXPECT_TRUE(replayed->is_success());
  EXPECT_EQ(replayed->subject.device.backend, "ref");
}

TEST_F(ReplayOfProcesses, ShowsExpectedAndActualElements) {
  const auto replayed = replay(wide_convolution(), "channel-5");
  ASSERT_TRUE(replayed) << replayed.error().message;
  EXPECT_FALSE(replayed->is_success());
  ASSERT_EQ(replayed->runs.size(), 2u);
  const ReplayedRun& run = replayed->runs[0];
  EXPECT_EQ(run.verdict, Verdict::kFail);
  EXPECT_EQ(run.kernels, "double");
  ASSERT_EQ(run.differences.size(), 1u);
  EXPECT_EQ(run.differences[0].differing, 2 * 3 * 2) << "channel 5 of every position";
  ASSERT_EQ(run.differences[0].elements.size(), 12u);
  EXPECT_EQ(run.differences[0].elements[1].index, 5 + 9);
  for (const ElementDifference& element : run.differences[0].elements) {
    EXPECT_EQ(element.expected ^ 1, element.actual);
  }
}

TEST_F(ReplayOfProcesses, ACrashIsAVerdictAndTheNextRunFollows) {
  const auto replayed = replay(testing::convolution_case("conv_2d/crash"), "crashing");
  ASSERT_TRUE(replayed) << replayed.error().message;
  ASSERT_EQ(replayed->runs.size(), 2u);
  for (const ReplayedRun& run : replayed->runs) {
    EXPECT_EQ(run.verdict, Verdict::kCrash);
    EXPECT_THAT(run.reason, HasSubstr("signal 11"));
  }
  EXPECT_NE(replayed->runs[0].key, replayed->runs[1].key);
}

TEST_F(ReplayOfProcesses, AHangIsAVerdict) {
  const auto replayed =
      replay(testing::relu_case("relu/hang"), "hanging", std::chrono::milliseconds(500));
  ASSERT_TRUE(replayed) << replayed.error().message;
  ASSERT_EQ(replayed->runs.size(), 2u);
  EXPECT_EQ(replayed->runs[0].verdict, Verdict::kTimeout);
}

TEST_F(ReplayOfProcesses, TellsWhyThereIsNone) {
  const auto no_device = replay(testing::relu_case("relu/good"), "no such device");
  ASSERT_FALSE(no_device);
  EXPECT_THAT(no_device.error().message, HasSubstr("no such device"));
}

}  // namespace

int run_minimiser_test(int argc, char** argv) {
  // None of the devices here is a driver's, and looking for those takes longer than the tests.
  for (const char* name : {"VK_DRIVER_FILES", "VK_ICD_FILENAMES"}) ::setenv(name, "/dev/null", 1);
  register_backends();
  if (argc == 3 && argv[1] == kWorkerArgument) {
    const auto served = serve_worker_arguments(argv[2]);
    if (!served) std::fprintf(stderr, "%s\n", served.error().message.c_str());
    return served ? *served : 1;
  }
  if (argc == 3 && argv[1] == kReplayWorker) return serve_replay(argv[2]);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

}  // namespace lockstep::conformance

int main(int argc, char** argv) { return lockstep::conformance::run_minimiser_test(argc, argv); }
