#include "conformance/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "conformance/report_testing.h"
#include "conformance/waivers.h"

namespace lockstep::conformance {
namespace {

using numerics::Contract;
using testing::empty_run;
using testing::failed_run;
using testing::passed_run;
using testing::sample_digest;
using testing::sample_report;
using ::testing::SizeIs;

Report report_of(std::vector<RunResult> results) {
  Report report;
  report.results = std::move(results);
  return report;
}

TEST(Report, FamilyIsTheNameBeforeTheSlash) {
  EXPECT_EQ(family_of("conv_2d/ties a/b"), "conv_2d");
  EXPECT_EQ(family_of("model"), "model");
}

TEST(Report, VerdictsAreCountedZerosIncluded) {
  const auto counts = sample_report().count_verdicts();
  EXPECT_EQ(counts.at(Verdict::kPass), 2);
  EXPECT_EQ(counts.at(Verdict::kFail), 2);
  EXPECT_EQ(counts.at(Verdict::kCrash), 1);
  EXPECT_EQ(counts.at(Verdict::kTimeout), 1);
  EXPECT_EQ(counts.at(Verdict::kWaived), 1);
  EXPECT_EQ(counts.at(Verdict::kNotSupported), 1);
  EXPECT_EQ(Report().count_verdicts().at(Verdict::kPass), 0);
}

TEST(Report, DigestDoesNotDependOnTheKernelsUsedOrTheOrder) {
  const Report one = report_of({passed_run("a/1", Contract::kTflite, "default"),
                                passed_run("b/1", Contract::kTflite, "default")});
  Report other = report_of({passed_run("b/1", Contract::kTflite, "default"),
                            passed_run("a/1", Contract::kTflite, "mask=int8"),
                            passed_run("a/1", Contract::kTflite, "default")});
  other.results[1].kernels = "quite another one";
  other.results[1].nanoseconds = 1;
  EXPECT_EQ(one.digest(), other.digest());
  EXPECT_EQ(one.supported_digest(), other.supported_digest());
}

TEST(Report, DigestChangesWithEveryBitOfEveryResult) {
  const Report base = report_of({passed_run("a/1", Contract::kTflite, "default")});
  const auto changed = [&](auto change) {
    Report report = base;
    change(report.results[0]);
    return report.digest() != base.digest();
  };
  EXPECT_TRUE(changed([](RunResult& run) { run.outputs.bytes[15] ^= 1; }));
  EXPECT_TRUE(changed([](RunResult& run) { run.accumulators.bytes[0] ^= 1; }));
  EXPECT_TRUE(changed([](RunResult& run) { run.case_name = "a/2"; }));
  EXPECT_TRUE(changed([](RunResult& run) { run.contract = Contract::kLitert; }));
  // Right outputs beside a stray write are no pass.
  EXPECT_TRUE(changed([](RunResult& run) { run.verdict = Verdict::kFail; }));
}

TEST(Report, OneConfigurationWithOtherBitsChangesTheDigest) {
  Report report = report_of({passed_run("a/1", Contract::kTflite, "default"),
                             passed_run("a/1", Contract::kTflite, "mask=int8")});
  const Digest agreeing = report.digest();
  report.results[1].outputs = sample_digest("other");
  EXPECT_NE(report.digest(), agreeing);
  report.results[1] = empty_run("a/1", Contract::kTflite, Verdict::kCrash, "signal 11");
  EXPECT_NE(report.digest(), agreeing);
}

TEST(Report, WhatIsNotSupportedChangesOnlyTheOtherDigest) {
  const Report base = report_of({passed_run("a/1", Contract::kTflite, "default")});
  Report more = base;
  more.results.push_back(
      empty_run("b/1", Contract::kTflite, Verdict::kNotSupported, "no such operator"));
  EXPECT_EQ(more.digest(), base.digest());
  EXPECT_EQ(more.supported_digest(), base.supported_digest());
  more.results.back() = passed_run("b/1", Contract::kTflite, "default");
  EXPECT_NE(more.supported_digest(), base.supported_digest());
  Report other_bits = base;
  other_bits.results[0].outputs = sample_digest("other");
  EXPECT_EQ(other_bits.supported_digest(), base.supported_digest());
}

TEST(Report, WhatTheReferenceComputesIsNoneOfTheSubjectsBits) {
  const Report base = report_of({passed_run("a/1", Contract::kTflite, "default")});
  Report checked = base;
  checked.results.push_back(
      passed_run("a/1", Contract::kTflite, std::string(kReferenceConfiguration)));
  checked.results.push_back(
      passed_run("b/1", Contract::kTflite, std::string(kReferenceConfiguration)));
  EXPECT_EQ(checked.digest(), base.digest());
  EXPECT_EQ(checked.supported_digest(), base.supported_digest());
  checked.results[1].verdict = Verdict::kFail;
  EXPECT_NE(checked.digest(), base.digest());
}

TEST(Report, WaiversDoNotChangeTheDigest) {
  Report report = sample_report();
  const Digest before = report.digest();
  const Waiver waiver{.vendor_id = report.header.subject.device.vendor_id,
                      .cases = "*",
                      .expires = std::chrono::year(2100) / 1 / 1,
                      .reason = "known"};
  apply_waivers({waiver}, report.header.subject.device, std::chrono::year(2027) / 1 / 1,
                report.results);
  EXPECT_EQ(report.count_verdicts().at(Verdict::kWaived), 5);
  EXPECT_EQ(report.digest(), before);
}

TEST(Report, ResultsAreSortedByCaseContractConfiguration) {
  std::vector<RunResult> results = sample_report().results;
  const std::vector<RunResult> sorted = results;
  std::ranges::reverse(results);
  sort_results(results);
  EXPECT_EQ(results, sorted);
}

TEST(Report, FailuresThatLookTheSameAreOneGroup) {
  const Report report = sample_report();
  const std::vector<FailureGroup> groups = group_failures(report);
  ASSERT_THAT(groups, SizeIs(3));  // timeout, crash, and one failure of two configurations
  EXPECT_EQ(groups[0].first().verdict, Verdict::kTimeout);
  EXPECT_EQ(groups[1].first().verdict, Verdict::kCrash);
  ASSERT_THAT(groups[2].runs, SizeIs(2));
  EXPECT_EQ(groups[2].runs[1]->configuration, "mask=int-dot");
}

TEST(Report, FailuresThatDifferAreApart) {
  const auto group_count = [](auto change) {
    Report report = report_of(
        {failed_run("a/1", Contract::kTflite, "1"), failed_run("a/1", Contract::kTflite, "2")});
    change(report.results[1]);
    return group_failures(report).size();
  };
  EXPECT_EQ(group_count([](RunResult&) {}), 1U);
  EXPECT_EQ(group_count([](RunResult& run) { run.reason = "other"; }), 2U);
  EXPECT_EQ(group_count([](RunResult& run) { run.outputs = sample_digest("x"); }), 2U);
  EXPECT_EQ(group_count([](RunResult& run) { run.verdict = Verdict::kCrash; }), 2U);
  EXPECT_EQ(group_count([](RunResult& run) { run.difference->largest = 1; }), 2U);
  EXPECT_EQ(group_count([](RunResult& run) { run.case_name = "a/2"; }), 2U);
  EXPECT_EQ(group_count([](RunResult& run) { run.contract = Contract::kSingle; }), 2U);
}

}  // namespace
}  // namespace lockstep::conformance
