// Shrinks a failing case to a small one that still fails in the same way.
//
// Greedy: whatever fails and is smaller takes the place of the case, until no step of
// case_shrinking.h leads to a failing one. What comes out is a local minimum: no single step makes
// it smaller.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "conformance/case.h"
#include "conformance/case_measure.h"
#include "conformance/conformance_run.h"
#include "conformance/run_result.h"
#include "graph/status.h"

namespace lockstep::conformance {

// Runs cases and says for each how it failed, or nullopt where it did not fail in the same way as
// the original one. An error means that nothing can be run any more.
using CaseTester =
    std::function<Result<std::vector<std::optional<RunResult>>>(std::span<const Case>)>;

struct MinimiserProgress {
  int64_t candidates = 0;  // tried so far
  int64_t accepted = 0;
  CaseMeasure measure;    // of the smallest case so far
  std::string last_step;  // that was accepted; empty before the first one
};

struct MinimiserOptions {
  int64_t maximum_candidates = 5000;
  std::chrono::milliseconds maximum_time{600'000};
  // Cases given to the tester at once: a process is started for every batch. The batch grows up to
  // this while no candidate fails.
  size_t maximum_batch = 32;
  // How often the original is tried before it counts as one that does not fail (any more).
  int32_t original_attempts = 3;
  std::function<void(const MinimiserProgress&)> on_progress;  // after every batch; may be empty
};

struct MinimisedCase {
  Case smallest;
  RunResult failure;  // of `smallest`
  MinimiserProgress progress;
  // Every accepted step, in order.
  std::vector<std::string> steps;
  // Why it ended: empty where no step leads on, otherwise the budget that ran out or what broke the
  // tester. `smallest` is the smallest failing case found in any event.
  std::string stopped;
};

// kInvalidArgument where `failing` does not fail; the tester's error where it cannot be run.
Result<MinimisedCase> minimise(const Case& failing, numerics::Contract contract,
                               const CaseTester& test, const MinimiserOptions& options);

// Fails in the same way as `failure`: the same verdict under the same contract in the same
// configuration. Runs cases in child processes, so a driver may crash or hang; `options` gives
// program, selector, repetitions and time limit, its suite is not looked at.
CaseTester child_process_tester(const ConformanceOptions& options, const RunResult& failure);

}  // namespace lockstep::conformance
