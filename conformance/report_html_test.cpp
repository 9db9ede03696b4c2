#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>

#include "conformance/report.h"
#include "conformance/report_html_sections.h"
#include "conformance/report_testing.h"

namespace lockstep::conformance {
namespace {

using nlohmann::json;
using numerics::Contract;
using testing::failed_run;
using ::testing::HasSubstr;
using testing::kHostileText;
using testing::Markup;
using testing::MarkupElement;
using ::testing::Not;
using testing::parse_markup;
using testing::passed_run;
using testing::sample_digest;
using testing::sample_report;
using ::testing::SizeIs;

std::string page_of(const Report& report) { return html_page(std::span(&report, 1)); }
Markup parse(const std::string& page) { return parse_markup(page, true); }

std::vector<const MarkupElement*> of_class(const Markup& page, std::string_view name) {
  std::vector<const MarkupElement*> found;
  for (const MarkupElement& element : page.elements) {
    const auto css_class = element.attributes.find("class");
    if (css_class == element.attributes.end()) continue;
    const std::string padded = fmt::format(" {} ", css_class->second);
    if (padded.find(fmt::format(" {} ", name)) != std::string::npos) {
      found.push_back(&element);
    }
  }
  return found;
}

json script_data(const Markup& page) {
  for (const MarkupElement* script : page.named("script")) {
    if (script->attributes.contains("id")) return json::parse(script->text, nullptr, false);
  }
  return {};
}

TEST(ReportHtml, IsWellFormedAndLoadsNothing) {
  const std::array reports = {sample_report(), sample_report()};
  const std::string text = html_page(reports);
  const Markup page = parse(text);
  ASSERT_EQ(page.error, "");
  EXPECT_THAT(text, Not(HasSubstr("http:")));
  EXPECT_THAT(text, Not(HasSubstr("https:")));
  for (const MarkupElement& element : page.elements) {
    EXPECT_FALSE(element.attributes.contains("src")) << element.name;
    EXPECT_NE(element.name, "link");
    const auto target = element.attributes.find("href");
    if (target != element.attributes.end()) {
      EXPECT_TRUE(target->second.starts_with("#")) << target->second;
    }
  }
}

TEST(ReportHtml, LinksLeadSomewhere) {
  const Markup page = parse(page_of(sample_report()));
  std::set<std::string> ids;
  for (const MarkupElement& element : page.elements) {
    const auto id = element.attributes.find("id");
    if (id == element.attributes.end()) continue;
    EXPECT_TRUE(ids.insert(id->second).second) << id->second << " is there twice";
  }
  for (const MarkupElement* link : page.named("a")) {
    EXPECT_TRUE(ids.contains(link->attributes.at("href").substr(1)));
  }
}

TEST(ReportHtml, SaysWhetherTheDeviceConforms) {
  const auto banner = [](const Report& report) {
    const Markup page = parse(page_of(report));
    const auto banners = of_class(page, "banner");
    return banners.size() == 1 ? banners[0]->attributes.at("class") + banners[0]->text
                               : std::string("none");
  };
  Report report = sample_report();
  EXPECT_THAT(banner(report), HasSubstr("bad✗ 4 of 7 runs failed on "));
  std::erase_if(report.results, [](const RunResult& run) { return is_failure(run.verdict); });
  EXPECT_THAT(banner(report), HasSubstr("open≈ No failure but 1 waived ones in 3 runs on "));
  std::erase_if(report.results,
                [](const RunResult& run) { return run.verdict == Verdict::kWaived; });
  EXPECT_THAT(banner(report), HasSubstr("good✓ Every bit as expected in 2 runs on "));
  std::erase_if(report.results, [](const RunResult& run) { return run.verdict == Verdict::kPass; });
  EXPECT_THAT(banner(report), HasSubstr("open– Nothing was proven"));
}

TEST(ReportHtml, TheMatrixCountsVerdictsWithSymbolAndWord) {
  const Markup page = parse(page_of(sample_report()));
  // family x contract: add x 2, conv_2d x 2, all x 2; add under single was not run.
  const auto cells = of_class(page, "cell");
  ASSERT_THAT(cells, SizeIs(5));
  EXPECT_EQ(cells[1]->attributes.at("data-family"), "conv_2d");
  EXPECT_EQ(cells[1]->attributes.at("data-contract"), "litert");
  std::vector<std::string> texts;
  const auto first = static_cast<size_t>(cells[1] - page.elements.data());
  for (size_t i = first + 1; page.elements[i].depth > page.elements[first].depth; ++i) {
    texts.push_back(page.elements[i].text);
  }
  EXPECT_THAT(texts, ::testing::ElementsAre("✓ 1", "✗ 2 FAIL", "◷ 1 TIMEOUT", "≈ 1 WAIVED"));
}

TEST(ReportHtml, AFailureIsACardWithItsFirstDifferenceAndPictures) {
  const std::string text = page_of(sample_report());
  const Markup page = parse(text);
  ASSERT_THAT(of_class(page, "card"), SizeIs(3));
  EXPECT_THAT(text, HasSubstr("batch 0, row 1, column 0, channel 6: expected <b>-7</b>, found "
                              "<b>-6</b>"));
  EXPECT_THAT(text, HasSubstr("3 of 420 (0.714 %), by at most 9"));
  EXPECT_THAT(text, HasSubstr("in 2 configurations"));
  EXPECT_THAT(of_class(page, "where"), SizeIs(4));  // two batches, channel 6 of each
  EXPECT_THAT(of_class(page, "bars"), SizeIs(2));   // histogram and profile
}

TEST(ReportHtml, CardsAreLimitedAndTheRestIsCounted) {
  Report report;
  for (size_t i = 0; i < kMaximumCards + 7; ++i) {
    report.results.push_back(failed_run("a/" + std::to_string(1000 + i), Contract::kTflite, "x"));
  }
  const std::string text = page_of(report);
  EXPECT_THAT(of_class(parse(text), "card"), SizeIs(kMaximumCards));
  EXPECT_THAT(text, HasSubstr("And 7 more"));
}

TEST(ReportHtml, EveryRunIsInTheEmbeddedData) {
  const Report report = sample_report();
  const json data = script_data(parse(page_of(report)));
  ASSERT_EQ(data.at("runs").size(), report.results.size());
  for (size_t i = 0; i < report.results.size(); ++i) {
    const json& run = data.at("runs").at(i);
    const RunResult& result = report.results[i];
    const auto text = [&](size_t field) {
      return data.at("texts").at(run.at(field).get<size_t>());
    };
    EXPECT_EQ(data.at("cases").at(run.at(1).get<size_t>()), result.case_name);
    EXPECT_EQ(data.at("contracts").at(run.at(2).get<size_t>()),
              numerics::contract_name(result.contract));
    EXPECT_EQ(text(3), result.configuration);
    EXPECT_EQ(data.at("verdicts").at(run.at(4).get<size_t>()).at("name"),
              verdict_name(result.verdict));
    EXPECT_EQ(text(5), result.kernels);
    EXPECT_EQ(run.at(6), result.nanoseconds / 1000);
    EXPECT_EQ(text(7), result.reason);
    EXPECT_EQ(text(8), result.outputs.is_empty() ? "" : result.outputs.hex());
  }
}

TEST(ReportHtml, HostileTextIsNeverMarkup) {
  Report report = sample_report();
  const std::string hostile(kHostileText);
  ReportHeader& header = report.header;
  for (std::string* field :
       {&header.suite_version, &header.lockstep_version, &header.compiler, &header.started,
        &header.corpus, &header.subject.selector, &header.subject.device.backend,
        &header.subject.device.name, &header.subject.device.driver,
        &header.subject.device.api_version, &header.subject.device.device_uuid,
        &header.subject.device.driver_uuid}) {
    *field = hostile;
  }
  header.filters = header.exclusions = {hostile};
  header.subject.device.capabilities = header.subject.shaders = {{hostile, hostile}};
  for (RunResult& run : report.results) {
    run.case_name = hostile + "/" + run.case_name + hostile;
    run.configuration += hostile;
    run.reason = run.kernels = hostile;
    run.equivalent_configurations = {hostile};
    if (run.difference) run.difference->tensor = hostile;
  }
  report.coverage_hits = {{hostile, {{hostile, {{hostile, 1}}}}}};
  report.coverage_holes = {{hostile, hostile, hostile}};
  Report other = report;
  other.results[1].outputs = sample_digest("other");
  other.header.subject.shaders[0].second = "other";
  const std::array reports = {report, other};
  const std::array harmless = {sample_report(), sample_report()};
  const Markup page = parse(html_page(reports));
  ASSERT_EQ(page.error, "");
  EXPECT_THAT(page.named("img"), SizeIs(0));
  EXPECT_EQ(page.named("script").size(), parse(html_page(harmless)).named("script").size());
  EXPECT_THAT(script_data(page).at("cases").at(0).get<std::string>(), HasSubstr("</script><!--"));
}

TEST(ReportHtml, SeveralDevicesAreComparedWithTheFirst) {
  Report other = sample_report();
  other.header.subject.device.name = "Other GPU";
  std::array reports = {sample_report(), other};
  EXPECT_THAT(html_page(reports), HasSubstr("<bdi>Other GPU</bdi> computed the same bits as "
                                            "<bdi>Example GPU</bdi>"));
  reports[1].results[1].outputs = sample_digest("other");
  const std::string page = html_page(reports);
  EXPECT_THAT(page, HasSubstr("<bdi>Other GPU</bdi> computed 1 results with other bits than "));
  EXPECT_THAT(page, HasSubstr("≠ first"));
  EXPECT_THAT(page, HasSubstr("<code>add/plain</code>"));
}

TEST(ReportHtml, DevicesOfTheSameNameAreNumbered) {
  const std::array reports = {sample_report(), sample_report()};
  EXPECT_THAT(html_page(reports), HasSubstr("<bdi>2: Example GPU</bdi>"));
}

TEST(ReportHtml, CoverageShowsHitsAndHoles) {
  const std::string page = page_of(sample_report());
  EXPECT_THAT(page, HasSubstr("✗ 31 missing"));
  EXPECT_THAT(page, HasSubstr("17 <span class=\"soft\">×3</span>"));
  EXPECT_LT(page.find(">3 <span"), page.find(">17 <span"));  // numbers by value
  EXPECT_THAT(page, HasSubstr("1 required values are hit by no case"));
  EXPECT_THAT(page_of(Report()), HasSubstr("Not measured"));
}

TEST(ReportHtml, ConfigurationsKernelsAndShadersAreListed) {
  const std::string page = page_of(sample_report());
  // "mask=int-dot" was run once itself, and once "default" stood for it.
  EXPECT_THAT(page, HasSubstr("<td><code>mask=int-dot</code></td><td><span class=\"v FAIL\" "
                              "title=\"FAIL\">✗ 1 FAIL</span></td><td><span class=\"chip\"><code>"
                              "default</code> <span class=\"soft\">in 1</span></span> </td>"));
  EXPECT_THAT(page, HasSubstr("<td><code>kernel=add</code></td><td><span class=\"soft\">none"));
  EXPECT_THAT(page, HasSubstr("<td><code>convolution_direct</code></td>"));
  EXPECT_THAT(page, HasSubstr("<th>convolution</th><td><code>c1c2</code>"));
}

TEST(ReportHtml, WithoutReportsThereIsStillAPage) {
  const Markup page = parse(html_page({}));
  EXPECT_EQ(page.error, "");
}

}  // namespace
}  // namespace lockstep::conformance
