#include "quantization/tensor_observer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>

namespace lockstep::quantization {
namespace {

// The magnitudes of finite numbers are below this, as integers of their bits.
constexpr int32_t kInfinityBits = 0x7f800000;

bool are_finite(std::span<const float> values) {
  int32_t largest = 0;
  for (const float value : values) {
    const int32_t magnitude = std::bit_cast<int32_t>(value) & 0x7fffffff;
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest < kInfinityBits;
}

}  // namespace

std::optional<size_t> TensorObserver::add(std::span<const float> values) {
  if (values.empty()) return std::nullopt;
  if (!are_finite(values)) {
    const auto found = std::find_if(values.begin(), values.end(),
                                    [](float value) { return !std::isfinite(value); });
    return static_cast<size_t>(found - values.begin());
  }
  const size_t channels = sums_.size();
  if (histogram_.count() == 0) {
    std::copy_n(values.begin(), channels, minima_.begin());
    std::copy_n(values.begin(), channels, maxima_.begin());
  }
  for (size_t row = 0; row < values.size(); row += channels) {
    for (size_t channel = 0; channel < channels; ++channel) {
      const float value = values[row + channel];
      minima_[channel] = value < minima_[channel] ? value : minima_[channel];
      maxima_[channel] = value > maxima_[channel] ? value : maxima_[channel];
      sums_[channel] += double{value};
      squares_[channel] += double{value} * double{value};
    }
  }
  histogram_.add(values);
  return std::nullopt;
}

double TensorObserver::mean() const {
  if (histogram_.count() == 0) return 0;
  return std::accumulate(sums_.begin(), sums_.end(), 0.0) / static_cast<double>(histogram_.count());
}

std::vector<ChannelStatistics> TensorObserver::channels() const {
  const double rows =
      std::max(1.0, static_cast<double>(histogram_.count()) / static_cast<double>(channel_count()));
  std::vector<ChannelStatistics> result;
  for (size_t channel = 0; channel < channel_count(); ++channel) {
    result.push_back({.minimum = minima_[channel],
                      .maximum = maxima_[channel],
                      .mean = sums_[channel] / rows,
                      .mean_square = squares_[channel] / rows});
  }
  return result;
}

}  // namespace lockstep::quantization
