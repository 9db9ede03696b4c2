#include "host_ref/pool.h"

#include <algorithm>
#include <cassert>
#include <cstddef>

#include "host_ref/window.h"

namespace lockstep::host_ref {
namespace {

// Calls visit(value) for channel `channel` of every tap in the image and returns their number.
template <typename Visit>
int32_t for_each_tap(const graph::LoweredPool& operation, std::span<const int8_t> input, int32_t n,
                     TapRange rows, TapRange columns, int32_t channel, Visit visit) {
  const graph::Extent4d& in = operation.input_extent;
  for (int32_t ky = rows.begin; ky < rows.end; ++ky) {
    for (int32_t kx = columns.begin; kx < columns.end; ++kx) {
      const int64_t pixel =
          (int64_t{n} * in.height + rows.position(ky)) * in.width + columns.position(kx);
      visit(input[static_cast<size_t>(pixel * in.channels + channel)]);
    }
  }
  return std::max(rows.end - rows.begin, 0) * std::max(columns.end - columns.begin, 0);
}

int32_t pool_window(const graph::LoweredPool& operation, std::span<const int8_t> input, int32_t n,
                    TapRange rows, TapRange columns, int32_t channel) {
  if (operation.kind == graph::PoolKind::kMax) {
    int32_t maximum = -128;
    for_each_tap(operation, input, n, rows, columns, channel,
                 [&](int32_t value) { maximum = std::max(maximum, value); });
    return maximum;
  }
  int32_t sum = 0;
  const int32_t count =
      for_each_tap(operation, input, n, rows, columns, channel,
                   [&](int32_t value) { sum += value + operation.accumulator_offset; });
  return count == 0 ? operation.activation_min
                    : rounded_average(sum, count) - operation.accumulator_offset;
}

}  // namespace

int32_t rounded_average(int32_t sum, int32_t count) {
  assert(count > 0);
  return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

void pool(const graph::LoweredPool& operation, std::span<const int8_t> input,
          std::span<int8_t> output) {
  const graph::Extent4d& in = operation.input_extent;
  const graph::Extent4d& out = operation.output_extent;
  size_t next = 0;
  for (int32_t n = 0; n < out.batch; ++n) {
    for (int32_t y = 0; y < out.height; ++y) {
      const TapRange rows = vertical_taps(operation.window, y, in.height);
      for (int32_t x = 0; x < out.width; ++x) {
        const TapRange columns = horizontal_taps(operation.window, x, in.width);
        for (int32_t channel = 0; channel < out.channels; ++channel) {
          const int32_t value = pool_window(operation, input, n, rows, columns, channel);
          output[next++] = static_cast<int8_t>(
              std::clamp(value, operation.activation_min, operation.activation_max));
        }
      }
    }
  }
}

}  // namespace lockstep::host_ref
