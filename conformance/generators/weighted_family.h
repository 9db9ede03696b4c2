// How the cases of CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED come together: the corners of the
// arithmetic that they share, what each adds, and random ones.
#pragma once

#include <span>
#include <vector>

#include "conformance/case.h"
#include "conformance/generator.h"
#include "conformance/generators/random.h"
#include "conformance/generators/weighted_case.h"
#include "conformance/generators/weighted_corners.h"
#include "graph/status.h"

namespace lockstep::conformance {

struct WeightedFamily {
  WeightedKind kind = WeightedKind::kConv2d;
  // Corners of this kind of operator alone, appended in order.
  std::span<Status (*const)(std::vector<WeightedCase>&)> additions;
  std::vector<WeightedCase> (*extreme_sums)();
  // A random case: see draw_cases().
  WeightedCase (*draw)(graph::DataType, Random&);
  std::vector<RequiredCoverage> (*required_coverage)();
};

Result<std::vector<Case>> generate_weighted_family(const WeightedFamily& family,
                                                   const GeneratorOptions& options);

}  // namespace lockstep::conformance
