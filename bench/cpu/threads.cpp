#include "bench/cpu/threads.h"

#include <algorithm>
#include <chrono>
#include <latch>
#include <system_error>
#include <thread>
#include <vector>

namespace lockstep::bench {

Result<double> seconds_of_threads(int32_t threads, const std::function<void(int32_t)>& work) {
  using Clock = std::chrono::steady_clock;
  struct Interval {
    Clock::time_point begin;
    Clock::time_point end;
  };
  std::vector<Interval> intervals(static_cast<size_t>(threads));
  std::latch start(threads);
  const auto take_part = [&](int32_t thread) {
    start.arrive_and_wait();
    Interval& interval = intervals[static_cast<size_t>(thread)];
    interval.begin = Clock::now();
    work(thread);
    interval.end = Clock::now();
  };
  std::vector<std::jthread> others;
  try {
    for (int32_t thread = 1; thread < threads; ++thread) others.emplace_back(take_part, thread);
  } catch (const std::system_error& error) {
    start.count_down(threads - static_cast<int32_t>(others.size()));
    return make_error(ErrorCode::kOutOfMemory, "no more than {} of {} threads: {}",
                      others.size() + 1, threads, error.what());
  }
  take_part(0);
  others.clear();  // waits for them
  const auto first = std::ranges::min(intervals, std::less<>(), &Interval::begin).begin;
  const auto last = std::ranges::max(intervals, std::less<>(), &Interval::end).end;
  return std::chrono::duration<double>(last - first).count();
}

std::string threads_suffix(int32_t threads) {
  return threads == 1 ? "" : fmt::format("-{}-threads", threads);
}

}  // namespace lockstep::bench
