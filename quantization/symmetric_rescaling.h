// Weights with a zero point as symmetric int8: values in [-127, 127] with zero point 0.
//
// What weights mean is scale * d with the difference d = w - zero_point, an integer in [-255, 255].
// Where all differences of a scale lie in [-127, 127] they are the new values and nothing changes.
// Elsewhere the new scale is larger, f * scale with f in [1, largest |d| / 127], and
//   v = clamp(round(d / f), -127, 127), ties away from zero.
// f = largest |d| / 127 clips nothing and rounds all; a smaller f rounds less and clips what is
// rare. The one with the least sum of squared errors is taken, where each error counts in
// proportion to what the output channel computes with the weight:
//   sum over channels of (sum of squared errors / sum of squared weights)
// An outlier of a strong channel is clipped, rather than all weights of weak ones made coarse.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::quantization {

inline constexpr int32_t kLargestDifference = 255;

// How much an error of each difference matters among the weights that share a scale.
class DifferenceHistogram {
 public:
  // Adds the weights of one output channel. Precondition: no magnitude above kLargestDifference.
  void add_channel(std::span<const int32_t> differences);

  double importance(int32_t difference) const { return importance_[index(difference)]; }
  // 0 where nothing was added.
  int32_t largest_magnitude() const;

 private:
  static size_t index(int32_t difference) {
    return static_cast<size_t>(difference + kLargestDifference);
  }
  std::array<double, 2 * kLargestDifference + 1> importance_{};
};

// What becomes of the differences of one scale.
class SymmetricRescaling {
 public:
  // From the old scale to the best one. Precondition: the scale is positive and finite.
  SymmetricRescaling(const DifferenceHistogram& differences, float scale);

  float scale() const { return new_scale_; }
  // Whether the scale has not changed.
  bool keeps_scale() const { return new_scale_ == old_scale_; }
  // Real values: what the difference meant, less what the value means.
  double error(int32_t difference, int8_t value) const;
  // Rounded to the nearest.
  int8_t value(int32_t difference) const;
  // All of one output channel. Errors that add up shift the channel's output by their sum times the
  // mean of its inputs, so some are rounded the other way until the sum is at most half a step:
  // those that are nearest to it.
  std::vector<int8_t> channel(std::span<const int32_t> differences) const;
  // A bias counts in steps of input scale * weight scale. Ties go away from zero.
  int32_t bias(int32_t old_bias) const;

 private:
  double weighted_error(const DifferenceHistogram& differences) const;

  float old_scale_;
  float new_scale_;
};

}  // namespace lockstep::quantization
