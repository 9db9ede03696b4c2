// A small float network for every operator that has an int8 rule, for tests.
#pragma once

#include <string>
#include <vector>

#include "graph/tflite_schema_generated.h"

namespace lockstep::quantization::testing {

struct OperatorNetwork {
  std::string name;  // of the operator, and what is special about this network
  graph::schema::BuiltinOperator code{};
  graph::schema::ModelT model;  // its operator stands first
  float input_minimum = -1;     // what its inputs are drawn from
  float input_maximum = 1;
};

std::vector<OperatorNetwork> operator_networks();

}  // namespace lockstep::quantization::testing
