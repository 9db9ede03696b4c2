#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "conformance/report.h"
#include "conformance/report_testing.h"

namespace lockstep::conformance {
namespace {

using numerics::Contract;
using ::testing::EndsWith;
using testing::failed_run;
using ::testing::HasSubstr;
using testing::kHostileText;
using ::testing::Not;
using testing::sample_report;

TEST(ReportText, SaysEverythingInOrder) {
  const Report report = sample_report();
  EXPECT_EQ(summary_text(report),
            "Example GPU (Example driver 5.1), suite 7 quick, contracts in turn, seed "
            "18446744073709551615\n"
            "\n"
            "family   litert                             single\n"
            "add      1 ok, 1 n/s                        -\n"
            "conv_2d  1 ok, 2 FAIL, 1 TIMEOUT, 1 waived  1 CRASH\n"
            "\n"
            "Failures:\n"
            "  conv_2d\n"
            "    TIMEOUT hangs [litert] default\n"
            "        no answer in 60 s\n"
            "    CRASH hangs [single] default\n"
            "        signal 11\n"
            "    FAIL ties [litert] kernel=convolution_tiled (and 1 more)\n"
            "        3 of 420 elements of tensor 'out' differ\n"
            "\n"
            "8 runs of 9 cases in 12.5 s: 2 passed, 2 FAIL, 1 CRASH, 1 TIMEOUT, 1 waived, 1 not "
            "supported\n"
            "Coverage holes: 1, the first is conv_2d: channels = 31\n"
            "digest " +
                report.digest().hex() + ", of what is supported " +
                report.supported_digest().hex() + "\n");
}

TEST(ReportText, OfManyFailuresTwentyAreShown) {
  Report report;
  for (int i = 0; i < 25; ++i) {
    report.results.push_back(
        failed_run("conv_2d/" + std::to_string(100 + i), Contract::kTflite, "default"));
  }
  const std::string text = summary_text(report);
  EXPECT_THAT(text, HasSubstr("FAIL 119 ["));
  EXPECT_THAT(text, Not(HasSubstr("FAIL 120 [")));
  EXPECT_THAT(text, HasSubstr("\n  and 5 more: see the report\n"));
}

TEST(ReportText, HostileNamesStayOnTheirLine) {
  Report report;
  report.results = {
      failed_run("conv_2d/" + std::string(kHostileText), Contract::kTflite, "x\x1b[2J")};
  const size_t lines = static_cast<size_t>(std::ranges::count(summary_text(report), '\n'));
  report.header.subject.device.name = kHostileText;
  report.header.subject.device.driver = kHostileText;
  report.results[0].reason = kHostileText;
  const std::string text = summary_text(report);
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_EQ(static_cast<size_t>(std::ranges::count(text, '\n')), lines);
}

TEST(ReportText, AnEmptyReportStillEndsInItsDigest) {
  EXPECT_THAT(summary_text(Report()), HasSubstr("\n0 runs of 0 cases in 0.0 s: -\ndigest "));
}

}  // namespace
}  // namespace lockstep::conformance
