// lockstep conform: does this device compute the same bits? See docs/conformance.md.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "conformance/conformance_run.h"
#include "conformance/coverage.h"
#include "conformance/golden.h"
#include "conformance/report.h"
#include "tools/command.h"
#include "tools/conform_commands.h"
#include "tools/conform_minimise.h"
#include "tools/progress_line.h"
#include "tools/table.h"

namespace lockstep::tools {
namespace {

using conformance::ConformanceOptions;
using conformance::Progress;
using conformance::Report;

struct ConformOptions {
  ConformanceOptions run;
  std::string device;
  std::vector<std::string> contracts;
  double timeout_seconds = 60;
  std::filesystem::path waivers;
  std::filesystem::path json;
  std::filesystem::path junit;
  std::filesystem::path html;
  MinimiseSettings minimise;
  std::filesystem::path golden;
  bool list = false;
  bool coverage = false;
  bool no_progress = false;
};

// One report as `conform diff` and `conform merge` read it; those of several devices as a list.
std::string reports_json(const std::vector<Report>& reports) {
  if (reports.size() == 1) return conformance::to_json(reports.front()).dump(1) + "\n";
  nlohmann::json list = nlohmann::json::array();
  for (const Report& report : reports) list.push_back(conformance::to_json(report));
  return list.dump(1) + "\n";
}

// "report.xml" -> "report.2.xml": a JUnit file holds one device's results.
std::filesystem::path numbered(std::filesystem::path path, size_t index) {
  if (path == "-") return path;
  const std::string extension = path.extension().string();
  return path.replace_extension(fmt::format(".{}{}", index, extension));
}

Status write_reports(const ConformOptions& options, const std::vector<Report>& reports) {
  if (!options.json.empty()) {
    if (Status status = write_text(options.json, reports_json(reports)); !status) return status;
  }
  if (!options.junit.empty()) {
    for (size_t i = 0; i < reports.size(); ++i) {
      const std::filesystem::path path =
          reports.size() == 1 ? options.junit : numbered(options.junit, i);
      if (Status status = write_text(path, conformance::junit_xml(reports[i])); !status) {
        return status;
      }
    }
  }
  if (!options.html.empty()) {
    return write_text(options.html, conformance::html_page(reports));
  }
  return {};
}

Result<int> print_list(const ConformOptions& options) {
  const auto suite = conformance::make_suite(options.run.suite);
  if (!suite) return tl::unexpected(suite.error());
  for (const conformance::Case& source : suite->cases) {
    fmt::print("{}{}\n", source.name, source.is_quick ? "  (quick)" : "");
  }
  fmt::print(stderr, "{} cases\n", suite->cases.size());
  return kSuccess;
}

Result<int> print_coverage(const ConformOptions& options) {
  const auto suite = conformance::make_suite(options.run.suite);
  if (!suite) return tl::unexpected(suite.error());
  const auto coverage = conformance::measure_coverage(suite->cases, conformance::all_generators());
  Table table({{.title = "family"},
               {.title = "dimension"},
               {.title = "values (cases)", .align = Align::kLeft, .maximum_width = 100}});
  for (const auto& [family, dimensions] : coverage.hits) {
    for (const auto& [dimension, values] : dimensions) {
      std::string text;
      for (const auto& [value, count] : values) {
        text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", value, count);
      }
      table.add_row({family, dimension, text});
    }
  }
  fmt::print("{}", table.to_string());
  for (const conformance::CoverageHole& hole : coverage.holes) {
    fmt::print("hole: {}: no case with {} = {}\n", hole.family, hole.dimension, hole.value);
  }
  return coverage.holes.empty() ? kSuccess : kDifferent;
}

Result<int> write_golden(const ConformOptions& options) {
  const auto suite = conformance::make_suite(options.run.suite);
  if (!suite) return tl::unexpected(suite.error());
  const auto text = conformance::golden_text(suite->cases);
  if (!text) return tl::unexpected(text.error());
  if (Status status = write_text(options.golden, *text); !status) {
    return tl::unexpected(status.error());
  }
  return kSuccess;
}

bool has_failures(const Report& report) {
  return std::ranges::any_of(report.results, [](const conformance::RunResult& result) {
    return conformance::is_failure(result.verdict);
  });
}

Result<std::vector<std::string>> selectors_of(const ConformOptions& options) {
  if (options.device != "all") return std::vector<std::string>{options.device};
  const std::vector<std::string> all = conformance::list_subjects();
  if (all.empty()) {
    return make_error(ErrorCode::kDeviceUnavailable, "there is no device to test");
  }
  return all;
}

// Devices that computed the same bits have the same digest; says which do not. What only one of two
// devices supports is no disagreement about bits.
bool print_agreement(const std::vector<Report>& reports) {
  Table table({{.title = "device"}, {.title = "driver"}, {.title = "digest"}});
  for (const Report& report : reports) {
    table.add_row({report.header.subject.device.name, report.header.subject.device.driver,
                   report.digest().hex()});
  }
  fmt::print("\n{}", table.to_string());
  bool agree = true;
  for (size_t i = 1; i < reports.size(); ++i) {
    const conformance::ReportDifference difference =
        conformance::diff_reports(reports.front(), reports[i]);
    if (difference.runs.empty()) continue;
    agree = false;
    fmt::print("{} and {} differ in {} results.\n", reports.front().header.subject.device.name,
               reports[i].header.subject.device.name, difference.runs.size());
  }
  if (agree) fmt::print("They agree on every bit that they both compute.\n");
  return agree;
}

Result<int> run_conform(ConformOptions& options) {
  if (options.list) return print_list(options);
  if (options.coverage) return print_coverage(options);
  if (!options.golden.empty()) return write_golden(options);
  options.run.program = "/proc/self/exe";
  options.run.run.default_configuration_only |= options.run.suite.quick;
  options.run.run_timeout =
      std::chrono::milliseconds(static_cast<int64_t>(options.timeout_seconds * 1000));
  if (!options.contracts.empty()) {
    options.run.run.contracts.clear();
    for (const std::string& name : options.contracts) {
      options.run.run.contracts.push_back(*numerics::parse_contract(name));
    }
  }
  if (!options.waivers.empty()) {
    auto waivers = conformance::read_waivers(options.waivers);
    if (!waivers) return tl::unexpected(waivers.error());
    options.run.waivers = std::move(*waivers);
  }
  const auto selectors = selectors_of(options);
  if (!selectors) return tl::unexpected(selectors.error());
  const std::filesystem::path journal = options.run.journal;

  std::vector<Report> reports;
  bool failed = false;
  for (const std::string& selector : *selectors) {
    options.run.selector = selector;
    if (!journal.empty() && selectors->size() > 1) {
      options.run.journal = journal.string() + "." + selector;
    }
    conformance::ConformanceNotes notes;
    ProgressLine progress(selector.empty() ? "conform" : "conform " + selector,
                          !options.no_progress);
    auto report = conformance::run_conformance(
        options.run,
        [&](const Progress& state) {
          progress.show_now_and_then(
              fmt::format("{} of {} cases, {} runs, {} failures", state.cases_done, state.cases,
                          state.runs, state.failures),
              state.cases_done == state.cases);
        },
        &notes);
    if (!report) return tl::unexpected(report.error());
    if (notes.resumed_cases > 0) {
      fmt::print(stderr, "{} cases were taken from the journal {}\n", notes.resumed_cases,
                 options.run.journal.string());
    }
    for (const conformance::Waiver& waiver : notes.expired_waivers) {
      fmt::print(stderr, "note: a waiver for '{}' has expired: {}\n", waiver.cases, waiver.reason);
    }
    if (!options.minimise.folder.empty()) {
      MinimiseSettings settings = options.minimise;
      if (selectors->size() > 1) settings.folder /= selector;
      if (Status status = minimise_failures(*report, options.run, settings); !status) {
        return tl::unexpected(status.error());
      }
    }
    failed = failed || has_failures(*report);
    reports.push_back(std::move(*report));
  }
  if (Status status = write_reports(options, reports); !status) {
    return tl::unexpected(status.error());
  }
  if (options.json != "-" && options.junit != "-" && options.html != "-") {
    for (const Report& report : reports) fmt::print("{}", conformance::summary_text(report));
    if (reports.size() > 1 && !print_agreement(reports)) failed = true;
  }
  return failed ? kDifferent : kSuccess;
}

void add_suite_options(CLI::App& command, ConformOptions& options) {
  conformance::SuiteOptions& suite = options.run.suite;
  command.add_flag("--quick", suite.quick,
                   "A small part of the suite that still covers every kind, on the device's own\n"
                   "choice of kernels and capabilities");
  command.add_option("--filter", suite.filters, "Only cases whose name contains TEXT (repeatable)")
      ->type_name("TEXT");
  command
      .add_option("--exclude", suite.exclusions, "No cases whose name contains TEXT (repeatable)")
      ->type_name("TEXT");
  command
      .add_option("--model", suite.models,
                  "Also a whole network, every tensor compared (repeatable)")
      ->check(CLI::ExistingFile);
  command.add_option("--corpus", suite.corpus, "Cases of a file that 'conform export' wrote")
      ->check(CLI::ExistingFile);
  command.add_option("--seed", suite.generator.seed, "Of random contents")->capture_default_str();
  command
      .add_option("--random", suite.generator.random_cases, "Further random cases for each family")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  command.add_option("--shard-index", suite.shard_index, "Run this share of the cases")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  command.add_option("--shard-count", suite.shard_count, "Of so many shares")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
}

void add_diff_command(CLI::App& conform, int& exit_code) {
  struct Paths {
    std::filesystem::path first;
    std::filesystem::path second;
  };
  auto paths = std::make_shared<Paths>();
  CLI::App& command = *conform.add_subcommand("diff", "Compare two machines' results");
  command.add_option("A", paths->first, "JSON report")->required()->check(CLI::ExistingFile);
  command.add_option("B", paths->second, "JSON report")->required()->check(CLI::ExistingFile);
  command.footer("Exit code: 0 the same bits, 1 other bits, 2 error.");
  command.callback([paths, &exit_code] {
    exit_code = finish("conform diff", [&]() -> Result<int> {
      const auto first = conformance::read_report(paths->first);
      if (!first) return tl::unexpected(first.error());
      const auto second = conformance::read_report(paths->second);
      if (!second) return tl::unexpected(second.error());
      const conformance::ReportDifference difference = conformance::diff_reports(*first, *second);
      fmt::print("{}", conformance::difference_text(difference));
      return difference.same_bits() ? kSuccess : kDifferent;
    }());
  });
}

void add_merge_command(CLI::App& conform, int& exit_code) {
  struct Options {
    std::vector<std::filesystem::path> shards;
    ConformOptions outputs;
  };
  auto options = std::make_shared<Options>();
  CLI::App& command = *conform.add_subcommand("merge", "Make one report of the shards of a run");
  command.add_option("SHARDS", options->shards, "JSON reports of all shards")
      ->required()
      ->check(CLI::ExistingFile);
  command.add_option("--json", options->outputs.json, "Write the report as JSON ('-': stdout)");
  command.add_option("--junit", options->outputs.junit, "Write it as JUnit XML");
  command.add_option("--html", options->outputs.html, "Write it as a page");
  command.callback([options, &exit_code] {
    exit_code = finish("conform merge", [&]() -> Result<int> {
      std::vector<Report> shards;
      for (const auto& path : options->shards) {
        auto report = conformance::read_report(path);
        if (!report) return tl::unexpected(report.error());
        shards.push_back(std::move(*report));
      }
      auto merged = conformance::merge_reports(shards);
      if (!merged) return tl::unexpected(merged.error());
      const std::vector<Report> reports{std::move(*merged)};
      if (Status status = write_reports(options->outputs, reports); !status) {
        return tl::unexpected(status.error());
      }
      if (options->outputs.json != "-") {
        fmt::print("{}", conformance::summary_text(reports.front()));
      }
      return has_failures(reports.front()) ? kDifferent : kSuccess;
    }());
  });
}

}  // namespace

Status write_text(const std::filesystem::path& path, const std::string& text) {
  if (path != "-") return conformance::write_file(path, text);
  fmt::print("{}", text);
  return {};
}

void add_conform_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ConformOptions>();
  CLI::App& command =
      *app.add_subcommand("conform", "Prove that a device computes the same bits, case by case");
  command.footer(
      "Exit code: 0 every run passed or was not supported, 1 some failed, 2 error.\n"
      "Each case is run under every contract, on every kernel and every masked capability set,\n"
      "in a child process. docs/conformance.md tells how to read the report.");
  command.add_option(
      "--device", options->device,
      "Which: index or name (see 'lockstep devices'), ref, all, tflite, xnnpack, or\n"
      "engine:CONTRACT:COMMAND; default: the best accelerator");
  command.add_option("--numerics", options->contracts, "Only these contracts (repeatable)")
      ->check(CLI::IsMember({"tflite", "litert", "reference", "single"}));
  add_suite_options(command, *options);
  command.add_option("--repeat", options->run.run.repetitions, "Runs of each program")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_flag("--default-kernels", options->run.run.default_configuration_only,
                   "Only the device's own choice of kernels and capabilities");
  command.add_flag("--contracts-in-turn", options->run.run.contracts_in_turn,
                   "Less than half of the runs: a kernel or masked capability set that is not the\n"
                   "device's own choice computes a case under one contract, unless it is quick");
  command
      .add_option("--workers", options->run.workers,
                  "Child processes at once; 0 runs everything in this one")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command.add_option("--timeout", options->timeout_seconds, "Seconds that one run may take")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  command.add_flag("--fail-fast", options->run.fail_fast, "Stop at the first failure");
  command.add_option("--journal", options->run.journal,
                     "Append results to this file, and go on from it when it is there");
  command.add_option("--waivers", options->waivers, "Known failures to accept for a while")
      ->check(CLI::ExistingFile);
  command
      .add_option("--minimise", options->minimise.folder,
                  "Shrink failures, and write each with a report for the driver's vendor\n"
                  "into a folder of its own below this one")
      ->type_name("DIR");
  command.add_option("--minimise-cases", options->minimise.maximum_cases, "So many at most")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command.add_option("--json", options->json, "Write the report as JSON ('-': stdout)");
  command.add_option(
      "--junit", options->junit,
      "Write it as JUnit XML ('-': stdout), numbered where there are several devices");
  command.add_option("--html", options->html, "Write it as one self-contained page");
  command.add_flag("--list", options->list, "Only list the cases");
  command.add_flag("--coverage", options->coverage, "Only show what the cases cover");
  command.add_flag("--no-progress", options->no_progress, "Nothing on stderr while it runs");
  command
      .add_option("--write-golden", options->golden,
                  "Only record what the reference gives for every case")
      ->type_name("FILE");
  add_diff_command(command, exit_code);
  add_export_command(command, exit_code);
  add_replay_command(command, exit_code);
  add_merge_command(command, exit_code);
  command.require_subcommand(0, 1);
  command.callback([options, &command, &exit_code] {
    if (command.get_subcommands().empty()) exit_code = finish("conform", run_conform(*options));
  });
}

}  // namespace lockstep::tools
