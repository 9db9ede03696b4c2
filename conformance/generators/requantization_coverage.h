// What the end of a kernel is put through by the accumulators that it really meets. A corner counts
// as hit only where it shows: where getting it wrong would give another output byte.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "conformance/generators/measurement.h"
#include "graph/lowered_graph.h"

namespace lockstep::conformance {

// Dimensions and values, with R the name of the stage's rounding and S "positive" or "negative",
// the sign of the accumulator:
//   "rounding"    "R high multiply tie S"  the double roundings' first one is exactly half way
//                 "R shift tie S"          their second one is
//                 "R tie S"                the only rounding is (single)
//                 "R tie to lower S", "R tie to upper S"   (float32)
//                 "R conversion S"         rounding the accumulator to float32 shows
//                 "R conversion tie S"     and that it sends ties to even
//                 "R product S"            rounding the product to float32 shows
//                 "R last unit S"          the multiplier's last unit shows
//   "shift"       "R -31" ...              a shift by one more or one less shows; for left shifts
//   so
//                                          large that every result saturates: an accumulator != 0
//   "accumulator" "largest", "smallest"    2^31 - 1 and -2^31
//                 "inexact in float32 S"   needs more than 24 bits
//   "engine"      "left shift overflows", "zero point overflows"   what engines leave undefined
// `accumulators` is a tensor whose innermost dimension is the channel.
void measure_requantization(const graph::OutputStage& stage, std::span<const int32_t> accumulators,
                            CoveragePoints& points);

// The scales whose accumulators are consecutive from one that saturates at the bottom of the output
// to one that saturates at its top, so that they pass every tie there is.
std::vector<numerics::ChannelScale> complete_ladders(const graph::OutputStage& stage,
                                                     std::span<const int32_t> accumulators);

}  // namespace lockstep::conformance
