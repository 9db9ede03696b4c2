#include "quantization/histogram.h"

#include <algorithm>
#include <cmath>

namespace lockstep::quantization {
namespace {

// Bins narrower than the distance of neighbouring float32 tell nothing more. Bin indices fit 26
// bits so.
constexpr int kMantissaBits = 24;

// The index of the bin of width 2^exponent that holds the value: exact, since scaling by a power of
// two is.
int64_t bin_at(float value, int exponent) {
  return static_cast<int64_t>(std::floor(std::ldexp(double{value}, -exponent)));
}

// The narrowest width with which kBins bins reach from one value to the other.
int needed_exponent(float minimum, float maximum) {
  int exponent = Histogram::kSmallestExponent;
  const float largest = std::max(std::abs(minimum), std::abs(maximum));
  if (largest > 0) exponent = std::max(exponent, std::ilogb(largest) - kMantissaBits);
  const double width = (double{maximum} - double{minimum}) / static_cast<double>(Histogram::kBins);
  if (width > 0) exponent = std::max(exponent, std::ilogb(width));
  const auto fits = [&] {
    return bin_at(maximum, exponent) - bin_at(minimum, exponent) <
           static_cast<int64_t>(Histogram::kBins);
  };
  // The quotient's exponent is too small by one at most, the bins' borders cost another one.
  while (!fits()) ++exponent;
  return exponent;
}

}  // namespace

void Histogram::cover(float minimum, float maximum) {
  const int exponent = std::max(exponent_, needed_exponent(minimum, maximum));
  const int64_t lowest = bin_at(minimum, exponent);
  const int64_t highest = bin_at(maximum, exponent);
  const auto bins = static_cast<int64_t>(kBins);
  if (!counts_.empty() && exponent == exponent_ && lowest >= first_ && highest < first_ + bins) {
    return;
  }
  // What is left over is shared, so that the next value may be on either side.
  const int64_t first = lowest - (bins - (highest - lowest + 1)) / 2;
  std::vector<uint64_t> counts(kBins, 0);
  for (size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == 0) continue;
    // Shifting rounds down, as bins do; by 63 nothing is left but the sign.
    const int64_t bin = (first_ + static_cast<int64_t>(i)) >> std::min(exponent - exponent_, 63);
    counts[static_cast<size_t>(bin - first)] += counts_[i];
  }
  counts_ = std::move(counts);
  first_ = first;
  exponent_ = exponent;
}

void Histogram::add(std::span<const float> values) {
  if (values.empty()) return;
  float minimum = values[0];
  float maximum = values[0];
  for (const float value : values) {
    minimum = value < minimum ? value : minimum;
    maximum = value > maximum ? value : maximum;
  }
  if (count_ > 0) {
    minimum = std::min(minimum, minimum_);
    maximum = std::max(maximum, maximum_);
  }
  cover(minimum, maximum);
  const float inverse_width = std::ldexp(1.0f, -exponent_);
  for (const float value : values) {
    if (value == 0) {
      ++zeros_;
      continue;
    }
    const float position = value * inverse_width;
    // The floor: a conversion rounds towards zero, and the position itself may have underflowed.
    auto bin = static_cast<int64_t>(position);
    if (value < 0 && (bin == 0 || static_cast<float>(bin) > position)) --bin;
    ++counts_[static_cast<size_t>(bin - first_)];
  }
  count_ += values.size();
  minimum_ = minimum;
  maximum_ = maximum;
}

std::vector<Histogram::Bin> Histogram::bins() const {
  std::vector<Bin> result;
  const double width = std::ldexp(1.0, exponent_);
  for (size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == 0) continue;
    const double lower = static_cast<double>(first_ + static_cast<int64_t>(i)) * width;
    // Not beyond what was seen: the outermost bins reach further than their values.
    result.push_back({.lower = std::max(lower, double{minimum_}),
                      .upper = std::min(lower + width, double{maximum_}),
                      .count = counts_[i]});
  }
  return result;
}

}  // namespace lockstep::quantization
