// Candidates travel to the worker as case folders.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <system_error>

#include "conformance/case_folder.h"
#include "conformance/minimiser.h"
#include "conformance/supervisor.h"

namespace lockstep::conformance {
namespace {

class TemporaryFolder {
 public:
  static Result<std::unique_ptr<TemporaryFolder>> make() {
    std::error_code problem;
    const std::filesystem::path parent = std::filesystem::temp_directory_path(problem);
    std::string pattern = (parent / "lockstep-minimiser-XXXXXX").string();
    if (problem || ::mkdtemp(pattern.data()) == nullptr) {
      return make_error(ErrorCode::kInternal, "no temporary folder '{}': {}", pattern,
                        problem ? problem.message() : std::strerror(errno));
    }
    return std::unique_ptr<TemporaryFolder>(new TemporaryFolder(pattern));
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

std::string candidate_name(size_t index) { return fmt::format("candidate/{}", index); }

constexpr std::string_view kAfter = "after ";  // a run, see supervisor.h

// Whether a result of this name is one of a run on the subject.
bool is_configuration(std::string_view name) {
  return name != kPreparation && name != kReferenceConfiguration && name != kNoRun &&
         !name.starts_with(kAfter);
}

// Runs are made in the failure's configuration only. It may be called by another name, since
// smaller cases come down to the same commands in more configurations, and a crash does not tell
// in which.
bool is_same_failure(const RunResult& result, const RunResult& failure) {
  if (result.verdict != failure.verdict || result.contract != failure.contract) return false;
  if (is_configuration(failure.configuration)) return is_configuration(result.configuration);
  if (failure.configuration.starts_with(kAfter)) return result.configuration.starts_with(kAfter);
  return result.configuration == failure.configuration;
}

}  // namespace

CaseTester child_process_tester(const ConformanceOptions& options, const RunResult& failure) {
  return [options,
          failure](std::span<const Case> cases) -> Result<std::vector<std::optional<RunResult>>> {
    std::vector<std::optional<RunResult>> outcomes(cases.size());
    const auto folder = TemporaryFolder::make();
    if (!folder) return tl::unexpected(folder.error());
    ConformanceOptions run = options;
    run.suite = {};
    run.run.contracts = {failure.contract};
    run.run.default_configuration_only = false;
    if (is_configuration(failure.configuration)) run.run.only_configuration = failure.configuration;
    std::vector<size_t> case_of_folder;
    for (size_t i = 0; i < cases.size(); ++i) {
      Case named = cases[i];
      named.name = candidate_name(i);
      const std::array contracts{failure.contract};
      const auto written = make_case_folder(named, contracts);
      // What the contract does not compute, or cannot be a file, cannot fail on the device either.
      if (!written) continue;
      const std::filesystem::path path = (*folder)->path() / std::to_string(i);
      if (Status status = write_case_folder(path, *written); !status) {
        if (status.error().code == ErrorCode::kUnsupported) continue;
        return tl::unexpected(status.error());
      }
      run.suite.case_folders.push_back(path);
      case_of_folder.push_back(i);
    }
    if (case_of_folder.empty()) return outcomes;
    const auto suite = make_suite(run.suite);
    if (!suite) return tl::unexpected(suite.error());

    SupervisorOptions supervisor;
    supervisor.worker_command = {run.program.string()};
    std::ranges::move(worker_arguments(run), std::back_inserter(supervisor.worker_command));
    supervisor.workers = run.workers;
    supervisor.run_timeout = run.run_timeout;
    std::vector<size_t> indices(suite->cases.size());
    std::iota(indices.begin(), indices.end(), size_t{0});
    const auto outcome = supervise(
        *suite, indices, supervisor,
        [&](const RunResult& result) {
          if (!is_same_failure(result, failure)) return;
          for (size_t i = 0; i < case_of_folder.size(); ++i) {
            auto& found = outcomes[case_of_folder[i]];
            if (suite->cases[i].name != result.case_name || found) continue;
            found = result;
            found->case_name = cases[case_of_folder[i]].name;
            found->configuration = failure.configuration;
          }
        },
        [](const Progress&) {});
    if (!outcome) return tl::unexpected(outcome.error());
    return outcomes;
  };
}

}  // namespace lockstep::conformance
