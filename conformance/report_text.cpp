#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "conformance/report.h"
#include "conformance/text.h"

namespace lockstep::conformance {

namespace {

constexpr size_t kMaximumFailures = 20;

using VerdictCounts = std::map<Verdict, int64_t>;

// "118 pass, 2 FAIL": failures in capitals, so that they are found without colours.
std::string counts_text(const VerdictCounts& counts, bool with_names) {
  std::string text;
  for (const Verdict verdict : kAllVerdicts) {
    const auto found = counts.find(verdict);
    if (found == counts.end() || found->second == 0) continue;
    if (!text.empty()) text += ", ";
    text += std::to_string(found->second);
    switch (verdict) {
      case Verdict::kPass:
        text += with_names ? " passed" : " ok";
        break;
      case Verdict::kNotSupported:
        text += with_names ? " not supported" : " n/s";
        break;
      case Verdict::kWaived:
        text += " waived";
        break;
      case Verdict::kFail:
      case Verdict::kCrash:
      case Verdict::kTimeout:
        text += fmt::format(" {}", verdict_name(verdict));
        break;
    }
  }
  return text.empty() ? "-" : text;
}

// Cells aligned to the left, two spaces between columns.
std::string align(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}", row[i], widths[i] + 2);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string matrix_text(const Report& report) {
  std::map<std::string, std::map<numerics::Contract, VerdictCounts>> matrix;
  std::set<numerics::Contract> contracts(report.header.contracts.begin(),
                                         report.header.contracts.end());
  for (const RunResult& result : report.results) {
    ++matrix[one_line(family_of(result.case_name))][result.contract][result.verdict];
    contracts.insert(result.contract);
  }
  std::vector<std::vector<std::string>> rows{{"family"}};
  for (const numerics::Contract contract : contracts) {
    rows.front().emplace_back(numerics::contract_name(contract));
  }
  for (auto& [family, row] : matrix) {
    rows.push_back({family});
    for (const numerics::Contract contract : contracts) {
      rows.back().push_back(counts_text(row[contract], false));
    }
  }
  return align(rows);
}

std::string failures_text(const Report& report) {
  const std::vector<FailureGroup> groups = group_failures(report);
  if (groups.empty()) return {};
  std::string text = "\nFailures:\n";
  std::string_view family;
  for (size_t i = 0; i < std::min(groups.size(), kMaximumFailures); ++i) {
    const RunResult& run = groups[i].first();
    if (i == 0 || family_of(run.case_name) != family) {
      family = family_of(run.case_name);
      text += fmt::format("  {}\n", one_line(family));
    }
    const std::string_view rest =
        std::string_view(run.case_name).substr(std::min(family.size() + 1, run.case_name.size()));
    const size_t others = groups[i].runs.size() - 1;
    text +=
        fmt::format("    {} {} [{}] {}{}\n        {}\n", verdict_name(run.verdict), one_line(rest),
                    numerics::contract_name(run.contract), one_line(run.configuration),
                    others == 0 ? std::string() : fmt::format(" (and {} more)", others),
                    run.reason.empty() ? "no reason given" : one_line(run.reason));
  }
  if (groups.size() > kMaximumFailures) {
    text += fmt::format("  and {} more: see the report\n", groups.size() - kMaximumFailures);
  }
  return text;
}

std::string holes_text(const Report& report) {
  if (report.coverage_holes.empty()) return {};
  const CoverageHole& hole = report.coverage_holes.front();
  return fmt::format("Coverage holes: {}, the first is {}: {} = {}\n", report.coverage_holes.size(),
                     one_line(hole.family), one_line(hole.dimension), one_line(hole.value));
}

}  // namespace

std::string summary_text(const Report& report) {
  const ReportHeader& header = report.header;
  std::string text =
      fmt::format("{} ({}), suite {}{}{}, seed {}\n\n", one_line(header.subject.device.name),
                  one_line(header.subject.device.driver), one_line(header.suite_version),
                  header.quick ? " quick" : "",
                  header.contracts_in_turn ? ", contracts in turn" : "", header.seed);
  text += matrix_text(report);
  text += failures_text(report);
  text += fmt::format("\n{} runs of {} cases in {:.1f} s: {}\n", report.results.size(),
                      report.cases, report.seconds, counts_text(report.count_verdicts(), true));
  text += holes_text(report);
  text += fmt::format("digest {}, of what is supported {}\n", report.digest().hex(),
                      report.supported_digest().hex());
  return text;
}

}  // namespace lockstep::conformance
