#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/report.h"
#include "conformance/report_testing.h"

namespace lockstep::conformance {
namespace {

using numerics::Contract;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::empty_run;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::passed_run;
using testing::sample_digest;
using testing::sample_report;
using ::testing::SizeIs;

Report one_run() {
  Report report;
  report.results = {passed_run("a/1", Contract::kTflite, "default")};
  return report;
}

TEST(ReportDiff, AReportIsTheSameAsItself) {
  const ReportDifference difference = diff_reports(sample_report(), sample_report());
  EXPECT_THAT(difference.header, IsEmpty());
  EXPECT_TRUE(difference.same_bits());
  EXPECT_TRUE(difference.same_support());
  EXPECT_EQ(difference_text(difference), "SAME BITS\n");
}

TEST(ReportDiff, HeadersAreComparedFieldByField) {
  Report other = sample_report();
  other.header.seed = 2;
  other.header.subject.device.driver = "other\x1b[2J";
  other.header.filters.pop_back();
  const ReportDifference difference = diff_reports(sample_report(), other);
  EXPECT_THAT(
      difference.header,
      ElementsAre("filters.1: \"add\" against nothing", "seed: 18446744073709551615 against 2",
                  HasSubstr("subject.device.driver: \"Example driver 5.1\" against")));
  EXPECT_TRUE(difference.same_bits());
  EXPECT_THAT(difference_text(difference),
              AllOf(HasSubstr("seed: "), EndsWith("SAME BITS\n"), Not(HasSubstr("\x1b"))));
}

TEST(ReportDiff, OtherKernelsAndConfigurationsAreNoDifference) {
  Report other = one_run();
  other.results.push_back(passed_run("a/1", Contract::kTflite, "mask=int8"));
  other.results[0].kernels = "other";
  EXPECT_TRUE(diff_reports(one_run(), other).same_bits());
}

TEST(ReportDiff, OtherOutputsAreNamedWithBothDigests) {
  Report other = one_run();
  other.results[0].outputs = sample_digest("other");
  const ReportDifference difference = diff_reports(one_run(), other);
  ASSERT_THAT(difference.runs, SizeIs(1));
  EXPECT_EQ(difference.runs[0].case_name, "a/1");
  EXPECT_EQ(difference.runs[0].contract, Contract::kTflite);
  EXPECT_EQ(difference.runs[0].what, "outputs " + one_run().results[0].outputs.hex() + " against " +
                                         sample_digest("other").hex());
  EXPECT_THAT(difference_text(difference),
              AllOf(HasSubstr("a/1 [tflite]: outputs "), HasSubstr("DIFFERENT: 1 results")));
}

TEST(ReportDiff, OtherAccumulatorsAreADifferenceWhereBothShowThem) {
  Report other = one_run();
  other.results[0].accumulators = sample_digest("other");
  ASSERT_THAT(diff_reports(one_run(), other).runs, SizeIs(1));
  EXPECT_THAT(diff_reports(one_run(), other).runs[0].what, HasSubstr("accumulators "));
  // A whole engine shows none.
  other.results[0].accumulators = Digest{};
  EXPECT_TRUE(diff_reports(one_run(), other).same_bits());
}

TEST(ReportDiff, AFailureOfOnlyOneIsADifferenceEvenWithTheSameBits) {
  Report other = one_run();
  other.results[0].verdict = Verdict::kFail;
  ASSERT_THAT(diff_reports(one_run(), other).runs, SizeIs(1));
  EXPECT_THAT(diff_reports(one_run(), other).runs[0].what, EndsWith("(failed)"));
  other.results[0] = empty_run("a/1", Contract::kTflite, Verdict::kCrash, "signal 11");
  ASSERT_THAT(diff_reports(one_run(), other).runs, SizeIs(1));
  EXPECT_THAT(diff_reports(one_run(), other).runs[0].what, EndsWith("against nothing (failed)"));
}

TEST(ReportDiff, WhatOnlyOneComputedIsListedApart) {
  Report other = one_run();
  other.results = {empty_run("a/1", Contract::kTflite, Verdict::kNotSupported, "too large"),
                   passed_run("b/1", Contract::kTflite, "default")};
  const ReportDifference difference = diff_reports(one_run(), other);
  EXPECT_TRUE(difference.same_bits());
  EXPECT_FALSE(difference.same_support());
  ASSERT_THAT(difference.support, SizeIs(2));
  EXPECT_EQ(difference.support[0].what, "only in the first: not supported by the other: too large");
  EXPECT_EQ(difference.support[1].what, "only in the second: not run in the other");
  EXPECT_THAT(difference_text(difference), HasSubstr("2 results only in one"));
}

TEST(ReportDiff, WhatNeitherSupportsIsNoDifference) {
  Report report;
  report.results = {empty_run("a/1", Contract::kTflite, Verdict::kNotSupported, "one reason")};
  Report other;
  other.results = {empty_run("a/1", Contract::kTflite, Verdict::kNotSupported, "another")};
  EXPECT_TRUE(diff_reports(report, other).same_support());
  // Another suite is one.
  EXPECT_THAT(diff_reports(report, Report()).support, SizeIs(1));
}

TEST(ReportDiff, LongListsAreCut) {
  Report one;
  Report other;
  for (int i = 0; i < 25; ++i) {
    one.results.push_back(passed_run("a/" + std::to_string(i), Contract::kTflite, "default"));
    other.results.push_back(one.results.back());
    other.results.back().outputs = sample_digest("other");
  }
  EXPECT_THAT(
      difference_text(diff_reports(one, other)),
      AllOf(HasSubstr("and 5 more"), EndsWith("DIFFERENT: 25 results (case and contract)\n")));
}

}  // namespace
}  // namespace lockstep::conformance
