// Times several ways of doing one thing against each other.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "graph/status.h"

namespace lockstep::bench {

struct Competitor {
  std::string name;  // for messages
  // Does the work once and says how many seconds of it count: those of a device's clock, or of the
  // host's. Warmed up before it is measured.
  std::function<Result<double>()> run;
};

struct MeasureOptions {
  // Of each competitor, host time, all repetitions together.
  double minimum_seconds = 0.2;
  // Each competitor's time comes in so many pieces, and those of different competitors take turns:
  // whatever else a machine does for a while then meets all of them.
  int repetitions = 3;
};

// Seconds of single runs, one list for each competitor in their order, at least one run in each.
// Fails with the first run that fails, naming its competitor. Not thread-safe: one at a time in a
// process.
Result<std::vector<std::vector<double>>> measure(std::span<const Competitor> competitors,
                                                 const MeasureOptions& options);

}  // namespace lockstep::bench
