// A replay in a child process, so that a driver that crashes or hangs costs one verdict.
//
// The child is this program with other arguments. It says, in lines of JSON on its standard output:
//   {"subject": DESCRIPTION}       first
//   {"error": MESSAGE}             instead: the folder or the subject cannot be opened
//   {"begin": [CONTRACT, CONFIGURATION]}
//   {"run": REPLAYED_RUN}
//   {"end": true}                  only this is a good end
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/case_replay.h"

namespace lockstep::conformance {

struct ReplayProcessOptions {
  std::filesystem::path program;
  // Between the program and the child's own argument, which is the last: what leads to
  // serve_replay().
  std::vector<std::string> arguments;
  std::string selector;
  ReplayOptions replay;
  std::chrono::milliseconds run_timeout{60'000};
  // Until the child has opened the subject.
  std::chrono::milliseconds start_timeout{60'000};
};

// kInternal where no child can be started; otherwise the child's own error.
Result<Replay> replay_in_process(const std::filesystem::path& folder,
                                 const ReplayProcessOptions& options);

// The child's side. Takes over standard output for good; returns the exit code.
int serve_replay(std::string_view specification);

}  // namespace lockstep::conformance
