// Contents, zero points and scales for cases whose type, attributes and shapes are set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "conformance/generator.h"
#include "conformance/generators/contents.h"
#include "conformance/generators/weighted_case.h"
#include "graph/status.h"

namespace lockstep::conformance {

// What the default suite fills in never changes with a user's seed: its results can be recorded.
inline constexpr uint64_t kFillSeed = 1;

struct Filling {
  Pattern input = Pattern::kRandom;
  Pattern weights = Pattern::kRandom;
  bool has_bias = true;
  // int8 only: scales of the output channels between 1 and 1/8 of the largest.
  bool per_channel = false;
};

// Contents, a bias, and scales that spread the outputs over their range, with M a power of two or
// three quarters of one, so that ties are frequent. What is random follows from the case's name.
Status fill_case(WeightedCase& description, const Filling& filling);

// Zero points at both ends, in the middle and between, combined otherwise for every index; of int8
// weights always 0.
void set_zero_points(WeightedCase& description, size_t index);

// Contents that are not simply random.
struct ContentsCorner {
  const char* name;
  graph::DataType type;
  Filling filling;
  size_t zero_points;  // for set_zero_points()
};
std::vector<ContentsCorner> contents_corners();

// Every product is 255 * 128 (sign 1) or -255 * 128 (sign -1).
void fill_extreme_sum(WeightedCase& description, int32_t sign);

// Products of about 255 * 127, of one sign in even output channels and of the other in odd ones,
// with odd sums: beyond 2^24 float32 does not have those. Inputs are the lowest (sign -1) or the
// highest (sign 1): a kernel that multiplies x + 128 instead of x sees only zeros in the lowest.
void fill_sums_beyond_float32(WeightedCase& description, int32_t sign);
std::string name_of_sums_beyond_float32(int32_t sign, graph::DataType type);

// A bias at the end of int32 that leaves it when -input_zero_point * sum of weights is folded into
// it, while the accumulator does not.
void fill_wrapping_bias(WeightedCase& description, int32_t sign);

// options.random_cases further cases: `draw` sets attributes and shapes for a type, the rest is
// filled at random.
Result<std::vector<WeightedCase>> draw_cases(const GeneratorOptions& options,
                                             WeightedCase (*draw)(graph::DataType, Random&));

}  // namespace lockstep::conformance
