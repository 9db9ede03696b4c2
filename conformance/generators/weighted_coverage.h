// What a case of one CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED operator exercises, measured
// from the case itself: its operator is lowered under every contract, and its accumulators are
// computed. A generator that misses what it aims at leaves a hole.
#pragma once

#include <span>
#include <vector>

#include "conformance/case.h"
#include "graph/lowered_graph.h"
#include "graph/status.h"

namespace lockstep::conformance {

Result<std::vector<CoveragePoint>> measure_weighted_coverage(const Case& source);

// Of a lowered convolution of either kind; `input` is in the signed domain.
std::vector<int32_t> accumulators_of(const graph::LoweredOperation& operation,
                                     std::span<const int8_t> input);

// The extents around the widths of vectors and tiles.
inline constexpr int32_t kTails[] = {1, 3, 4, 5, 15, 16, 17, 31, 32, 33, 63, 64, 65};

// The scales whose ladder (weighted_corners.h) passes every tie of the output.
inline constexpr float kLadderScales[] = {0.5f, 0.25f,       0.75f,        0.375f,
                                          0.3f, 1.0f / 3.0f, 1.0f / 128.0f};

// A uint8 operator meets the same ends of kernels as an int8 one, so fewer of them do.
constexpr bool is_uint8_ladder(float scale) {
  return scale == 0.25f || scale == 0.375f || scale == 0.3f || scale == 1.0f / 3.0f;
}

}  // namespace lockstep::conformance
