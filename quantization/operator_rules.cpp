#include "quantization/operator_rules.h"

#include <algorithm>
#include <map>

namespace lockstep::quantization {
namespace {

using schema::BuiltinOperator;

constexpr OperandRole kActivation = OperandRole::kActivation;
constexpr OperandRole kWeights = OperandRole::kWeights;
constexpr OperandRole kBias = OperandRole::kBias;
constexpr OperandRole kUnchanged = OperandRole::kUnchanged;

OperatorRule free(BuiltinOperator code, int32_t version) {
  return {.code = code, .version = version};
}

// The weights' operators have their input in other places, but always these three roles.
OperatorRule weighted(BuiltinOperator code, int32_t version, std::vector<OperandRole> inputs,
                      WeightScales weight_scales, int32_t channel_axis) {
  return {.code = code,
          .version = version,
          .inputs = std::move(inputs),
          .weight_scales = weight_scales,
          .channel_axis = channel_axis};
}

OperatorRule shared(BuiltinOperator code, int32_t version,
                    std::vector<OperandRole> inputs = {kActivation, kUnchanged},
                    std::vector<OperandRole> outputs = {kActivation}) {
  return {.code = code,
          .version = version,
          .scales = ScaleRule::kShared,
          .inputs = std::move(inputs),
          .outputs = std::move(outputs)};
}

OperatorRule fixed(BuiltinOperator code, int32_t version, Affine output) {
  return {.code = code, .version = version, .scales = ScaleRule::kFixed, .fixed_output = output};
}

// Reads int8, answers with integers or truth values.
OperatorRule answering(BuiltinOperator code, int32_t version, std::vector<OperandRole> inputs) {
  return {.code = code, .version = version, .inputs = std::move(inputs), .outputs = {kUnchanged}};
}

std::vector<OperatorRule> make_rules() {
  return {
      // Weights.
      weighted(BuiltinOperator::CONV_2D, 3, {kActivation, kWeights, kBias},
               WeightScales::kPerChannel, 0),
      weighted(BuiltinOperator::DEPTHWISE_CONV_2D, 3, {kActivation, kWeights, kBias},
               WeightScales::kPerChannel, 3),
      weighted(BuiltinOperator::TRANSPOSE_CONV, 3, {kUnchanged, kWeights, kActivation, kBias},
               WeightScales::kPerChannel, 0),
      weighted(BuiltinOperator::FULLY_CONNECTED, 4, {kActivation, kWeights, kBias},
               WeightScales::kPerTensor, 0),

      // Arithmetic that rescales by itself.
      free(BuiltinOperator::ABS, 2),
      free(BuiltinOperator::ADD, 2),
      free(BuiltinOperator::BATCH_MATMUL, 2),
      free(BuiltinOperator::ELU, 1),
      free(BuiltinOperator::GELU, 1),
      free(BuiltinOperator::HARD_SWISH, 1),
      free(BuiltinOperator::LEAKY_RELU, 1),
      free(BuiltinOperator::MUL, 2),
      free(BuiltinOperator::PRELU, 1),
      free(BuiltinOperator::RELU, 2),
      free(BuiltinOperator::RELU6, 2),
      free(BuiltinOperator::RELU_N1_TO_1, 1),
      free(BuiltinOperator::SQUARED_DIFFERENCE, 2),
      free(BuiltinOperator::SUB, 2),
      {.code = BuiltinOperator::MEAN, .version = 2, .inputs = {kActivation, kUnchanged}},
      {.code = BuiltinOperator::SUM, .version = 2, .inputs = {kActivation, kUnchanged}},

      // Outputs whose range the function itself bounds.
      fixed(BuiltinOperator::LOGISTIC, 2, {.scale = 1.0f / 256.0f, .zero_point = -128}),
      fixed(BuiltinOperator::SOFTMAX, 2, {.scale = 1.0f / 256.0f, .zero_point = -128}),
      fixed(BuiltinOperator::LOG_SOFTMAX, 2, {.scale = 16.0f / 256.0f, .zero_point = 127}),
      fixed(BuiltinOperator::TANH, 2, {.scale = 1.0f / 128.0f, .zero_point = 0}),
      fixed(BuiltinOperator::L2_NORMALIZATION, 2, {.scale = 1.0f / 128.0f, .zero_point = 0}),

      // Integers that are moved, selected, averaged or compared as they are.
      shared(BuiltinOperator::AVERAGE_POOL_2D, 2),
      shared(BuiltinOperator::BATCH_TO_SPACE_ND, 2),
      shared(BuiltinOperator::BROADCAST_TO, 3),
      shared(BuiltinOperator::CONCATENATION, 2, {kActivation}),
      shared(BuiltinOperator::DEPTH_TO_SPACE, 2),
      shared(BuiltinOperator::EXPAND_DIMS, 1),
      shared(BuiltinOperator::GATHER, 2),
      shared(BuiltinOperator::GATHER_ND, 1),
      shared(BuiltinOperator::MAXIMUM, 2, {kActivation}),
      shared(BuiltinOperator::MAX_POOL_2D, 2),
      shared(BuiltinOperator::MINIMUM, 2, {kActivation}),
      shared(BuiltinOperator::MIRROR_PAD, 2),
      shared(BuiltinOperator::PACK, 2, {kActivation}),
      shared(BuiltinOperator::PAD, 2),
      shared(BuiltinOperator::PADV2, 2, {kActivation, kUnchanged, kActivation}),
      shared(BuiltinOperator::REDUCE_MAX, 2),
      shared(BuiltinOperator::REDUCE_MIN, 2),
      shared(BuiltinOperator::RESHAPE, 1),
      shared(BuiltinOperator::RESIZE_BILINEAR, 2),
      shared(BuiltinOperator::RESIZE_NEAREST_NEIGHBOR, 2),
      shared(BuiltinOperator::REVERSE_V2, 3),
      shared(BuiltinOperator::SELECT, 2, {kUnchanged, kActivation}),
      shared(BuiltinOperator::SELECT_V2, 1, {kUnchanged, kActivation}),
      shared(BuiltinOperator::SLICE, 2),
      shared(BuiltinOperator::SPACE_TO_BATCH_ND, 2),
      shared(BuiltinOperator::SPACE_TO_DEPTH, 2),
      shared(BuiltinOperator::SPLIT, 2, {kUnchanged, kActivation}),
      shared(BuiltinOperator::SPLIT_V, 2),
      shared(BuiltinOperator::SQUEEZE, 1),
      shared(BuiltinOperator::STRIDED_SLICE, 2),
      shared(BuiltinOperator::TILE, 3),
      shared(BuiltinOperator::TOPK_V2, 2, {kActivation, kUnchanged}, {kActivation, kUnchanged}),
      shared(BuiltinOperator::TRANSPOSE, 2),
      shared(BuiltinOperator::UNPACK, 2),

      // Questions.
      answering(BuiltinOperator::ARG_MAX, 2, {kActivation, kUnchanged}),
      answering(BuiltinOperator::ARG_MIN, 2, {kActivation, kUnchanged}),
      answering(BuiltinOperator::EQUAL, 2, {kActivation}),
      answering(BuiltinOperator::GREATER, 2, {kActivation}),
      answering(BuiltinOperator::GREATER_EQUAL, 2, {kActivation}),
      answering(BuiltinOperator::LESS, 2, {kActivation}),
      answering(BuiltinOperator::LESS_EQUAL, 2, {kActivation}),
      answering(BuiltinOperator::NOT_EQUAL, 2, {kActivation}),
  };
}

OperandRole role_at(const std::vector<OperandRole>& roles, size_t position) {
  return roles[std::min(position, roles.size() - 1)];
}

}  // namespace

OperandRole OperatorRule::input_role(size_t position) const { return role_at(inputs, position); }

OperandRole OperatorRule::output_role(size_t position) const { return role_at(outputs, position); }

const OperatorRule* find_rule(BuiltinOperator code) {
  static const std::map<BuiltinOperator, OperatorRule> rules = [] {
    std::map<BuiltinOperator, OperatorRule> by_code;
    for (OperatorRule& rule : make_rules()) by_code.emplace(rule.code, std::move(rule));
    return by_code;
  }();
  const auto rule = rules.find(code);
  return rule == rules.end() ? nullptr : &rule->second;
}

std::optional<size_t> OperatorRule::position_of(OperandRole role) const {
  const auto found = std::find(inputs.begin(), inputs.end(), role);
  if (found == inputs.end()) return std::nullopt;
  return static_cast<size_t>(found - inputs.begin());
}

std::string reason_for_float(BuiltinOperator code) {
  switch (code) {
    case BuiltinOperator::CUSTOM:
      return "it is a custom operator";
    case BuiltinOperator::CALL:
    case BuiltinOperator::CALL_ONCE:
    case BuiltinOperator::IF:
    case BuiltinOperator::WHILE:
      return "it calls other subgraphs, which stay float";
    case BuiltinOperator::BIDIRECTIONAL_SEQUENCE_LSTM:
    case BuiltinOperator::BIDIRECTIONAL_SEQUENCE_RNN:
    case BuiltinOperator::LSTM:
    case BuiltinOperator::RNN:
    case BuiltinOperator::SVDF:
    case BuiltinOperator::UNIDIRECTIONAL_SEQUENCE_LSTM:
    case BuiltinOperator::UNIDIRECTIONAL_SEQUENCE_RNN:
      return "it keeps state from step to step";
    case BuiltinOperator::QUANTIZE:
    case BuiltinOperator::DEQUANTIZE:
      return "it converts what is quantized already";
    case BuiltinOperator::RSQRT:
      return "its int8 kernel refuses a zero";
    case BuiltinOperator::SCATTER_ND:
    case BuiltinOperator::SPARSE_TO_DENSE:
      return "its int8 kernel fills with integer zeros, whatever number these stand for";
    default:
      return "TFLite 2.9 has no int8 kernel for it";
  }
}

}  // namespace lockstep::quantization
