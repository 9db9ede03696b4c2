#include "conformance/in_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/testing/sample_graphs.h"

namespace lockstep::conformance {
namespace {

using ::testing::ElementsAre;

// Three cases without inputs' contents of interest, and what `ref` computes of them.
Suite small_suite() {
  Suite suite;
  for (const char* name : {"net/a", "net/b", "net/c"}) {
    Case source;
    source.name = name;
    source.family = "net";
    source.graph = graph::testing::sample_network();
    for (const int32_t input : source.graph.inputs) {
      const graph::Tensor& tensor = source.graph.tensors[static_cast<size_t>(input)];
      source.inputs.emplace_back(static_cast<size_t>(*graph::element_count(tensor.shape)) *
                                 graph::data_type_size(tensor.type));
    }
    suite.cases.push_back(std::move(source));
  }
  return suite;
}

InProcessOptions options_for(std::string selector) {
  InProcessOptions options;
  options.selector = std::move(selector);
  options.run.contracts = {numerics::Contract::kTflite};
  options.run.repetitions = 1;
  return options;
}

// A record that no run agrees with.
RecordedCase wrong_record() {
  RecordedExpectation wrong;
  wrong.digests.outputs.bytes.fill(1);
  return {{numerics::Contract::kTflite, wrong}};
}

TEST(InProcess, RunsTheGivenCasesInOrder) {
  const Suite suite = small_suite();
  std::vector<std::string> names;
  Progress last;
  const size_t indices[] = {2, 0};
  const auto subject = run_in_process(
      suite, indices, options_for("ref"),
      [&](const RunResult& result) {
        EXPECT_EQ(result.verdict, Verdict::kPass) << result.reason;
        names.push_back(result.case_name);
      },
      [&](const Progress& progress) { last = progress; });
  ASSERT_TRUE(subject) << subject.error().message;
  EXPECT_EQ(subject->selector, "ref");
  EXPECT_THAT(names, ElementsAre("net/c", "net/a"));
  EXPECT_EQ(last.cases, 2u);
  EXPECT_EQ(last.cases_done, 2u);
  EXPECT_EQ(last.runs, 2u);
  EXPECT_EQ(last.failures, 0u);
  EXPECT_EQ(last.current, "net/a");
}

TEST(InProcess, StopsAtTheFirstFailureOnlyWhenAsked) {
  Suite suite = small_suite();
  suite.recorded["net/b"] = wrong_record();
  InProcessOptions options = options_for("ref");
  options.run.check_reference = false;
  const size_t indices[] = {0, 1, 2};
  for (const bool fail_fast : {false, true}) {
    options.fail_fast = fail_fast;
    std::vector<Verdict> verdicts;
    Progress last;
    const auto subject = run_in_process(
        suite, indices, options,
        [&](const RunResult& result) { verdicts.push_back(result.verdict); },
        [&](const Progress& progress) { last = progress; });
    ASSERT_TRUE(subject) << subject.error().message;
    EXPECT_EQ(last.failures, 1u);
    if (fail_fast) {
      EXPECT_THAT(verdicts, ElementsAre(Verdict::kPass, Verdict::kFail));
    } else {
      EXPECT_THAT(verdicts, ElementsAre(Verdict::kPass, Verdict::kFail, Verdict::kPass));
    }
  }
}

TEST(InProcess, TellsThatThereIsNoSuchDevice) {
  const auto subject = run_in_process(
      small_suite(), {}, options_for("no such device"), [](const RunResult&) {},
      [](const Progress&) {});
  ASSERT_FALSE(subject);
  EXPECT_EQ(subject.error().code, ErrorCode::kDeviceUnavailable);
}

}  // namespace
}  // namespace lockstep::conformance
