#include "backend/cpu/centered_weights.h"

#include <algorithm>
#include <cstdlib>

#include "backend/cpu/operation.h"

namespace lockstep::backend::cpu {

CenteredWeights center_weights(std::span<const int8_t> weights,
                               std::span<const int32_t> zero_points, size_t depth) {
  CenteredWeights centered;
  centered.depth = depth;
  bool fits = true;
  for (size_t channel = 0; channel < zero_points.size(); ++channel) {
    uint32_t sum = 0;
    int64_t magnitude = 0;
    for (const int8_t weight : weights.subspan(channel * depth, depth)) {
      const int32_t difference = weight - zero_points[channel];
      sum += static_cast<uint32_t>(difference);
      magnitude += std::abs(difference);
      fits &= difference >= -128 && difference <= 127;
    }
    centered.sums.push_back(static_cast<int32_t>(sum));
    centered.magnitudes.push_back(magnitude);
  }
  centered.stored.assign(weights.begin(), weights.end());
  if (!fits) {
    for (const int32_t zero_point : zero_points) centered.row_factors.push_back(-zero_point);
    return centered;
  }
  for (size_t i = 0; i < weights.size(); ++i) {
    centered.stored[i] = static_cast<int8_t>(weights[i] - zero_points[i / depth]);
  }
  return centered;
}

std::vector<int32_t> byte_domain_bias(std::span<const int32_t> bias, const CenteredWeights& weights,
                                      int32_t input_zero_point, int32_t row_offset) {
  std::vector<int32_t> result;
  const auto zero_point = static_cast<uint32_t>(to_byte(input_zero_point) - row_offset);
  const auto offsets = static_cast<uint32_t>(row_offset) * static_cast<uint32_t>(weights.depth);
  for (size_t channel = 0; channel < bias.size(); ++channel) {
    uint32_t sum = static_cast<uint32_t>(bias[channel]) -
                   zero_point * static_cast<uint32_t>(weights.sums[channel]);
    if (!weights.row_factors.empty()) {
      sum -= static_cast<uint32_t>(weights.row_factors[channel]) * offsets;
    }
    result.push_back(static_cast<int32_t>(sum));
  }
  return result;
}

std::vector<AccumulatorRange> accumulator_ranges(std::span<const int32_t> bias,
                                                 const CenteredWeights& weights,
                                                 int32_t input_zero_point) {
  const int64_t zero_point = to_byte(input_zero_point);
  const int64_t largest_input = std::max(zero_point, 255 - zero_point);
  std::vector<AccumulatorRange> ranges;
  for (size_t channel = 0; channel < bias.size(); ++channel) {
    const int64_t reach = weights.magnitudes[channel] * largest_input;
    ranges.push_back({bias[channel] - reach, bias[channel] + reach});
  }
  return ranges;
}

double products_per_nanosecond(Isa isa) {
  switch (isa) {
    case Isa::kSse4:
    case Isa::kNeon:
      return 20;
    case Isa::kAvx2:
    case Isa::kNeonDotProduct:
      return 50;
    case Isa::kAvx512:
    case Isa::kNeonI8mm:
      return 100;
    case Isa::kAvx512Vnni:
      return 250;
    case Isa::kAmxInt8:
      return 600;
  }
  return 20;
}

}  // namespace lockstep::backend::cpu
