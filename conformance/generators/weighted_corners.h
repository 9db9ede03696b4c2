// The corners of the arithmetic that CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED share.
//
// Most are ladders: cases whose accumulators are chosen one by one. One input value meets a weight
// of 1 and goes through all 256 values, so that output channel c has the consecutive accumulators
// bases[c] - 128 to bases[c] + 127; everything else adds up to nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "conformance/generator.h"
#include "conformance/generators/random.h"
#include "conformance/generators/weighted_case.h"
#include "graph/status.h"

namespace lockstep::conformance {

enum class WeightedKind : uint8_t { kConv2d, kDepthwiseConv2d, kFullyConnected };

struct Ladder {
  WeightedKind kind = WeightedKind::kConv2d;
  graph::DataType type = graph::DataType::kInt8;
  std::vector<int32_t> bases;  // one for each output channel
  // More products that add up to nothing: how many input channels there are; for depthwise
  // convolutions, more than 1 makes a 3x3 window whose middle alone counts.
  int32_t depth = 1;
  int32_t input_zero_point = 0;
  int32_t weights_zero_point = 0;
  // The accumulators' distances from their base, over and over; at most 256 of [-128, 127].
  std::vector<int8_t> steps;  // empty: all 256
};

// Scales, output and name are left to the caller. A base whose bias would leave int32 is moved.
WeightedCase make_ladder(const Ladder& ladder, Random& random);

// Every corner of the arithmetic, in one kind of operator.
std::vector<WeightedCase> arithmetic_corners(WeightedKind kind);

// Builds the cases and chooses the quick ones among the corners.
Result<std::vector<Case>> build_family(const std::vector<WeightedCase>& corners,
                                       const std::vector<WeightedCase>& random_cases,
                                       const std::vector<RequiredCoverage>& required);

}  // namespace lockstep::conformance
