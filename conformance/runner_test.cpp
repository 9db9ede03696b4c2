#include "conformance/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <map>

#include "conformance/contract_turns.h"
#include "conformance/testing/simple_cases.h"

namespace lockstep::conformance {
namespace {

using numerics::Contract;
using ::testing::_;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

// Computes with host_ref; a test decides what is wrong with it.
class TestSubject final : public Subject {
 public:
  const SubjectDescription& description() const override { return description_; }

  Result<std::vector<ConfigurationGroup>> configurations(const LoweredCase& lowered) override {
    if (!refusal.empty()) return make_error(ErrorCode::kUnsupported, "{}", refusal);
    auto offered = groups;
    if (only_contract && lowered.contract != *only_contract) offered.resize(1);
    return offered;
  }

  Result<std::vector<Observation>> run(const LoweredCase& lowered,
                                       const Configuration& configuration,
                                       int32_t repetitions) override {
    ran.push_back(configuration.name());
    if (error) return tl::unexpected(*error);
    std::vector<Observation> observations;
    for (int32_t i = 0; i < repetitions; ++i) {
      observations.push_back({compute_reference(lowered)->outputs, "kernel"});
    }
    change(observations);
    return observations;
  }

  std::string refusal;
  std::optional<Error> error;
  std::vector<ConfigurationGroup> groups = {{{}, {}}};
  std::optional<Contract> only_contract;  // gives all groups, others the first one
  std::function<void(std::vector<Observation>&)> change = [](auto&) {};
  std::vector<std::string> ran;

 private:
  SubjectDescription description_;
};

class Runner : public ::testing::Test {
 protected:
  Runner() { options_.contracts = {Contract::kTflite}; }

  std::vector<RunResult> run(const RecordedCase* recorded = nullptr,
                             std::vector<RunKey> judged = {}) {
    std::vector<RunResult> results;
    begun_.clear();
    run_case(source_, subject_, options_, recorded, judged,
             {.begin = [&](const RunKey& key) { begun_.push_back(key.configuration); },
              .end = [&](RunResult result) { results.push_back(std::move(result)); }});
    return results;
  }
  RunResult run_once(const RecordedCase* recorded = nullptr) {
    auto results = run(recorded);
    EXPECT_EQ(results.size(), 1u);
    return results.at(0);
  }

  RecordedCase record(const Case& source) {
    RecordedCase recorded;
    for (const Contract contract : numerics::kAllContracts) {
      recorded[contract].digests = compute_reference(*lower_case(source, contract))->expectation;
    }
    return recorded;
  }

  Case source_ = testing::convolution_case("conv_2d/test");
  TestSubject subject_;
  RunOptions options_;
  std::vector<std::string> begun_;
};

TEST_F(Runner, PassesEqualBitsUnderEveryContract) {
  options_.contracts.assign(numerics::kAllContracts.begin(), numerics::kAllContracts.end());
  const auto results = run();
  ASSERT_EQ(results.size(), 4u);
  for (const RunResult& result : results) {
    EXPECT_EQ(result.verdict, Verdict::kPass) << result.reason;
    EXPECT_EQ(result.case_name, "conv_2d/test");
    EXPECT_EQ(result.repetitions, 2);
    EXPECT_EQ(result.kernels, "kernel");
    EXPECT_FALSE(result.accumulators.is_empty());
    EXPECT_EQ(result.outputs, result.expected_outputs);
  }
  EXPECT_EQ(results[2].contract, Contract::kReference);
}

TEST_F(Runner, AccumulatorsAreThoseOfTheConvolution) {
  const auto lowered = lower_case(source_, Contract::kTflite);
  ASSERT_TRUE(lowered) << lowered.error().message;
  EXPECT_EQ(lowered->output_count, 1u);
  ASSERT_EQ(lowered->graph.outputs.size(), 2u);
  const auto reference = compute_reference(*lowered);
  ASSERT_TRUE(reference) << reference.error().message;
  // Output (0, 0), channel 0: bias 100 + sum (x + 1) * w over the first window.
  int32_t expected = 100;
  const int8_t weights[] = {1, -2, 3, -4, 5, -6, 7, -8};
  const size_t taps[] = {0, 1, 2, 3, 6, 7, 8, 9};
  for (size_t i = 0; i < 8; ++i) {
    expected += (static_cast<int8_t>(source_.inputs[0][taps[i]]) + 1) * weights[i];
  }
  int32_t accumulator = 0;
  std::memcpy(&accumulator, reference->outputs[1].data(), sizeof(accumulator));
  EXPECT_EQ(accumulator, expected);
}

TEST_F(Runner, ExplainsOtherOutputs) {
  subject_.change = [](auto& observations) {
    for (auto& observation : observations) {
      observation.outputs[0][4] ^= std::byte{2};
      observation.outputs[0][7] ^= std::byte{1};
    }
  };
  const RunResult result = run_once();
  EXPECT_EQ(result.verdict, Verdict::kFail);
  EXPECT_NE(result.outputs, result.expected_outputs);
  EXPECT_EQ(result.accumulators, result.expected_accumulators);
  ASSERT_TRUE(result.difference);
  EXPECT_EQ(result.difference->differing, 2);
  EXPECT_EQ(result.difference->first, 4);
  EXPECT_EQ(std::abs(result.difference->first_expected - result.difference->first_actual), 2);
  EXPECT_EQ(result.difference->largest, 2);
  EXPECT_THAT(result.difference->indices, ElementsAre(4, 7));
  EXPECT_EQ(result.difference->histogram[2] + result.difference->histogram[5], 1);
  EXPECT_EQ(result.difference->histogram[3] + result.difference->histogram[4], 1);
}

TEST_F(Runner, FailsOtherAccumulatorsBehindEqualOutputs) {
  subject_.change = [](auto& observations) {
    for (auto& observation : observations) observation.outputs[1][0] ^= std::byte{1};
  };
  const RunResult result = run_once();
  EXPECT_EQ(result.verdict, Verdict::kFail);
  EXPECT_EQ(result.outputs, result.expected_outputs);
  EXPECT_NE(result.accumulators, result.expected_accumulators);
  EXPECT_EQ(result.difference->type, graph::DataType::kInt32);
}

TEST_F(Runner, FailsAnyRepetition) {
  options_.repetitions = 3;
  subject_.change = [](auto& observations) { observations[2].outputs[0][0] ^= std::byte{1}; };
  const RunResult result = run_once();
  EXPECT_EQ(result.verdict, Verdict::kFail);
  EXPECT_THAT(result.reason, HasSubstr("repetition 3 of 3 gives other bits than others"));
  EXPECT_NE(result.outputs, result.expected_outputs);
}

TEST_F(Runner, TakesASubjectWithoutAccumulators) {
  subject_.change = [](auto& observations) {
    for (auto& observation : observations) observation.outputs.resize(1);
  };
  const RecordedCase recorded = record(source_);
  for (const RecordedCase* record : {static_cast<const RecordedCase*>(nullptr), &recorded}) {
    const RunResult result = run(record).back();
    EXPECT_EQ(result.verdict, Verdict::kPass) << result.reason;
    EXPECT_TRUE(result.accumulators.is_empty());
  }
}

TEST_F(Runner, FailsObservationsThatCannotBeCompared) {
  subject_.change = [](auto& observations) { observations.clear(); };
  EXPECT_EQ(run_once().verdict, Verdict::kFail);
  subject_.change = [](auto& observations) { observations.pop_back(); };
  EXPECT_EQ(run_once().verdict, Verdict::kFail);
  subject_.change = [](auto& observations) { observations[1].outputs.clear(); };
  EXPECT_EQ(run_once().verdict, Verdict::kFail);
  subject_.change = [](auto& observations) { observations[1].outputs[0].pop_back(); };
  EXPECT_EQ(run_once().verdict, Verdict::kFail);
  options_.repetitions = 0;
  subject_.change = [](auto&) {};
  EXPECT_EQ(run_once().verdict, Verdict::kFail) << "nothing was looked at";
}

TEST_F(Runner, TellsRefusalsFromFailures) {
  subject_.refusal = "not this operator";
  EXPECT_EQ(run_once().verdict, Verdict::kNotSupported);
  EXPECT_EQ(run_once().reason, "not this operator");
  subject_.refusal = "";
  subject_.error = Error{ErrorCode::kUnsupported, "not this size"};
  EXPECT_EQ(run_once().verdict, Verdict::kNotSupported);
  subject_.error = Error{ErrorCode::kOutOfMemory, "no memory"};
  EXPECT_EQ(run_once().verdict, Verdict::kFail);
  EXPECT_EQ(run_once().reason, "no memory");
}

TEST_F(Runner, RunsEveryGroupOnceOrTheFirstOnly) {
  subject_.groups = {{{"", ""}, {{"int8", ""}}}, {{"int-dot", "direct"}, {}}};
  auto results = run();
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].configuration, "default");
  EXPECT_THAT(results[0].equivalent_configurations, ElementsAre("mask=int8"));
  EXPECT_EQ(results[1].configuration, "mask=int-dot kernel=direct");
  EXPECT_THAT(begun_, ElementsAre("preparation", "default", "mask=int-dot kernel=direct"));
  options_.default_configuration_only = true;
  EXPECT_EQ(run().size(), 1u);
}

// How often each configuration ran.
std::map<std::string, int> count_runs(const std::vector<RunResult>& results) {
  std::map<std::string, int> counts;
  for (const RunResult& result : results) ++counts[result.configuration];
  return counts;
}

TEST_F(Runner, InTurnRunsTheSubjectsChoiceUnderEveryContractAndOthersUnderOne) {
  options_.contracts_in_turn = true;
  options_.contracts.assign(numerics::kAllContracts.begin(), numerics::kAllContracts.end());
  subject_.groups = {
      {{}, {}}, {{"", "a"}, {}}, {{"", "b"}, {{"int8", "b"}}}, {{"int-dot", ""}, {}}};
  EXPECT_THAT(count_runs(run()), ElementsAre(Pair("default", 4), Pair("kernel=a", 1),
                                             Pair("kernel=b", 1), Pair("mask=int-dot", 1)));
  source_.is_quick = true;
  EXPECT_THAT(count_runs(run()), Each(Pair(_, 4)));
  source_.is_quick = false;
  options_.only_configuration = "kernel=b";
  EXPECT_THAT(count_runs(run()), ElementsAre(Pair("kernel=b", 4)));
  options_.only_configuration = "";
  options_.contracts_in_turn = false;
  EXPECT_THAT(count_runs(run()), Each(Pair(_, 4)));
}

TEST_F(Runner, InTurnRunsAConfigurationWhateverTheOnlyContractThatOffersIt) {
  options_.contracts_in_turn = true;
  options_.contracts.assign(numerics::kAllContracts.begin(), numerics::kAllContracts.end());
  subject_.groups = {{{}, {}}};
  for (const char* kernel : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    subject_.groups.push_back({{"", kernel}, {}});
  }
  for (const Contract contract : numerics::kAllContracts) {
    subject_.only_contract = contract;
    const auto results = run();
    EXPECT_EQ(results.size(), 4u + 8u);
    for (const RunResult& result : results) {
      EXPECT_TRUE(result.configuration == "default" || result.contract == contract)
          << result.configuration;
    }
  }
}

TEST(ContractTurns, SpreadCasesAndConfigurationsOverAllContracts) {
  constexpr size_t kContracts = 4;
  const auto turn = [](const std::string& case_name, const std::string& kernel) {
    const ContractTurns turns(case_name, kContracts);
    size_t contract = 0;
    while (!turns.is_due({"", kernel}, contract)) ++contract;
    return contract;
  };
  std::map<size_t, int> of_one_kernel;
  std::map<size_t, int> of_one_case;
  for (int i = 0; i < 100; ++i) {
    ++of_one_kernel[turn(fmt::format("conv_2d/case {}", i), "convolution_direct")];
    ++of_one_case[turn("conv_2d/case", fmt::format("kernel {}", i))];
  }
  for (const auto& counts : {of_one_kernel, of_one_case}) {
    EXPECT_THAT(counts, SizeIs(kContracts));
    EXPECT_THAT(counts, Each(Pair(_, Ge(15))));
  }
}

TEST_F(Runner, LeavesOutWhatWasJudged) {
  options_.contracts = {Contract::kTflite, Contract::kLitert, Contract::kSingle};
  subject_.groups = {{{}, {}}, {{"", "b"}, {}}};
  const RecordedCase recorded = record(source_);
  const auto results = run(&recorded, {{Contract::kTflite, "default"},
                                       {Contract::kTflite, "reference"},
                                       {Contract::kLitert, "preparation"}});
  std::vector<std::string> texts;
  for (const RunResult& result : results) {
    texts.push_back(
        fmt::format("{} {}", numerics::contract_name(result.contract), result.configuration));
  }
  EXPECT_THAT(texts, ElementsAre("tflite kernel=b", "single reference", "single default",
                                 "single kernel=b"));
}

TEST_F(Runner, ComparesTheReferenceWithTheRecord) {
  RecordedCase recorded = record(source_);
  auto results = run(&recorded);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].configuration, "reference");
  EXPECT_EQ(results[0].verdict, Verdict::kPass);
  EXPECT_EQ(results[1].verdict, Verdict::kPass);

  // A mistake that device and host_ref share.
  recorded[Contract::kTflite].digests.outputs = digest_of("what was right");
  results = run(&recorded);
  EXPECT_EQ(results[0].verdict, Verdict::kFail);
  EXPECT_THAT(results[0].reason, HasSubstr("lowering or host_ref changed"));
  EXPECT_EQ(results[1].verdict, Verdict::kFail);
  EXPECT_THAT(results[1].reason, HasSubstr("the same bits as host_ref, but not as recorded"));
  EXPECT_EQ(results[1].expected_outputs, digest_of("what was right"));

  options_.check_reference = false;
  results = run(&recorded);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].verdict, Verdict::kFail);
}

TEST_F(Runner, FailsAContractThatRefusesWhatItComputedOrTheReverse) {
  RecordedCase recorded;
  recorded[Contract::kTflite].is_refused = true;
  auto results = run(&recorded);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].configuration, "reference");
  EXPECT_EQ(results[0].verdict, Verdict::kFail);

  recorded = record(source_);
  source_.inputs.clear();  // which lowering a case refuses
  results = run(&recorded);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].configuration, "reference");
  EXPECT_EQ(results[0].verdict, Verdict::kFail);
  EXPECT_THAT(subject_.ran, IsEmpty());
}

TEST_F(Runner, TwoNetworksWithTheSameBytesInOtherTensorsDiffer) {
  const LoweredCase lowered{.source = nullptr, .contract = {}, .graph = {}, .output_count = 2};
  const auto digest = [&](const std::vector<std::vector<std::byte>>& outputs) {
    return digest_observation(lowered, outputs).outputs;
  };
  const std::byte one{1};
  EXPECT_NE(digest({{one}, {one, one}}), digest({{one, one}, {one}}));
}

}  // namespace
}  // namespace lockstep::conformance
