// The page as a whole, its head and its matrix; the other parts are in report_html_failures.cpp and
// report_html_tables.cpp.
#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "conformance/report.h"
#include "conformance/report_html_assets.h"
#include "conformance/report_html_data.h"
#include "conformance/report_html_sections.h"

namespace lockstep::conformance {

namespace {

using VerdictCounts = std::map<Verdict, int64_t>;

int64_t count_failures(const VerdictCounts& counts) {
  int64_t failures = 0;
  for (const auto& [verdict, count] : counts) {
    if (is_failure(verdict)) failures += count;
  }
  return failures;
}

std::string joined(const std::vector<std::string>& texts) {
  std::string text;
  for (const std::string& part : texts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

std::string contracts_text(const ReportHeader& header) {
  std::vector<std::string> names;
  for (const numerics::Contract contract : header.contracts) {
    names.emplace_back(numerics::contract_name(contract));
  }
  return joined(names);
}

// What was run, without what is at its default.
std::string selection_text(const ReportHeader& header) {
  std::vector<std::string> parts{header.quick ? "quick" : "complete"};
  if (header.contracts_in_turn) parts.push_back("contracts in turn");
  if (header.random_cases > 0) {
    parts.push_back(fmt::format("{} random cases a family", header.random_cases));
  }
  if (!header.filters.empty()) parts.push_back("only " + joined(header.filters));
  if (!header.exclusions.empty()) parts.push_back("without " + joined(header.exclusions));
  if (!header.corpus.empty()) parts.push_back("corpus " + header.corpus);
  if (header.shard_count > 1) {
    parts.push_back(fmt::format("shard {} of {} (0 to {})", header.shard_index, header.shard_count,
                                header.shard_count - 1));
  }
  return joined(parts);
}

struct Fact {
  std::string_view name;
  std::function<std::string(const Report&)> value;
  bool is_code = false;
  bool marks_differences = false;  // against the first report
};

const std::vector<Fact>& facts() {
  static const std::vector<Fact> all = {
      {"device", [](const Report& r) { return r.header.subject.device.name; }},
      {"kind",
       [](const Report& r) {
         return fmt::format("{} ({})", backend::device_kind_name(r.header.subject.device.kind),
                            r.header.subject.device.backend);
       }},
      {"driver", [](const Report& r) { return r.header.subject.device.driver; }},
      {"API version", [](const Report& r) { return r.header.subject.device.api_version; }},
      {"vendor, device, driver version",
       [](const Report& r) {
         const backend::DeviceDescription& device = r.header.subject.device;
         return fmt::format("{:#x}, {:#x}, {:#x}", device.vendor_id, device.device_id,
                            device.driver_version);
       },
       true},
      {"driver UUID", [](const Report& r) { return r.header.subject.device.driver_uuid; }, true},
      {"device UUID", [](const Report& r) { return r.header.subject.device.device_uuid; }, true},
      {"suite", [](const Report& r) { return "version " + r.header.suite_version; }, false, true},
      {"selection", [](const Report& r) { return selection_text(r.header); }, false, true},
      {"contracts", [](const Report& r) { return contracts_text(r.header); }, false, true},
      {"seed", [](const Report& r) { return std::to_string(r.header.seed); }, false, true},
      {"repetitions", [](const Report& r) { return std::to_string(r.header.repetitions); }},
      {"Lockstep", [](const Report& r) { return r.header.lockstep_version; }},
      {"compiler", [](const Report& r) { return r.header.compiler; }},
      {"started", [](const Report& r) { return r.header.started; }},
      {"runs",
       [](const Report& r) {
         return fmt::format("{} of {} cases in {:.1f} s", r.results.size(), r.cases, r.seconds);
       }},
      {"digest", [](const Report& r) { return r.digest().hex(); }, true, true},
      {"digest of what is supported", [](const Report& r) { return r.supported_digest().hex(); },
       true, true}};
  return all;
}

// The contracts of a report in order, those asked for and those that results are of.
std::vector<numerics::Contract> contracts_of(const Report& report) {
  std::set<numerics::Contract> contracts(report.header.contracts.begin(),
                                         report.header.contracts.end());
  for (const RunResult& result : report.results) contracts.insert(result.contract);
  return {contracts.begin(), contracts.end()};
}

struct Matrix {
  // family -> subject -> contract
  std::map<std::string, std::map<size_t, std::map<numerics::Contract, VerdictCounts>>> rows;
  std::map<size_t, std::map<numerics::Contract, VerdictCounts>> totals;
};

Matrix make_matrix(std::span<const Report> reports) {
  Matrix matrix;
  for (size_t subject = 0; subject < reports.size(); ++subject) {
    for (const RunResult& result : reports[subject].results) {
      const std::string family(family_of(result.case_name));
      ++matrix.rows[family][subject][result.contract][result.verdict];
      ++matrix.totals[subject][result.contract][result.verdict];
    }
  }
  return matrix;
}

// A button that shows the runs of its cell below.
void write_matrix_cell(HtmlWriter& page, const VerdictCounts& counts, std::string_view family,
                       size_t subject, numerics::Contract contract, bool starts_group) {
  page.raw(starts_group ? "<td class=\"group\">" : "<td>");
  if (counts.empty()) {
    page.raw("<span class=\"soft\">not run</span></td>");
    return;
  }
  page.raw("<button type=\"button\" class=\"cell\" title=\"show these runs\" data-family=\"")
      .text(family)
      .raw("\" data-contract=\"")
      .text(numerics::contract_name(contract))
      .raw(fmt::format("\" data-subject=\"{}\">", subject));
  write_counts(page, counts);
  page.raw("</button></td>");
}

void write_legend(HtmlWriter& page) {
  static constexpr std::pair<Verdict, std::string_view> kMeanings[] = {
      {Verdict::kPass, "every bit as expected"},
      {Verdict::kFail, "other bits, or memory written that is not the tensor's"},
      {Verdict::kCrash, "the process died or ended without a verdict"},
      {Verdict::kTimeout, "no answer within the limit"},
      {Verdict::kWaived, "a failure that a waiver names"},
      {Verdict::kNotSupported, "the device or the contract does not compute it"}};
  page.raw("<p class=\"legend\">");
  for (const auto& [verdict, meaning] : kMeanings) {
    page.raw("<span>");
    write_badge(page, verdict);
    page.element("span", meaning, "soft").raw("</span> ");
  }
  page.raw("</p>\n");
}

}  // namespace

void write_badge(HtmlWriter& page, Verdict verdict) {
  page.raw("<span class=\"v ").raw(verdict_name(verdict)).raw("\">").raw(verdict_symbol(verdict));
  page.raw(" ").raw(verdict_name(verdict)).raw("</span>");
}

void write_counts(HtmlWriter& page, const VerdictCounts& counts) {
  for (const Verdict verdict : kAllVerdicts) {
    const auto found = counts.find(verdict);
    if (found == counts.end() || found->second == 0) continue;
    const std::string_view name = verdict_name(verdict);
    page.raw("<span class=\"v ").raw(name).raw("\" title=\"").raw(name).raw("\">");
    page.raw(verdict_symbol(verdict)).raw(fmt::format(" {}", found->second));
    // What is usual needs no word.
    if (verdict == Verdict::kNotSupported) page.raw(" n/s");
    if (verdict != Verdict::kPass && verdict != Verdict::kNotSupported) page.raw(" ").raw(name);
    page.raw("</span>");
  }
}

void write_verdict(HtmlWriter& page, std::span<const Report> reports) {
  const std::vector<std::string> names = subject_names(reports);
  for (size_t subject = 0; subject < reports.size(); ++subject) {
    const Report& report = reports[subject];
    const VerdictCounts counts = report.count_verdicts();
    const int64_t failures = count_failures(counts);
    const int64_t judged =
        static_cast<int64_t>(report.results.size()) - counts.at(Verdict::kNotSupported);
    const bool is_clean =
        failures == 0 && counts.at(Verdict::kWaived) == 0 && counts.at(Verdict::kPass) > 0;
    const char* css_class = failures > 0 ? "bad" : is_clean ? "good" : "open";
    page.raw("<div class=\"banner ").raw(css_class).raw("\">");
    if (failures > 0) {
      page.raw(fmt::format("✗ {} of {} runs failed on ", failures, judged));
    } else if (is_clean) {
      page.raw(fmt::format("✓ Every bit as expected in {} runs on ", judged));
    } else if (counts.at(Verdict::kPass) == 0) {
      page.raw("– Nothing was proven: no run passed on ");
    } else {
      page.raw(fmt::format("≈ No failure but {} waived ones in {} runs on ",
                           counts.at(Verdict::kWaived), judged));
    }
    page.element("bdi", names[subject]).raw("<p>");
    write_counts(page, counts);
    page.raw(" digest ").element("code", report.digest().hex()).raw("</p></div>\n");
  }
}

void write_subjects(HtmlWriter& page, std::span<const Report> reports) {
  page.raw(
      "<h2 id=\"devices\">What was tested</h2>\n<div class=\"scroll\"><table "
      "class=\"facts-table\"><tbody>\n");
  for (const Fact& fact : facts()) {
    page.raw("<tr>").element("th", fact.name);
    const std::string first = fact.value(reports.front());
    for (const Report& report : reports) {
      const std::string value = fact.value(report);
      const bool differs = fact.marks_differences && value != first;
      page.raw("<td>").element(fact.is_code ? "code" : "bdi", value.empty() ? "none" : value,
                               differs ? "differs" : "");
      if (differs) page.raw(" <span class=\"differs\">≠ first</span>");
      page.raw("</td>");
    }
    page.raw("</tr>\n");
  }
  page.raw("</tbody></table></div>\n");
}

void write_matrix(HtmlWriter& page, std::span<const Report> reports) {
  const Matrix matrix = make_matrix(reports);
  const std::vector<std::string> names = subject_names(reports);
  page.raw("<h2 id=\"matrix\">Operators by contract</h2>\n");
  write_legend(page);
  page.raw("<div class=\"scroll\"><table class=\"matrix\"><thead>");
  if (reports.size() > 1) {
    page.raw("<tr><th></th>");
    for (size_t subject = 0; subject < reports.size(); ++subject) {
      page.raw(fmt::format("<th class=\"group subject\" colspan=\"{}\">",
                           std::max<size_t>(1, contracts_of(reports[subject]).size())))
          .element("bdi", names[subject])
          .raw("</th>");
    }
    page.raw("</tr>");
  }
  page.raw("<tr><th>family</th>");
  const auto for_columns = [&](const auto& write) {
    for (size_t subject = 0; subject < reports.size(); ++subject) {
      bool starts_group = true;
      for (const numerics::Contract contract : contracts_of(reports[subject])) {
        write(subject, contract, starts_group);
        starts_group = false;
      }
      if (starts_group) page.raw("<td class=\"group\"></td>");
    }
  };
  for_columns([&](size_t, numerics::Contract contract, bool starts_group) {
    page.element("th", numerics::contract_name(contract), starts_group ? "group" : "");
  });
  page.raw("</tr></thead><tbody>\n");
  const auto counts_in = [](const auto& row, size_t subject, numerics::Contract contract) {
    const auto contracts = row.find(subject);
    if (contracts == row.end()) return VerdictCounts{};
    const auto counts = contracts->second.find(contract);
    return counts == contracts->second.end() ? VerdictCounts{} : counts->second;
  };
  for (const auto& [family, row] : matrix.rows) {
    page.raw("<tr>").element("th", family);
    for_columns([&](size_t subject, numerics::Contract contract, bool starts_group) {
      write_matrix_cell(page, counts_in(row, subject, contract), family, subject, contract,
                        starts_group);
    });
    page.raw("</tr>\n");
  }
  page.raw("<tr class=\"total\"><th>all</th>");
  for_columns([&](size_t subject, numerics::Contract contract, bool starts_group) {
    write_matrix_cell(page, counts_in(matrix.totals, subject, contract), "", subject, contract,
                      starts_group);
  });
  page.raw("</tr>\n</tbody></table></div>\n");
}

void write_runs(HtmlWriter& page, std::span<const Report> reports) {
  page.raw("<h2 id=\"runs\">Runs</h2>\n<div class=\"filters\">");
  VerdictCounts counts;
  for (const Report& report : reports) {
    for (const auto& [verdict, count] : report.count_verdicts()) counts[verdict] += count;
  }
  for (const Verdict verdict : kAllVerdicts) {
    page.raw(
        fmt::format("<label><input type=\"checkbox\" name=\"verdict\" value=\"{}\" "
                    "checked=\"checked\"/> <span class=\"v {}\">{} {} {}</span></label>",
                    verdict_index(verdict), verdict_name(verdict), verdict_symbol(verdict),
                    verdict_name(verdict), counts[verdict]));
  }
  page.raw(
      "</div>\n<div class=\"filters\"><input type=\"search\" id=\"text\" aria-label=\"search\" "
      "placeholder=\"case, configuration, kernel, reason, digest\"/>"
      "<select id=\"family\" aria-label=\"family\"><option value=\"\">every "
      "family</option></select>"
      "<select id=\"contract\" aria-label=\"contract\"><option value=\"\">every "
      "contract</option></select>");
  page.raw(reports.size() > 1 ? "<select id=\"subject\" aria-label=\"device\">"
                              : "<select id=\"subject\" aria-label=\"device\" hidden=\"hidden\">");
  page.raw(
      "<option value=\"\">every device</option></select>"
      "<select id=\"order\" aria-label=\"order\"><option value=\"\">by case</option>"
      "<option value=\"slowest\">slowest first</option></select>"
      "<button type=\"button\" class=\"more\" id=\"reset\">show all</button></div>\n"
      "<p class=\"soft\" id=\"count\"></p>\n"
      "<noscript><p>The list of runs needs JavaScript; everything else on this page does "
      "not.</p></noscript>\n"
      "<div class=\"scroll\"><table><thead><tr><th>verdict</th>");
  if (reports.size() > 1) page.raw("<th>device</th>");
  page.raw(
      "<th>case</th><th>contract</th><th>configuration, kernels</th><th>outputs</th>"
      "<th class=\"number\">ms</th></tr></thead><tbody id=\"rows\"></tbody></table></div>\n"
      "<button type=\"button\" class=\"more\" id=\"more\">show 200 more</button>\n");
}

std::string html_page(std::span<const Report> reports) {
  HtmlWriter page;
  page.raw(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>"
      // Nothing is loaded from anywhere, even if a name should have become markup.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; script-src 'unsafe-inline'\"/>\n<title>Conformance report");
  for (const std::string& name : subject_names(reports)) page.raw(" · ").text(name);
  page.raw("</title>\n<style>").raw(kReportStyle).raw("</style></head>\n<body><main>\n");
  page.raw("<h1>Conformance report</h1>\n");
  if (reports.empty()) {
    page.raw("<p>There is no report to show.</p>\n</main></body></html>\n");
    return page.take();
  }
  write_verdict(page, reports);
  page.raw(
      "<nav><a href=\"#matrix\">operators</a><a href=\"#failures\">failures</a>"
      "<a href=\"#runs\">runs</a><a href=\"#coverage\">coverage</a>"
      "<a href=\"#configurations\">configurations</a><a href=\"#shaders\">shaders</a></nav>\n");
  write_subjects(page, reports);
  write_comparison(page, reports);
  write_matrix(page, reports);
  write_failures(page, reports);
  write_runs(page, reports);
  write_coverage(page, reports);
  write_configurations(page, reports);
  write_kernels(page, reports);
  write_shaders(page, reports);
  page.raw("</main>\n<script type=\"application/json\" id=\"data\">")
      .raw(runs_as_script_data(reports))
      .raw("</script>\n<script>")
      .raw(kReportScript)
      .raw("</script>\n</body></html>\n");
  return page.take();
}

}  // namespace lockstep::conformance
