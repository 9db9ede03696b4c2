// Runs a suite in child processes, so that a driver that crashes, hangs or ends the process costs
// one verdict and not the run.
//
// The protocol is lines of JSON over the child's standard input and output:
//   parent -> child   {"run": CASE_INDEX, "judged": [[CONTRACT, CONFIGURATION], ..]}
//                     {"quit": true}
//   child -> parent   {"ready": SUBJECT, "suite": DIGEST}   first line; SUBJECT is the description,
//                                                           DIGEST is Suite::identity()
//                     {"error": MESSAGE}                    instead: the subject cannot be opened
//                     {"begin": [CONTRACT, CONFIGURATION]}
//                     {"result": RUN_RESULT}                of the run that began last
//                     {"done": CASE_INDEX}
// Only a "result" line counts. What drivers print to standard output goes to standard error
// instead, whose last lines become part of a crash's reason.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/run_result.h"
#include "conformance/runner.h"
#include "conformance/subject.h"
#include "conformance/suite.h"

namespace lockstep::conformance {

inline constexpr std::string_view kNoRun = "no run";

struct SupervisorOptions {
  // The child's command line: this program's hidden worker command with the same suite.
  std::vector<std::string> worker_command;
  int32_t workers = 1;
  // Of one run, its preparation, or the end of the process: since the last line of the child.
  std::chrono::milliseconds run_timeout{60'000};
  // Until the child is ready: it makes the suite and opens the subject.
  std::chrono::milliseconds start_timeout{60'000};
  // Of all children together, roughly. Drivers that compile for the processor keep megabytes for
  // each pipeline, so a child that has grown beyond its share is replaced between two cases.
  size_t memory_bytes = size_t{768} << 20;
  // Stop after the first failure.
  bool fail_fast = false;
};

struct Progress {
  size_t cases_done = 0;
  size_t cases = 0;
  size_t runs = 0;
  size_t failures = 0;
  // Name of the case that was finished last. A case whose runs could not be made, because the
  // subject cannot be opened any more, is done but never finished.
  std::string current;
};

// Runs cases[i] for every i in `case_indices` and calls `on_result` for every run, in the order in
// which they end, and `on_progress` after every run and every case, both from this thread.
//
// A child that dies is started again and goes on behind the run that killed it. Results that are
// not runs: kPreparation; "after CONFIGURATION" for a process that died when no run was under way,
// between runs or when it was asked to end; kNoRun for a case without any run, because the process
// died again and again before the first one, or because none can be started any more.
//
// kInternal when no worker could be started at all, kDeviceUnavailable when it cannot open the
// subject. SIGINT and SIGTERM end the children and then have their usual effect; where that is
// none, kInternal says so. One call at a time.
Result<SubjectDescription> supervise(const Suite& suite, std::span<const size_t> case_indices,
                                     const SupervisorOptions& options,
                                     const std::function<void(const RunResult&)>& on_result,
                                     const std::function<void(const Progress&)>& on_progress);

// The child's side: serves runs of `suite` on the subject until "quit" or the end of the input.
// Takes over standard input and output for good. Returns the exit code.
int serve_worker(const Suite& suite, const std::string& subject_selector,
                 const RunOptions& options);

}  // namespace lockstep::conformance
