#include "host_ref/mean.h"

#include <algorithm>
#include <cstddef>

namespace lockstep::host_ref {

int8_t mean_of_sum(const graph::LoweredMean& operation, int32_t sum) {
  const auto& thresholds = operation.thresholds;
  const auto reached = std::upper_bound(thresholds.begin(), thresholds.end(), sum);
  return static_cast<int8_t>(-128 + (reached - thresholds.begin()));
}

void mean(const graph::LoweredMean& operation, std::span<const int8_t> input,
          std::span<int8_t> output) {
  const auto reduced = static_cast<size_t>(operation.reduced);
  const auto inner = static_cast<size_t>(operation.inner);
  for (size_t o = 0; o < static_cast<size_t>(operation.outer); ++o) {
    for (size_t i = 0; i < inner; ++i) {
      int32_t sum = 0;
      for (size_t r = 0; r < reduced; ++r) {
        sum += input[(o * reduced + r) * inner + i];
      }
      output[o * inner + i] = mean_of_sum(operation, sum);
    }
  }
}

}  // namespace lockstep::host_ref
