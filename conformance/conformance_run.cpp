#include "conformance/conformance_run.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "conformance/in_process.h"
#include "conformance/journal.h"

namespace lockstep::conformance {
namespace {

using nlohmann::json;

std::string compiler_name() {
#if defined(__clang__)
  const std::string compiler = "Clang " __clang_version__;
#else
  const std::string compiler = "GCC " __VERSION__;
#endif
#if defined(__x86_64__)
  return compiler + " x86_64";
#elif defined(__aarch64__)
  return compiler + " aarch64";
#else
  return compiler;
#endif
}

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

std::chrono::year_month_day today() {
  return std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
}

ReportHeader make_header(const ConformanceOptions& options, const Suite& made_suite,
                         SubjectDescription subject) {
  const SuiteOptions& suite = made_suite.options;
  ReportHeader header;
  header.suite_version = made_suite.version;
  if (!made_suite.corpus_digest.is_empty()) header.corpus = made_suite.corpus_digest.hex();
  header.lockstep_version = LOCKSTEP_VERSION;
  header.compiler = compiler_name();
  header.quick = suite.quick;
  header.contracts_in_turn = options.run.contracts_in_turn;
  header.seed = suite.generator.seed;
  header.random_cases = suite.generator.random_cases;
  header.repetitions = options.run.repetitions;
  header.contracts = options.run.contracts;
  header.filters = suite.filters;
  header.exclusions = suite.exclusions;
  header.shard_index = suite.shard_index;
  header.shard_count = suite.shard_count;
  header.subject = std::move(subject);
  return header;
}

// Everything that must agree for results of two processes to belong to one run.
Digest run_identity(const ConformanceOptions& options, const Suite& suite,
                    const SubjectDescription& subject) {
  DigestBuilder identity;
  return identity.add(worker_arguments(options).back())
      .add(to_json(subject).dump())
      .add(suite.identity().hex())
      .finish();
}

// Coverage is a promise of the generated suite as a whole.
bool is_whole_suite(const SuiteOptions& options) {
  return options.filters.empty() && options.exclusions.empty() && options.models.empty() &&
         options.case_folders.empty() && options.corpus.empty() && options.shard_count == 1 &&
         !options.quick;
}

json to_json(const ConformanceOptions& options) {
  const SuiteOptions& suite = options.suite;
  json contracts = json::array();
  for (const numerics::Contract contract : options.run.contracts) {
    contracts.push_back(numerics::contract_name(contract));
  }
  json folders = json::array();
  for (const auto& folder : suite.case_folders) folders.push_back(folder.string());
  json models = json::array();
  for (const auto& model : suite.models) models.push_back(model.string());
  return {{"selector", options.selector},
          {"quick", suite.quick},
          {"seed", suite.generator.seed},
          {"random_cases", suite.generator.random_cases},
          {"filters", suite.filters},
          {"exclusions", suite.exclusions},
          {"models", std::move(models)},
          {"corpus", suite.corpus.string()},
          {"case_folders", std::move(folders)},
          {"shard_index", suite.shard_index},
          {"shard_count", suite.shard_count},
          {"contracts", std::move(contracts)},
          {"repetitions", options.run.repetitions},
          {"default_configuration_only", options.run.default_configuration_only},
          {"contracts_in_turn", options.run.contracts_in_turn},
          {"only_configuration", options.run.only_configuration}};
}

// Throws nlohmann's exceptions: serve_worker_arguments() catches them.
ConformanceOptions options_from_json(const json& specification) {
  ConformanceOptions options;
  SuiteOptions& suite = options.suite;
  specification.at("selector").get_to(options.selector);
  specification.at("quick").get_to(suite.quick);
  specification.at("seed").get_to(suite.generator.seed);
  specification.at("random_cases").get_to(suite.generator.random_cases);
  specification.at("filters").get_to(suite.filters);
  specification.at("exclusions").get_to(suite.exclusions);
  for (const json& model : specification.at("models")) {
    suite.models.emplace_back(model.get<std::string>());
  }
  suite.corpus = specification.at("corpus").get<std::string>();
  for (const json& folder : specification.at("case_folders")) {
    suite.case_folders.emplace_back(folder.get<std::string>());
  }
  specification.at("shard_index").get_to(suite.shard_index);
  specification.at("shard_count").get_to(suite.shard_count);
  options.run.contracts.clear();
  for (const json& name : specification.at("contracts")) {
    if (const auto contract = numerics::parse_contract(name.get<std::string>())) {
      options.run.contracts.push_back(*contract);
    }
  }
  specification.at("repetitions").get_to(options.run.repetitions);
  specification.at("default_configuration_only").get_to(options.run.default_configuration_only);
  specification.at("contracts_in_turn").get_to(options.run.contracts_in_turn);
  specification.at("only_configuration").get_to(options.run.only_configuration);
  return options;
}

// A corpus was made elsewhere, by a machine that has time for host_ref; here it only explains.
RunOptions run_options_of(const ConformanceOptions& options) {
  RunOptions run = options.run;
  run.check_reference = run.check_reference && options.suite.corpus.empty();
  return run;
}

}  // namespace

std::vector<std::string> worker_arguments(const ConformanceOptions& options) {
  return {std::string(kWorkerArgument), to_json(options).dump()};
}

Result<int> serve_worker_arguments(std::string_view specification) {
  ConformanceOptions options;
  try {
    options = options_from_json(json::parse(specification));
  } catch (const json::exception& problem) {
    return make_error(ErrorCode::kInvalidArgument, "{} {}: {}", kWorkerArgument, specification,
                      problem.what());
  }
  const auto suite = make_suite(options.suite);
  if (!suite) return tl::unexpected(suite.error());
  return serve_worker(*suite, options.selector, run_options_of(options));
}

namespace {

Result<SubjectDescription> run_cases(const ConformanceOptions& options, const Suite& suite,
                                     std::span<const size_t> cases,
                                     const std::function<void(const RunResult&)>& on_result,
                                     const std::function<void(const Progress&)>& on_progress) {
  if (options.workers == 0) {
    const InProcessOptions in_process{.selector = options.selector,
                                      .run = run_options_of(options),
                                      .fail_fast = options.fail_fast};
    return run_in_process(suite, cases, in_process, on_result, on_progress);
  }
  SupervisorOptions supervisor;
  supervisor.worker_command = {options.program.string()};
  std::ranges::move(worker_arguments(options), std::back_inserter(supervisor.worker_command));
  supervisor.workers = options.workers;
  supervisor.run_timeout = options.run_timeout;
  supervisor.fail_fast = options.fail_fast;
  return supervise(suite, cases, supervisor, on_result, on_progress);
}

}  // namespace

Result<Report> run_conformance(const ConformanceOptions& options,
                               const std::function<void(const Progress&)>& on_progress,
                               ConformanceNotes* notes) {
  const auto started = std::chrono::steady_clock::now();
  const std::string started_text = utc_now();
  const auto suite = make_suite(options.suite);
  if (!suite) return tl::unexpected(suite.error());

  Report report;
  report.cases = suite->cases.size();

  std::optional<Journal> journal;
  std::set<std::string> finished;
  if (!options.journal.empty()) {
    // A journal must know the subject before the first result: a run without cases tells.
    auto subject = run_cases(
        options, *suite, {}, [](const RunResult&) {}, [](const Progress&) {});
    if (!subject) return tl::unexpected(subject.error());
    auto opened = Journal::open(options.journal, run_identity(options, *suite, *subject));
    if (!opened) return tl::unexpected(opened.error());
    journal = std::move(*opened);
    finished.insert(journal->finished_cases().begin(), journal->finished_cases().end());
    // A case that was interrupted is run again as a whole.
    report.results = journal->earlier_results();
  }
  std::vector<size_t> remaining;
  for (size_t i = 0; i < suite->cases.size(); ++i) {
    if (!finished.contains(suite->cases[i].name)) remaining.push_back(i);
  }
  if (notes != nullptr) notes->resumed_cases = suite->cases.size() - remaining.size();

  Status journal_status;
  const auto keep_first_problem = [&](Status status) {
    if (journal_status && !status) journal_status = std::move(status);
  };
  std::string last_finished;
  auto subject = run_cases(
      options, *suite, remaining,
      [&](const RunResult& result) {
        if (journal) keep_first_problem(journal->append(result));
        report.results.push_back(result);
      },
      [&](const Progress& progress) {
        if (journal && !progress.current.empty() && progress.current != last_finished) {
          last_finished = progress.current;
          keep_first_problem(journal->append_finished(progress.current));
        }
        on_progress(progress);
      });
  if (!subject) return tl::unexpected(subject.error());
  if (!journal_status) return tl::unexpected(journal_status.error());

  report.header = make_header(options, *suite, std::move(*subject));
  report.header.started = started_text;
  std::vector<Waiver> expired =
      apply_waivers(options.waivers, report.header.subject.device, today(), report.results);
  if (notes != nullptr) notes->expired_waivers = std::move(expired);
  sort_results(report.results);
  if (is_whole_suite(options.suite)) {
    CoverageTable coverage = measure_coverage(suite->cases, all_generators());
    report.coverage_hits = std::move(coverage.hits);
    report.coverage_holes = std::move(coverage.holes);
  }
  report.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return report;
}

}  // namespace lockstep::conformance
