// What a float tensor was seen with.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "quantization/histogram.h"

namespace lockstep::quantization {

struct ChannelStatistics {
  float minimum = 0;
  float maximum = 0;
  double mean = 0;
  double mean_square = 0;
};

class TensorObserver {
 public:
  // `channels`: the extent of the last dimension, or 1 where channels are not told apart.
  TensorObserver(std::string name, size_t channels)
      : name_(std::move(name)),
        minima_(channels),
        maxima_(channels),
        sums_(channels),
        squares_(channels) {}

  // Takes in all elements of one run. Where one is NaN or infinite its index is returned, and
  // nothing is taken in. Precondition: whole rows of channels.
  std::optional<size_t> add(std::span<const float> values);

  const std::string& name() const { return name_; }
  size_t channel_count() const { return sums_.size(); }
  const Histogram& histogram() const { return histogram_; }
  // Zeros while nothing was seen.
  double mean() const;
  std::vector<ChannelStatistics> channels() const;

 private:
  std::string name_;
  Histogram histogram_;
  // Of each channel.
  std::vector<float> minima_;
  std::vector<float> maxima_;
  std::vector<double> sums_;
  std::vector<double> squares_;
};

}  // namespace lockstep::quantization
