// measure() for builds without Google Benchmark (phones): rounds in which every competitor runs for
// its share of the time.
#include <algorithm>
#include <chrono>

#include "bench/measure.h"

namespace lockstep::bench {

Result<std::vector<std::vector<double>>> measure(std::span<const Competitor> competitors,
                                                 const MeasureOptions& options) {
  using Clock = std::chrono::steady_clock;
  const int rounds = std::max(options.repetitions, 1);
  const std::chrono::duration<double> share(options.minimum_seconds / rounds);
  std::vector<std::vector<double>> seconds(competitors.size());
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < competitors.size(); ++i) {
      const Clock::time_point start = Clock::now();
      do {
        const Result<double> time = competitors[i].run();
        if (!time) {
          return tl::unexpected(
              Error{time.error().code, competitors[i].name + ": " + time.error().message});
        }
        seconds[i].push_back(*time);
      } while (Clock::now() - start < share);
    }
  }
  return seconds;
}

}  // namespace lockstep::bench
