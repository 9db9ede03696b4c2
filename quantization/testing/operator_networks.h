// A small float network for every operator that has an int8 rule, for tests.
#pragma once

#include <string>
#include <vector>

#include "quantization/model_editing.h"

namespace lockstep::quantization::testing {

struct OperatorNetwork {
  std::string name;  // of the operator, and what is special about this network
  schema::BuiltinOperator code{};
  schema::ModelT model;
};

// What the networks' inputs are drawn from.
inline constexpr float kOperatorInputMinimum = -6;
inline constexpr float kOperatorInputMaximum = 7;

std::vector<OperatorNetwork> operator_networks();

}  // namespace lockstep::quantization::testing
