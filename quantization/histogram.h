// How often a tensor took which values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quantization/affine.h"

namespace lockstep::quantization {

// Counts finite values in bins of equal width and grows with what it sees, in one pass. Bin i holds
// [i, i + 1) * width for every integer i, and the width is a power of two: when the bins have to
// become wider, each is two of the old ones, so that a histogram that grew is the one that had
// known its range from the beginning. Exact zeros, which ReLU makes many of and every scale
// represents, are counted by themselves.
class Histogram {
 public:
  // 64 for each of the 256 levels of 8 bits, if the bins are all used; at least half are.
  static constexpr size_t kBins = 16384;
  // Bins are at least 2^this wide, so that 1 / width is a normal float32.
  static constexpr int kSmallestExponent = -120;

  // Precondition: the values are finite.
  void add(std::span<const float> values);

  uint64_t count() const { return count_; }  // zeros included
  uint64_t zeros() const { return zeros_; }
  float minimum() const { return minimum_; }  // 0 while nothing was counted
  float maximum() const { return maximum_; }
  TensorRange range() const { return {.minimum = minimum_, .maximum = maximum_}; }

  // The bins that are not empty, ascending, without the zeros.
  struct Bin {
    double lower = 0;
    double upper = 0;
    uint64_t count = 0;

    // What stands for all its values.
    double centre() const { return (lower + upper) / 2; }
  };
  std::vector<Bin> bins() const;

 private:
  // Makes every value from `minimum` to `maximum` fall into a bin.
  void cover(float minimum, float maximum);

  std::vector<uint64_t> counts_;  // of bins first_, first_ + 1, ...; empty until something is added
  int64_t first_ = 0;
  int exponent_ = kSmallestExponent;  // width = 2^exponent
  uint64_t count_ = 0;
  uint64_t zeros_ = 0;
  float minimum_ = 0;
  float maximum_ = 0;
};

}  // namespace lockstep::quantization
