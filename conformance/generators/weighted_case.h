// Cases of one operator with weights: CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "conformance/case.h"
#include "graph/operators.h"
#include "graph/status.h"
#include "graph/tensor.h"

namespace lockstep::conformance {

using WeightedAttributes = std::variant<graph::Conv2dAttributes, graph::DepthwiseConv2dAttributes,
                                        graph::FullyConnectedAttributes>;

// Everything in the signed domain, see contents.h; the bias has the scale input * weights and the
// zero point 0, as engines want it.
struct WeightedCase {
  std::string name;  // without the family
  graph::DataType type = graph::DataType::kInt8;
  WeightedAttributes attributes;
  graph::Shape input_shape;
  graph::Shape weights_shape;
  float input_scale = 1.0f;
  int32_t input_zero_point = 0;
  // One, or one for each output channel.
  std::vector<float> weights_scales{1.0f};
  int32_t weights_zero_point = 0;
  float output_scale = 1.0f;
  int32_t output_zero_point = 0;
  std::vector<int8_t> input;
  std::vector<int8_t> weights;
  std::vector<int32_t> bias;  // one for each output channel; empty: the operator has none
};

// "conv_2d", "depthwise_conv_2d", "fully_connected"
std::string weighted_family(const WeightedAttributes& attributes);

int32_t output_channels(const WeightedCase& description);

// The fused activation, which all three kinds of attributes have.
graph::Activation& activation_of(WeightedAttributes& attributes);

// What the operator adds up, whatever its scales.
Result<std::vector<int32_t>> weighted_accumulators(const WeightedCase& description);

// The case, with its coverage measured (weighted_coverage.h).
Result<Case> build_case(const WeightedCase& description);

}  // namespace lockstep::conformance
