#include "host_ref/softmax.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace lockstep::host_ref {
namespace {

// From a probability in units of the output scale to the stored value.
int8_t quantize_probability(const graph::LoweredSoftmax& operation, float scaled) {
  constexpr float kBeyondAnyOutput = 1024.0f;
  const float bounded = std::min(scaled, kBeyondAnyOutput);
  if (operation.output_is_unsigned) {
    return static_cast<int8_t>(std::min(static_cast<int32_t>(bounded + 0.5f), 255) - 128);
  }
  const int32_t value = static_cast<int32_t>(std::round(bounded)) + operation.output_zero_point;
  return static_cast<int8_t>(std::clamp(value, -128, 127));
}

}  // namespace

void softmax(const graph::LoweredSoftmax& operation, std::span<const int8_t> input,
             std::span<int8_t> output) {
  const auto depth = static_cast<size_t>(operation.depth);
  for (size_t first = 0; first < input.size(); first += depth) {
    const std::span<const int8_t> row = input.subspan(first, depth);
    const int8_t maximum = *std::max_element(row.begin(), row.end());
    const auto exponential = [&](int8_t x) {
      return operation.exponentials[static_cast<size_t>(maximum - x)];
    };
    float sum = 0.0f;
    for (const int8_t x : row) {
      sum += exponential(x);
    }
    const float inverse = 1.0f / (sum * operation.output_scale);
    for (size_t i = 0; i < depth; ++i) {
      output[first + i] = quantize_probability(operation, exponential(row[i]) * inverse);
    }
  }
}

}  // namespace lockstep::host_ref
