// The tables of the report's page that say how its results came about.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "conformance/report_html_data.h"
#include "conformance/report_html_sections.h"

namespace lockstep::conformance {

namespace {

using VerdictCounts = std::map<Verdict, int64_t>;

void start_subject(HtmlWriter& page, std::span<const Report> reports, size_t subject) {
  if (reports.size() > 1) page.element("h3", subject_names(reports)[subject]).raw("\n");
}

// Texts separated by ", ", as RunResult::kernels has them.
std::vector<std::string> split_list(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    const size_t end = std::min(list.find(','), list.size());
    std::string_view part = list.substr(0, end);
    part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
    if (!part.empty()) parts.emplace_back(part);
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return parts;
}

// Numbers by their value and in front of texts: "3" before "16".
bool is_in_reading_order(const std::string& first, const std::string& second) {
  const auto number_of = [](const std::string& text) {
    int64_t number = INT64_MAX;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is_whole = problem == std::errc{} && end == text.data() + text.size();
    return is_whole ? number : INT64_MAX;
  };
  return std::pair(number_of(first), first) < std::pair(number_of(second), second);
}

// A row's missing values, then its hits.
void write_dimension(HtmlWriter& page, const std::string& dimension,
                     const std::set<std::string>& missing,
                     const std::map<std::string, int64_t>& hits) {
  page.raw("<tr>").element("th", dimension).raw("<td>");
  for (const std::string& value : missing) {
    page.raw("<span class=\"chip hole\">✗ ").text(value).raw(" missing</span> ");
  }
  std::vector<std::pair<std::string, int64_t>> ordered(hits.begin(), hits.end());
  std::ranges::sort(ordered, is_in_reading_order, &std::pair<std::string, int64_t>::first);
  for (const auto& [value, count] : ordered) {
    page.raw("<span class=\"chip\">").text(value);
    page.raw(fmt::format(" <span class=\"soft\">×{}</span></span> ", count));
  }
  page.raw("</td></tr>\n");
}

// What the cases of one family hit and miss.
void write_family_coverage(HtmlWriter& page, const std::string& family,
                           const std::map<std::string, std::map<std::string, int64_t>>& hits,
                           const std::map<std::string, std::set<std::string>>& holes) {
  std::set<std::string> dimensions;
  for (const auto& [dimension, values] : hits) dimensions.insert(dimension);
  size_t hole_count = 0;
  for (const auto& [dimension, values] : holes) {
    dimensions.insert(dimension);
    hole_count += values.size();
  }
  page.raw(hole_count > 0 ? "<details class=\"plain\" open=\"open\"><summary>"
                          : "<details class=\"plain\"><summary>")
      .text(family)
      .raw(fmt::format(" <span class=\"soft\">{} dimensions</span>", dimensions.size()));
  if (hole_count > 0) {
    page.raw(fmt::format(" <span class=\"chip hole\">✗ {} holes</span>", hole_count));
  }
  page.raw("</summary><div><table><tbody>\n");
  for (const std::string& dimension : dimensions) {
    const auto missing = holes.find(dimension);
    const auto hit = hits.find(dimension);
    write_dimension(page, dimension,
                    missing == holes.end() ? std::set<std::string>{} : missing->second,
                    hit == hits.end() ? std::map<std::string, int64_t>{} : hit->second);
  }
  page.raw("</tbody></table></div></details>\n");
}

void write_difference_rows(HtmlWriter& page, const std::vector<ReportDifference::Run>& runs) {
  constexpr size_t kMaximumRows = 50;
  page.raw(
      "<div class=\"scroll\"><table><thead><tr><th>case</th><th>contract</th><th>first against "
      "this</th></tr></thead><tbody>\n");
  for (size_t i = 0; i < std::min(runs.size(), kMaximumRows); ++i) {
    page.raw("<tr><td>")
        .element("code", runs[i].case_name)
        .raw("</td><td>")
        .raw(numerics::contract_name(runs[i].contract))
        .raw("</td>")
        .element("td", runs[i].what)
        .raw("</tr>\n");
  }
  if (runs.size() > kMaximumRows) {
    page.raw(
        fmt::format("<tr><td colspan=\"3\">and {} more</td></tr>\n", runs.size() - kMaximumRows));
  }
  page.raw("</tbody></table></div>\n");
}

// How often a configuration was run, and how often another run stood for it.
struct ConfigurationUse {
  VerdictCounts verdicts;
  std::map<std::string, int64_t> stood_for_by;
};

}  // namespace

void write_comparison(HtmlWriter& page, std::span<const Report> reports) {
  if (reports.size() < 2) return;
  const std::vector<std::string> names = subject_names(reports);
  page.raw("<h2 id=\"comparison\">The same bits?</h2>\n");
  for (size_t subject = 1; subject < reports.size(); ++subject) {
    const ReportDifference difference = diff_reports(reports.front(), reports[subject]);
    const bool is_same = difference.same_bits();
    page.raw(is_same ? "<div class=\"banner good\">✓ " : "<div class=\"banner bad\">✗ ");
    page.element("bdi", names[subject]);
    if (is_same) {
      page.raw(" computed the same bits as ").element("bdi", names.front());
    } else {
      page.raw(fmt::format(" computed {} results with other bits than ", difference.runs.size()))
          .element("bdi", names.front());
    }
    if (!difference.same_support()) {
      page.raw(
          fmt::format("<p>{} results (case and contract) are there for only one of the "
                      "two.</p>",
                      difference.support.size()));
    }
    page.raw("</div>\n");
    if (!is_same) write_difference_rows(page, difference.runs);
    if (!difference.same_support()) {
      page.raw("<details class=\"plain\"><summary>Only one of the two</summary><div>");
      write_difference_rows(page, difference.support);
      page.raw("</div></details>\n");
    }
  }
}

void write_coverage(HtmlWriter& page, std::span<const Report> reports) {
  page.raw("<h2 id=\"coverage\">Coverage</h2>\n");
  for (size_t subject = 0; subject < reports.size(); ++subject) {
    const Report& report = reports[subject];
    start_subject(page, reports, subject);
    if (report.coverage_hits.empty() && report.coverage_holes.empty()) {
      page.raw("<p class=\"soft\">Not measured: only complete suites are.</p>\n");
      continue;
    }
    // family -> dimension -> values that no case hits
    std::map<std::string, std::map<std::string, std::set<std::string>>> holes;
    std::set<std::string> families;
    for (const CoverageHole& hole : report.coverage_holes) {
      holes[hole.family][hole.dimension].insert(hole.value);
      families.insert(hole.family);
    }
    for (const auto& [family, dimensions] : report.coverage_hits) families.insert(family);
    page.raw(
        report.coverage_holes.empty()
            ? "<p>✓ Every required value is hit.</p>\n"
            : fmt::format("<p class=\"differs\">✗ {} required values are hit by no case.</p>\n",
                          report.coverage_holes.size()));
    for (const std::string& family : families) {
      const auto hits = report.coverage_hits.find(family);
      write_family_coverage(
          page, family,
          hits == report.coverage_hits.end() ? CoverageHits::mapped_type{} : hits->second,
          holes[family]);
    }
  }
}

void write_configurations(HtmlWriter& page, std::span<const Report> reports) {
  page.raw(
      "<h2 id=\"configurations\">Configurations</h2>\n<p class=\"soft\">Masks hide capabilities, "
      "\"kernel\" forces one wherever it can be used. A configuration that comes down to the same "
      "commands as another one is not run again.</p>\n");
  for (size_t subject = 0; subject < reports.size(); ++subject) {
    std::map<std::string, ConfigurationUse> uses;
    for (const RunResult& result : reports[subject].results) {
      ++uses[result.configuration].verdicts[result.verdict];
      for (const std::string& other : result.equivalent_configurations) {
        ++uses[other].stood_for_by[result.configuration];
      }
    }
    start_subject(page, reports, subject);
    page.raw(
        "<div class=\"scroll\"><table><thead><tr><th>configuration</th><th>its own runs</th>"
        "<th>same commands as</th></tr></thead><tbody>\n");
    for (const auto& [name, use] : uses) {
      page.raw("<tr><td>").element("code", name).raw("</td><td>");
      write_counts(page, use.verdicts);
      if (use.verdicts.empty()) page.raw("<span class=\"soft\">none</span>");
      page.raw("</td><td>");
      for (const auto& [other, count] : use.stood_for_by) {
        page.raw("<span class=\"chip\">").element("code", other);
        page.raw(fmt::format(" <span class=\"soft\">in {}</span></span> ", count));
      }
      page.raw("</td></tr>\n");
    }
    page.raw("</tbody></table></div>\n");
  }
}

void write_kernels(HtmlWriter& page, std::span<const Report> reports) {
  page.raw("<h2 id=\"kernels\">Kernels</h2>\n");
  for (size_t subject = 0; subject < reports.size(); ++subject) {
    std::map<std::string, VerdictCounts> kernels;
    for (const RunResult& result : reports[subject].results) {
      for (const std::string& kernel : split_list(result.kernels)) {
        ++kernels[kernel][result.verdict];
      }
    }
    start_subject(page, reports, subject);
    if (kernels.empty()) {
      page.raw("<p class=\"soft\">None named.</p>\n");
      continue;
    }
    page.raw(
        "<div class=\"scroll\"><table><thead><tr><th>kernel</th><th>runs that used "
        "it</th></tr></thead><tbody>\n");
    for (const auto& [kernel, counts] : kernels) {
      page.raw("<tr><td>").element("code", kernel).raw("</td><td>");
      write_counts(page, counts);
      page.raw("</td></tr>\n");
    }
    page.raw("</tbody></table></div>\n");
  }
}

void write_shaders(HtmlWriter& page, std::span<const Report> reports) {
  page.raw("<h2 id=\"shaders\">Shaders</h2>\n");
  // shader -> digest for each subject
  std::map<std::string, std::vector<std::string>> shaders;
  for (size_t subject = 0; subject < reports.size(); ++subject) {
    for (const auto& [name, digest] : reports[subject].header.subject.shaders) {
      auto& digests = shaders[name];
      digests.resize(reports.size());
      digests[subject] = digest;
    }
  }
  if (shaders.empty()) {
    page.raw("<p class=\"soft\">None: these devices run no shaders.</p>\n");
    return;
  }
  page.raw(
      fmt::format("<details class=\"plain\"><summary>{} shaders and their "
                  "digests</summary><div><table><tbody>\n",
                  shaders.size()));
  for (const auto& [name, digests] : shaders) {
    page.raw("<tr>").element("th", name);
    for (const std::string& digest : digests) {
      // A subject without shaders says nothing about this one.
      const bool differs = !digest.empty() && !digests.front().empty() && digest != digests.front();
      page.raw("<td>").element("code", digest, differs ? "differs" : "");
      if (differs) page.raw(" <span class=\"differs\">≠ first</span>");
      page.raw("</td>");
    }
    page.raw("</tr>\n");
  }
  page.raw("</tbody></table></div></details>\n");
}

}  // namespace lockstep::conformance
