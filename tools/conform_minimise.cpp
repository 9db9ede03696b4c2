#include "tools/conform_minimise.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <set>
#include <vector>

#include "conformance/failure_folder.h"
#include "conformance/minimiser.h"
#include "conformance/report.h"

namespace lockstep::tools {
namespace {

using conformance::RunResult;

// A failing run of each family first, then of the other cases; one a case.
std::vector<const RunResult*> choose_failures(const conformance::Report& report, size_t maximum) {
  std::vector<const RunResult*> chosen;
  std::set<std::string> families;
  std::set<std::string> cases;
  for (const bool new_families_only : {true, false}) {
    for (const RunResult& result : report.results) {
      if (chosen.size() == maximum) return chosen;
      if (!conformance::is_failure(result.verdict) || cases.contains(result.case_name)) continue;
      const std::string family(conformance::family_of(result.case_name));
      if (new_families_only && !families.insert(family).second) continue;
      cases.insert(result.case_name);
      chosen.push_back(&result);
    }
  }
  return chosen;
}

// A case's name as the name of a folder.
std::string folder_name(const std::string& case_name) {
  std::string name = case_name;
  std::ranges::replace_if(
      name,
      [](unsigned char character) {
        return std::isalnum(character) == 0 && character != '.' && character != '-';
      },
      '_');
  return name;
}

Status minimise_failure(const RunResult& failure, const conformance::Case& failing,
                        const conformance::Report& report,
                        const conformance::ConformanceOptions& options,
                        const MinimiseSettings& settings) {
  conformance::MinimiserOptions minimiser;
  minimiser.maximum_time = settings.maximum_time;
  auto smallest = conformance::minimise(
      failing, failure.contract, conformance::child_process_tester(options, failure), minimiser);
  if (!smallest) return tl::unexpected(smallest.error());
  const std::filesystem::path folder = settings.folder / folder_name(failure.case_name);
  fmt::print(stderr, "  {} of {} smaller cases fail as well{}{}; the smallest is in {}\n",
             smallest->progress.accepted, smallest->progress.candidates,
             smallest->stopped.empty() ? "" : "; ended early: ", smallest->stopped,
             folder.string());
  return conformance::write_failure_folder(folder, *smallest, report.header.subject,
                                           {.program = options.program,
                                            .arguments = {"conform", "replay", "--worker"},
                                            .selector = options.selector,
                                            .replay = {},
                                            .run_timeout = options.run_timeout});
}

}  // namespace

Status minimise_failures(const conformance::Report& report,
                         const conformance::ConformanceOptions& options,
                         const MinimiseSettings& settings) {
  const std::vector<const RunResult*> failures = choose_failures(report, settings.maximum_cases);
  if (failures.empty()) return {};
  const auto suite = conformance::make_suite(options.suite);
  if (!suite) return tl::unexpected(suite.error());
  std::error_code error;
  std::filesystem::create_directories(settings.folder, error);
  if (error) {
    return make_error(ErrorCode::kInvalidArgument, "cannot make the folder '{}': {}",
                      settings.folder.string(), error.message());
  }
  for (const RunResult* failure : failures) {
    const auto failing =
        std::ranges::find(suite->cases, failure->case_name, &conformance::Case::name);
    if (failing == suite->cases.end()) continue;
    fmt::print(stderr, "minimising {} ({}, {}): {}\n", failure->case_name,
               numerics::contract_name(failure->contract), failure->configuration,
               conformance::verdict_name(failure->verdict));
    if (const Status status = minimise_failure(*failure, *failing, report, options, settings);
        !status) {
      fmt::print(stderr, "  not minimised: {}\n", status.error().message);
    }
  }
  return {};
}

}  // namespace lockstep::tools
