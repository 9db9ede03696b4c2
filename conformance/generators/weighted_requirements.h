// What the families of operators with weights promise to cover (weighted_coverage.h measures it).
#pragma once

#include <vector>

#include "conformance/generator.h"
#include "conformance/generators/weighted_corners.h"

namespace lockstep::conformance {

// Types, quantization, rounding, activations, contents and tails.
std::vector<RequiredCoverage> required_of_arithmetic(WeightedKind kind);

// Windows over images: CONV_2D and DEPTHWISE_CONV_2D.
std::vector<RequiredCoverage> required_of_windows();

// The part of it that the quick suite covers too: every dimension, but not each of its values.
std::vector<RequiredCoverage> quick_coverage(std::vector<RequiredCoverage> required);

}  // namespace lockstep::conformance
