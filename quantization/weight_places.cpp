#include "quantization/weight_places.h"

#include <algorithm>

#include "graph/operators.h"

namespace lockstep::quantization {

std::optional<WeightPlaces> weight_places(schema::BuiltinOperator code) {
  const OperatorRule* rule = find_rule(code);
  if (rule == nullptr) return std::nullopt;
  const auto position_of = [&](OperandRole role) {
    return static_cast<size_t>(std::find(rule->inputs.begin(), rule->inputs.end(), role) -
                               rule->inputs.begin());
  };
  const size_t weights = position_of(OperandRole::kWeights);
  if (weights == rule->inputs.size()) return std::nullopt;
  return WeightPlaces{.input = position_of(OperandRole::kActivation),
                      .weights = weights,
                      .bias = position_of(OperandRole::kBias),
                      .channel_axis = static_cast<size_t>(rule->channel_axis),
                      .may_be_per_channel = rule->weight_scales == WeightScales::kPerChannel};
}

int32_t input_at(const schema::OperatorT& op, size_t position) {
  return position < op.inputs.size() ? op.inputs[position] : graph::kAbsentTensor;
}

}  // namespace lockstep::quantization
