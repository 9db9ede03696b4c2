// Operators that multiply by weights, and where each has what.
#pragma once

#include <cstddef>
#include <optional>

#include "quantization/model_editing.h"
#include "quantization/operator_rules.h"

namespace lockstep::quantization {

// Positions among the operator's inputs. The bias may be absent.
struct WeightPlaces {
  size_t input = 0;
  size_t weights = 0;
  size_t bias = 0;
  size_t channel_axis = 0;          // dimension of the weights that counts output channels
  bool may_be_per_channel = false;  // whether the int8 kernel takes a scale for each of them
};

// nullopt where the operator has no weights.
std::optional<WeightPlaces> weight_places(schema::BuiltinOperator code);

// The tensor at a position, which operators may leave out at the end.
int32_t input_at(const schema::OperatorT& op, size_t position);

}  // namespace lockstep::quantization
