#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/report.h"
#include "conformance/report_testing.h"

namespace lockstep::conformance {
namespace {

using numerics::Contract;
using ::testing::HasSubstr;
using testing::kHostileText;
using testing::Markup;
using testing::MarkupElement;
using testing::parse_markup;
using testing::sample_report;
using ::testing::SizeIs;

Markup parse(const Report& report) { return parse_markup(junit_xml(report), false); }

std::string attribute(const MarkupElement& element, const std::string& name) {
  const auto found = element.attributes.find(name);
  return found == element.attributes.end() ? "absent" : found->second;
}

TEST(ReportJunit, FamiliesAreSuitesWithRightTotals) {
  const Markup xml = parse(sample_report());
  ASSERT_EQ(xml.error, "");
  const auto root = xml.named("testsuites");
  ASSERT_THAT(root, SizeIs(1));
  EXPECT_EQ(attribute(*root[0], "tests"), "8");
  EXPECT_EQ(attribute(*root[0], "failures"), "4");
  EXPECT_EQ(attribute(*root[0], "skipped"), "2");
  EXPECT_EQ(attribute(*root[0], "errors"), "0");
  EXPECT_EQ(attribute(*root[0], "time"), "0.006004");
  const auto suites = xml.named("testsuite");
  ASSERT_THAT(suites, SizeIs(2));
  EXPECT_EQ(attribute(*suites[0], "name"), "add");
  EXPECT_EQ(attribute(*suites[0], "tests"), "2");
  EXPECT_EQ(attribute(*suites[0], "failures"), "0");
  EXPECT_EQ(attribute(*suites[0], "skipped"), "1");
  EXPECT_EQ(attribute(*suites[1], "name"), "conv_2d");
  EXPECT_EQ(attribute(*suites[1], "tests"), "6");
  EXPECT_EQ(attribute(*suites[1], "failures"), "4");
  EXPECT_EQ(attribute(*suites[1], "skipped"), "1");
}

TEST(ReportJunit, EveryRunIsATestCaseWithItsReason) {
  const Markup xml = parse(sample_report());
  ASSERT_EQ(xml.error, "");
  const auto cases = xml.named("testcase");
  ASSERT_THAT(cases, SizeIs(8));
  EXPECT_EQ(attribute(*cases[1], "classname"), "conformance.add");
  EXPECT_EQ(attribute(*cases[1], "name"), "plain [litert, default]");
  EXPECT_EQ(attribute(*cases[1], "time"), "0.001500");
  const auto failures = xml.named("failure");
  ASSERT_THAT(failures, SizeIs(4));
  EXPECT_EQ(attribute(*failures[0], "type"), "TIMEOUT");
  EXPECT_EQ(attribute(*failures[0], "message"), "no answer in 60 s");
  EXPECT_EQ(attribute(*failures[1], "type"), "CRASH");
  EXPECT_EQ(attribute(*failures[2], "type"), "FAIL");
  EXPECT_THAT(failures[2]->text, HasSubstr("element 41: expected -7, found -6"));
  EXPECT_THAT(failures[2]->text, HasSubstr("outputs: expected "));
  const auto skipped = xml.named("skipped");
  ASSERT_THAT(skipped, SizeIs(2));
  EXPECT_EQ(attribute(*skipped[0], "message"), "NOT_SUPPORTED: no broadcast");
  EXPECT_EQ(attribute(*skipped[1], "message"), "WAIVED: bug 12: FAIL: wrong");
}

TEST(ReportJunit, CarriesTheDigest) {
  const Markup xml = parse(sample_report());
  bool is_there = false;
  for (const MarkupElement* property : xml.named("property")) {
    is_there = is_there || (attribute(*property, "name") == "digest" &&
                            attribute(*property, "value") == sample_report().digest().hex());
  }
  EXPECT_TRUE(is_there);
}

TEST(ReportJunit, HostileTextIsNeverMarkup) {
  Report report = sample_report();
  const std::string hostile(kHostileText);
  report.header.subject.device.name = hostile;
  report.header.started = hostile;
  for (RunResult& run : report.results) {
    run.case_name = hostile + "/" + hostile;
    run.configuration = run.reason = run.kernels = hostile;
    if (run.difference) run.difference->tensor = hostile;
  }
  const Markup xml = parse(report);
  ASSERT_EQ(xml.error, "");
  EXPECT_THAT(xml.named("testcase"), SizeIs(8));
  EXPECT_THAT(xml.named("img"), SizeIs(0));
  EXPECT_THAT(attribute(*xml.named("failure")[0], "message"), HasSubstr("</script><!-- ]]> "));
}

TEST(ReportJunit, AnEmptyReportIsADocumentToo) {
  const Markup xml = parse(Report());
  EXPECT_EQ(xml.error, "");
  EXPECT_THAT(xml.named("testsuites"), SizeIs(1));
}

}  // namespace
}  // namespace lockstep::conformance
