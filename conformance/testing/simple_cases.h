// Small cases for tests of the suite's own machinery.
#pragma once

#include <string>

#include "conformance/case.h"

namespace lockstep::conformance::testing {

// CONV_2D 2x2 over 1x3x3x2, int8, ordinary values. `name` is that of the case and of its graph.
Case convolution_case(const std::string& name);

// RELU of eight int8 values: no accumulators, the same in every contract.
Case relu_case(const std::string& name);

// CONV_2D, then SOFTMAX, which no accelerator computes, then RELU.
Case network_case(const std::string& name);

}  // namespace lockstep::conformance::testing
