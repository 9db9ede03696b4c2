// Runs a suite inside this process: for machines on which this program cannot start itself again,
// such as an emulator of another kind of machine, and for debuggers. What crashes or hangs takes
// the run with it; supervisor.h is the way that survives.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "conformance/runner.h"
#include "conformance/subject.h"
#include "conformance/suite.h"
#include "conformance/supervisor.h"

namespace lockstep::conformance {

struct InProcessOptions {
  std::string selector;  // of the subject, see subject.h
  RunOptions run;
  // Stop after the first failure.
  bool fail_fast = false;
};

// As supervise(), with the same calls of `on_result` and `on_progress`. kDeviceUnavailable where
// the subject cannot be opened.
Result<SubjectDescription> run_in_process(const Suite& suite, std::span<const size_t> case_indices,
                                          const InProcessOptions& options,
                                          const std::function<void(const RunResult&)>& on_result,
                                          const std::function<void(const Progress&)>& on_progress);

}  // namespace lockstep::conformance
