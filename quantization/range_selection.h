// Which part of what a tensor was seen with its integers should stand for: clipping a few values
// makes the steps for all others finer.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "quantization/affine.h"
#include "quantization/histogram.h"

namespace lockstep::quantization {

enum class RangeMethod : uint8_t {
  kMinMax,      // everything that was seen
  kPercentile,  // without the outermost values
  kMse,         // the least squared error
  kEntropy,     // the least loss of information
};
std::string_view range_method_name(RangeMethod method);  // "minmax", "percentile", "mse", "entropy"
std::optional<RangeMethod> parse_range_method(std::string_view name);

struct RangeOptions {
  RangeMethod method = RangeMethod::kMinMax;
  // For kPercentile: this many of 100 values are kept; as many are cut off at either end.
  double percentile = 99.99;
};

// For 8-bit integers. The result holds zero, is not empty, and goes no further than what was seen
// except for that (widened() in affine.h).
//
//   percentile  from the (100 - p) / 2 to the (100 + p) / 2 percentile, straight lines inside bins.
//   mse         the minimum of  sum of count * (centre - dequantize(quantize(centre)))^2  over the
//               bins, clipped ones included.
//   entropy     the minimum of the Kullback-Leibler divergence  sum of p * log(p / q)  over the
//               bins inside the range. P is how often values fall into them, where what is clipped
//               goes to the outermost. Q is what the integers can tell of that: all bins of one
//               integer share its count equally, and know nothing of what was clipped. Zeros, which
//               every range represents, are left out of both. This is the criterion that
//               Szymon Migacz described for TensorRT in 2017, for ranges with two free ends.
//               Where a tensor takes few different values, clipping most of them would look cheap:
//               99 % are kept in any case.
//
// Both search the ends among fractions of what was seen: first both ends alike, then one after the
// other as long as it helps.
TensorRange choose_range(const Histogram& histogram, const RangeOptions& options);

}  // namespace lockstep::quantization
