// TFLite's int8 quantization specification, operator by operator, as data: which operands become
// int8 or int32, whose scales hang together, and which version of the operator takes int8. Every
// rule is one that TFLite 2.9 loads and runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "quantization/affine.h"
#include "quantization/model_editing.h"

namespace lockstep::quantization {

// What an operand becomes.
enum class OperandRole : uint8_t {
  kActivation,  // int8, asymmetric, one scale; constants in this place too
  kWeights,    // int8 constant, symmetric in [-127, 127], one scale an output channel or one in all
  kBias,       // int32 constant with zero point 0 and scale = input scale * weight scale
  kUnchanged,  // shapes, indices, conditions
};

// How the scales of an operator's activations hang together.
enum class ScaleRule : uint8_t {
  kFree,    // each has its own
  kShared,  // all inputs and outputs have the same: the kernel copies or compares integers
  kFixed,   // the output's is a constant of the kernel
};

enum class WeightScales : uint8_t { kPerTensor, kPerChannel };

struct OperatorRule {
  schema::BuiltinOperator code{};
  int32_t version = 1;  // the least one that takes int8
  ScaleRule scales = ScaleRule::kFree;
  // The last role is also that of all operands behind it.
  std::vector<OperandRole> inputs = {OperandRole::kActivation};
  std::vector<OperandRole> outputs = {OperandRole::kActivation};
  WeightScales weight_scales = WeightScales::kPerTensor;
  int32_t channel_axis = 0;  // dimension of the weights that counts output channels
  Affine fixed_output{};     // kFixed

  OperandRole input_role(size_t position) const;
  OperandRole output_role(size_t position) const;
  // The first input that has a role of its own.
  std::optional<size_t> position_of(OperandRole role) const;
};

// Null where the operator stays float.
const OperatorRule* find_rule(schema::BuiltinOperator code);

// Why an operator without a rule stays float, for a person.
std::string reason_for_float(schema::BuiltinOperator code);

}  // namespace lockstep::quantization
