// measure() with Google Benchmark, which decides how often to run what and lets the repetitions of
// all benchmarks take turns at random.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>

#include "bench/measure.h"

namespace lockstep::bench {
namespace {

// Every run's time is kept by the benchmark itself; means are of no use here.
class SilentReporter : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

void switch_on_taking_turns() {
  static std::once_flag once;
  std::call_once(once, [] {
    std::array<std::string, 2> arguments{"lockstep", "--benchmark_enable_random_interleaving=true"};
    std::array<char*, 3> pointers{arguments[0].data(), arguments[1].data(), nullptr};
    int count = static_cast<int>(arguments.size());
    benchmark::Initialize(&count, pointers.data());
  });
}

}  // namespace

Result<std::vector<std::vector<double>>> measure(std::span<const Competitor> competitors,
                                                 const MeasureOptions& options) {
  if (competitors.empty()) return std::vector<std::vector<double>>{};
  switch_on_taking_turns();
  std::vector<std::vector<double>> seconds(competitors.size());
  std::optional<Error> failure;
  benchmark::ClearRegisteredBenchmarks();
  for (size_t i = 0; i < competitors.size(); ++i) {
    const auto body = [&, i](benchmark::State& state) {
      for (auto _ : state) {
        const Result<double> time = failure ? Result<double>(0.0) : competitors[i].run();
        if (!time) {
          failure = Error{time.error().code, competitors[i].name + ": " + time.error().message};
        }
        if (failure) return state.SkipWithError(failure->message.c_str());
        seconds[i].push_back(*time);
      }
    };
    benchmark::RegisterBenchmark(std::to_string(i).c_str(), body)
        ->UseRealTime()
        ->Repetitions(std::max(options.repetitions, 1))
        ->MinTime(std::max(options.minimum_seconds / std::max(options.repetitions, 1), 1e-6));
  }
  SilentReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter, ".");
  benchmark::ClearRegisteredBenchmarks();
  if (failure) return tl::unexpected(*failure);
  return seconds;
}

}  // namespace lockstep::bench
