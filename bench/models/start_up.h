// What the start of a program costs, measured in processes of their own: nothing is warm there but
// what this measurement left warm.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "bench/models/contender.h"
#include "graph/status.h"

namespace lockstep::bench {

// What the command line must hand to serve_start_up(): {program, kStartUpArgument, request}.
inline constexpr const char* kStartUpArgument = "--start-up-worker";

struct StartUp {
  double seconds = 0;        // from an open process to the end of the first inference
  int64_t peak_bytes = 0;    // of host memory, after a few inferences more
  int64_t device_bytes = 0;  // as of ModelRunner::device_bytes()
};

// Starts `program` (this one, "/proc/self/exe") once more, lets it load the model and run it.
// `driver_cache`: the folder in which drivers keep compiled code, instead of the user's own.
Result<StartUp> measure_start_up(const std::string& program, const Contender& contender,
                                 const std::filesystem::path& model,
                                 const ContenderSettings& settings,
                                 const std::filesystem::path& driver_cache);

// The other side: does what `request` says and prints the answer as one line.
Status serve_start_up(const std::string& request);

}  // namespace lockstep::bench
