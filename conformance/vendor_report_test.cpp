#include "conformance/vendor_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "conformance/testing/simple_cases.h"
#include "graph/testing/sample_graphs.h"

namespace lockstep::conformance {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Gives host_ref's tensors with some elements changed, in two configurations.
class WrongSubject final : public Subject {
 public:
  WrongSubject() {
    description_.selector = "0";
    description_.device.name = "GPU <1>";
    description_.device.driver = "driver 1.2.3";
    description_.device.vendor_id = 0x13b5;
    description_.device.driver_uuid = "00ff";
    description_.shaders = {{"convolution", "feedface"}, {"other", "0"}};
  }
  const SubjectDescription& description() const override { return description_; }
  Result<std::vector<ConfigurationGroup>> configurations(const LoweredCase&) override {
    return std::vector<ConfigurationGroup>{{{}, {{"", "convolution"}}}, {{"int8", ""}, {}}};
  }
  Result<std::vector<Observation>> run(const LoweredCase& lowered,
                                       const Configuration& configuration,
                                       int32_t repetitions) override {
    Observation observation{compute_reference(lowered)->outputs, "convolution"};
    if (configuration.mask.empty()) {
      observation.outputs[0][2] ^= std::byte{4};
      observation.outputs[0][7] ^= std::byte{4};
    }
    return std::vector<Observation>(static_cast<size_t>(repetitions), observation);
  }

 private:
  SubjectDescription description_;
};

Replay replay_of(const CaseFolder& folder, Subject& subject) {
  Replay replay{.subject = subject.description(), .runs = {}};
  replay_case(folder, subject, {}, {},
              {.begin = [](const RunKey&) {},
               .end = [&](const ReplayedRun& run) { replay.runs.push_back(run); }});
  return replay;
}

class VendorReport : public ::testing::Test {
 protected:
  VendorReport()
      : folder_(make_case_folder(testing::convolution_case("conv_2d/report"),
                                 std::array{numerics::Contract::kTflite})
                    .value()),
        replay_(replay_of(folder_, subject_)) {}

  WrongSubject subject_;
  CaseFolder folder_;
  Replay replay_;
};

TEST_F(VendorReport, TellsAllThatADriverDeveloperNeeds) {
  const auto report = vendor_report(folder_, replay_);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(*report, AllOf(HasSubstr("GPU \\<1\\>"), HasSubstr("driver 1.2.3"),
                             HasSubstr("0x13b5"), HasSubstr("00ff")));
  EXPECT_THAT(*report, AllOf(HasSubstr("CONV_2D: int8 1x3x3x2 -> int8 1x3x3x3"),
                             HasSubstr("accumulator[o] = bias[o] + sum"),
                             HasSubstr("kernel 2x2, stride 1x1"), HasSubstr("bias: 100, -50, 7"),
                             HasSubstr("(multiplier, shift) by output channel: (1073741824, -3)")));
  EXPECT_THAT(*report, AllOf(HasSubstr("SPIR-V, XXH3-128: `feedface`"), Not(HasSubstr("`other`"))));
  EXPECT_THAT(*report, AllOf(HasSubstr("| tflite | default; kernel=convolution | FAIL |"),
                             HasSubstr("| tflite | mask=int8 | PASS |")));
  EXPECT_THAT(*report, HasSubstr("lockstep conform replay"));
  const auto expected = static_cast<int>(folder_.expected[0].outputs[0].bytes[7]);
  const auto as_int8 = [](int value) { return static_cast<int8_t>(value); };
  EXPECT_THAT(*report, HasSubstr(fmt::format("| 7 | [0, 0, 2, 1] | {} | {} |", as_int8(expected),
                                             as_int8(expected ^ 4))));
}

TEST_F(VendorReport, ThereIsNoneWhereNothingFails) {
  std::erase_if(replay_.runs, [](const ReplayedRun& run) { return run.verdict != Verdict::kPass; });
  ASSERT_EQ(replay_.runs.size(), 1u);
  EXPECT_FALSE(vendor_report(folder_, replay_));
}

// Every kind of operator has its formula.
TEST_F(VendorReport, DescribesEveryOperator) {
  int32_t reports = 0;
  for (graph::Graph& graph : graph::testing::sample_graphs()) {
    Case source{
        .name = graph.name, .family = "sample", .graph = graph, .inputs = {}, .coverage = {}};
    for (const int32_t input : graph.inputs) {
      const auto& tensor = graph.tensors[static_cast<size_t>(input)];
      source.inputs.emplace_back(static_cast<size_t>(graph::element_count(tensor.shape).value()) *
                                 graph::data_type_size(tensor.type));
    }
    const auto folder = make_case_folder(source, numerics::kAllContracts);
    if (!folder) continue;
    Replay replay{.subject = subject_.description(), .runs = {}};
    for (const ExpectedTensors& expected : folder->expected) {
      ReplayedRun run;
      run.key = {expected.contract, "default"};
      run.verdict = Verdict::kCrash;
      run.reason = "signal 11";
      replay.runs = {run};
      const auto report = vendor_report(*folder, replay);
      ASSERT_TRUE(report) << graph.name;
      EXPECT_THAT(*report, HasSubstr(graph.operators[0].name + ": ")) << graph.name;
      ++reports;
    }
  }
  EXPECT_GT(reports, 50);
}

TEST(CaseReplay, SurvivesJson) {
  ReplayedRun run;
  run.key = {numerics::Contract::kSingle, "mask=int8"};
  run.equivalent_configurations = {"mask=all"};
  run.verdict = Verdict::kFail;
  run.reason = "wrong";
  run.kernels = "a,b";
  run.differences = {{.name = "y",
                      .type = graph::DataType::kInt32,
                      .shape = {1, 2},
                      .differing = 2,
                      .elements = {{0, -1, 5}, {1, 2147483647, -2147483648LL}}}};
  const auto read = replayed_run_from_json(to_json(run));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, run);
  auto broken = to_json(run);
  broken["differences"][0]["type"] = "int3";
  EXPECT_FALSE(replayed_run_from_json(broken));
}

TEST(CaseReplay, NothingRunIsNoSuccess) {
  Replay replay;
  EXPECT_FALSE(replay.is_success());
  replay.runs.emplace_back();
  EXPECT_EQ(replay.runs[0].verdict, Verdict::kNotSupported);
  EXPECT_FALSE(replay.is_success());
  replay.runs.emplace_back().verdict = Verdict::kPass;
  EXPECT_TRUE(replay.is_success());
  replay.runs.emplace_back().verdict = Verdict::kTimeout;
  EXPECT_FALSE(replay.is_success());
}

}  // namespace
}  // namespace lockstep::conformance
