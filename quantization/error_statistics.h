// How far one tensor is from another, over any number of samples. With a the expected values and b
// the actual ones, all sums over all elements of all samples:
//   L2      sqrt(sum of (a - b)^2 / samples): the root mean square of the samples' error norms
//   SQNR    10 * log10(sum of a^2 / sum of (a - b)^2), in decibels
//   cosine  sum of a * b / sqrt(sum of a^2 * sum of b^2)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace lockstep::quantization {

class ErrorStatistics {
 public:
  // Takes in one sample of the tensor. Precondition: as many values of both kinds.
  void add(std::span<const float> expected, std::span<const float> actual);
  // Takes in what another one has seen of other samples.
  void add(const ErrorStatistics& other);

  uint64_t samples() const { return samples_; }
  uint64_t elements() const { return elements_; }
  // Elements where one side is NaN or infinite and the other is not the same. All other figures
  // leave them out; a comparison with any has failed.
  uint64_t incomparable() const { return incomparable_; }

  double largest_error() const { return largest_error_; }
  double mean_error() const;  // of (b - a): what a bias would take away
  double l2() const;
  // Infinite where nothing differs; minus infinity where all of `a` is zero and `b` is not.
  double sqnr() const;
  // 1 where both are zero, 0 where one is.
  double cosine() const;

 private:
  uint64_t samples_ = 0;
  uint64_t elements_ = 0;
  uint64_t incomparable_ = 0;
  double largest_error_ = 0;
  double error_ = 0;
  double squared_error_ = 0;
  double expected_energy_ = 0;
  double actual_energy_ = 0;
  double product_ = 0;
};

// SQNR of values spread evenly over a range and rounded to one of 256 steps: 20 * log10(256).
inline constexpr double kEightBitSqnr = 48.164799306236996;

}  // namespace lockstep::quantization
