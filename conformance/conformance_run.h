// A whole conformance run of one subject: the suite in child processes, the journal, the waivers,
// and the report. What `lockstep conform` does for each device.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/report.h"
#include "conformance/runner.h"
#include "conformance/suite.h"
#include "conformance/supervisor.h"
#include "conformance/waivers.h"

namespace lockstep::conformance {

struct ConformanceOptions {
  SuiteOptions suite;
  RunOptions run;
  std::string selector;  // of the subject, see subject.h
  // The program that serves as worker when it is given worker_arguments(); usually this one.
  std::filesystem::path program;
  // Child processes; 0 runs everything in this one, where a crash ends it all: see in_process.h.
  int32_t workers = 1;
  std::chrono::milliseconds run_timeout{60'000};
  bool fail_fast = false;
  // Empty: no journal, an interrupted run starts again.
  std::filesystem::path journal;
  std::vector<Waiver> waivers;
};

// What happened beside the results.
struct ConformanceNotes {
  size_t resumed_cases = 0;             // taken from the journal
  std::vector<Waiver> expired_waivers;  // would have matched a failure
};

// `on_progress` is called from this thread. Every failed case is in the report; an error means that
// there is none: the suite cannot be made, the subject cannot be opened, the journal is another
// run's.
Result<Report> run_conformance(const ConformanceOptions& options,
                               const std::function<void(const Progress&)>& on_progress,
                               ConformanceNotes* notes = nullptr);

// The command line behind the program's name that makes it a worker, and its other end: the
// arguments' outcome is the process's exit code.
std::vector<std::string> worker_arguments(const ConformanceOptions& options);
inline constexpr std::string_view kWorkerArgument = "--conformance-worker";
// `specification` is the argument behind kWorkerArgument.
Result<int> serve_worker_arguments(std::string_view specification);

}  // namespace lockstep::conformance
