#include "quantization/symmetric_rescaling.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "quantization/affine.h"

namespace lockstep::quantization {
namespace {

// Scales that are tried between no clipping and no rounding.
constexpr int kCandidates = 256;

}  // namespace

void DifferenceHistogram::add_channel(std::span<const int32_t> differences) {
  double energy = 0;
  for (const int32_t difference : differences) energy += double(difference) * difference;
  if (energy == 0) return;
  for (const int32_t difference : differences) importance_[index(difference)] += 1.0 / energy;
}

int32_t DifferenceHistogram::largest_magnitude() const {
  for (int32_t magnitude = kLargestDifference; magnitude > 0; --magnitude) {
    if (importance(magnitude) > 0 || importance(-magnitude) > 0) return magnitude;
  }
  return 0;
}

SymmetricRescaling::SymmetricRescaling(const DifferenceHistogram& differences, float scale)
    : old_scale_(scale), new_scale_(scale) {
  const int32_t largest = differences.largest_magnitude();
  if (largest <= kLargestWeight) return;
  const double excess = static_cast<double>(largest) / kLargestWeight - 1.0;
  float best = scale;
  double least = weighted_error(differences);
  for (int i = 1; i <= kCandidates; ++i) {
    new_scale_ = static_cast<float>(double{scale} * (1.0 + excess * i / kCandidates));
    if (!std::isfinite(new_scale_)) break;
    const double error = weighted_error(differences);
    if (error < least) {
      least = error;
      best = new_scale_;
    }
  }
  new_scale_ = best;
}

double SymmetricRescaling::error(int32_t difference, int8_t value) const {
  return difference * double{old_scale_} - value * double{new_scale_};
}

int8_t SymmetricRescaling::value(int32_t difference) const {
  const double quotient = difference * (double{old_scale_} / double{new_scale_});
  return static_cast<int8_t>(
      std::clamp(std::round(quotient), -double{kLargestWeight}, double{kLargestWeight}));
}

std::vector<int8_t> SymmetricRescaling::channel(std::span<const int32_t> differences) const {
  std::vector<int8_t> values;
  std::vector<std::pair<double, size_t>> errors;  // in steps of the new scale
  double sum = 0;
  for (size_t i = 0; i < differences.size(); ++i) {
    values.push_back(value(differences[i]));
    errors.emplace_back(error(differences[i], values[i]) / double{new_scale_}, i);
    sum += errors.back().first;
  }
  const int step = sum > 0 ? 1 : -1;
  std::sort(errors.begin(), errors.end(), [&](const auto& a, const auto& b) {
    return std::pair(-step * a.first, a.second) < std::pair(-step * b.first, b.second);
  });
  auto left = static_cast<int64_t>(std::ceil(std::abs(sum) - 0.5));
  for (const auto& [unused, i] : errors) {
    if (left <= 0) break;
    const int corrected = values[i] + step;
    if (std::abs(corrected) > kLargestWeight) continue;
    values[i] = static_cast<int8_t>(corrected);
    --left;
  }
  return values;
}

int32_t SymmetricRescaling::bias(int32_t old_bias) const {
  if (keeps_scale()) return old_bias;
  // The new scale is the larger one: nothing leaves int32.
  return static_cast<int32_t>(std::round(old_bias * (double{old_scale_} / double{new_scale_})));
}

// In squares of the old scale, whose own square might be no normal number.
double SymmetricRescaling::weighted_error(const DifferenceHistogram& differences) const {
  double sum = 0;
  for (int32_t d = -kLargestDifference; d <= kLargestDifference; ++d) {
    const double importance = differences.importance(d);
    if (importance == 0) continue;
    const double steps = error(d, value(d)) / double{old_scale_};
    sum += importance * steps * steps;
  }
  return sum;
}

}  // namespace lockstep::quantization
