// Where the time of one run of a program went.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace lockstep::backend {

// One dispatch of the device, or the copies in front of the first or behind the last one.
struct DispatchTime {
  int32_t operator_index = -1;   // LoweredGraph::operators; -1: copies to or from the device
  int32_t source_operator = -1;  // LoweredOperator::source_operator; -1 likewise
  std::string kernel;            // its variant, "convolution 1x1 int-dot"; of copies what they copy
  double begin_us = 0;           // on the device's clock, since the run's first command
  double end_us = 0;
  // Of the memory that the dispatch is bound to: inputs and weights, each counted once; the output.
  int64_t bytes_read = 0;
  int64_t bytes_written = 0;
  std::array<uint32_t, 3> workgroups{};  // zeros: copies
};

// What the host did during the run.
struct HostTime {
  std::string what;     // "write inputs", "submit", "wait", "read outputs"
  double begin_us = 0;  // since run() began
  double end_us = 0;
};

struct RunProfile {
  enum class Clock : uint8_t {
    kTimestamps,   // the device wrote down when each dispatch began and ended
    kSubmissions,  // it cannot: each was submitted on its own and timed by the host, so that its
                   // time includes what a submission costs
    kHost,         // it is the host, which read its own clock before and after each
  };
  static constexpr const char* clock_name(Clock clock) {
    switch (clock) {
      case Clock::kTimestamps:
        return "timestamps";
      case Clock::kSubmissions:
        return "submissions";
      case Clock::kHost:
        return "host";
    }
    return "";
  }

  Clock clock = Clock::kTimestamps;
  // In the order of execution. Nothing overlaps: a profiled run waits for every dispatch before it
  // starts the next one, so that the shares add up. The sum is more than an ordinary run takes.
  std::vector<DispatchTime> dispatches;
  std::vector<HostTime> host;  // in order, not overlapping
  double host_us = 0;          // the whole run
};

}  // namespace lockstep::backend
