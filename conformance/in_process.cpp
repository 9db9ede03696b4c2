#include "conformance/in_process.h"

#include <utility>

namespace lockstep::conformance {

Result<SubjectDescription> run_in_process(const Suite& suite, std::span<const size_t> case_indices,
                                          const InProcessOptions& options,
                                          const std::function<void(const RunResult&)>& on_result,
                                          const std::function<void(const Progress&)>& on_progress) {
  const auto subject = open_subject(options.selector);
  if (!subject) return tl::unexpected(subject.error());
  Progress progress;
  progress.cases = case_indices.size();
  const RunObserver observer{.begin = [](const RunKey&) {},
                             .end =
                                 [&](const RunResult& result) {
                                   ++progress.runs;
                                   if (is_failure(result.verdict)) ++progress.failures;
                                   on_result(result);
                                   on_progress(progress);
                                 }};
  for (const size_t index : case_indices) {
    const Case& source = suite.cases[index];
    run_case(source, **subject, options.run, suite.record_of(source), {}, observer);
    ++progress.cases_done;
    progress.current = source.name;
    on_progress(progress);
    if (options.fail_fast && progress.failures > 0) break;
  }
  return (*subject)->description();
}

}  // namespace lockstep::conformance
