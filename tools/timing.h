// Wall times of repeated runs.
#pragma once

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

namespace lockstep::tools {

// Milliseconds that `work` takes.
template <typename Work>
double milliseconds_of(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  std::forward<Work>(work)();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

// The upper median; 0 for no values.
inline double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace lockstep::tools
