#include "quantization/signed_operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "graph/graph.h"
#include "quantization/operator_rules.h"

namespace lockstep::quantization {
namespace {

using schema::BuiltinOperator;
using schema::TensorType;

// One operator and the tensors around it.
class Chooser {
 public:
  Chooser(const schema::ModelT& model, const schema::SubGraphT& subgraph,
          const schema::OperatorT& op)
      : model_(model), subgraph_(subgraph), op_(op), code_{builtin_code(model, op)} {}

  SignedChoice choose() const {
    if (!touches_uint8(op_.inputs) && !touches_uint8(op_.outputs)) return {};
    if (code_ == BuiltinOperator::QUANTIZE || code_ == BuiltinOperator::DEQUANTIZE) {
      return {.treatment = SignedTreatment::kEither, .reason = {}, .rounding = {}};
    }
    if (auto obstacle = find_obstacle()) {
      return {.treatment = SignedTreatment::kUint8, .reason = *std::move(obstacle), .rounding = {}};
    }
    return {.treatment = SignedTreatment::kInt8, .reason = {}, .rounding = other_rounding()};
  }

 private:
  const schema::TensorT& tensor(int32_t index) const {
    return *subgraph_.tensors[static_cast<size_t>(index)];
  }

  bool touches_uint8(const std::vector<int32_t>& indices) const {
    return std::any_of(indices.begin(), indices.end(), [&](int32_t index) {
      return index != graph::kAbsentTensor && is_quantized_uint8(tensor(index));
    });
  }

  std::optional<std::string> find_obstacle() const {
    if (code_ == BuiltinOperator::CUSTOM) {
      return operator_name(model_, op_) == "TFLite_Detection_PostProcess"
                 ? "its kernel takes uint8 and float32, but not int8"
                 : "it is a custom operator, of which nobody knows whether it takes int8";
    }
    const OperatorRule* rule = find_rule(code_);
    if (rule == nullptr) return "TFLite 2.9 has no int8 kernel for it, or one that keeps state";
    for (size_t i = 0; i < op_.inputs.size(); ++i) {
      if (op_.inputs[i] == graph::kAbsentTensor) continue;
      if (auto obstacle = tensor_obstacle(op_.inputs[i], rule->input_role(i))) return obstacle;
    }
    for (size_t i = 0; i < op_.outputs.size(); ++i) {
      if (op_.outputs[i] == graph::kAbsentTensor) continue;
      if (auto obstacle = tensor_obstacle(op_.outputs[i], rule->output_role(i))) return obstacle;
    }
    const auto* fully_connected = op_.builtin_options.AsFullyConnectedOptions();
    if (fully_connected != nullptr &&
        fully_connected->weights_format != schema::FullyConnectedOptionsWeightsFormat::DEFAULT) {
      return "its weights are in a shuffled layout, which only uint8 kernels read";
    }
    return std::nullopt;
  }

  std::optional<std::string> tensor_obstacle(int32_t index, OperandRole role) const {
    if (role != OperandRole::kActivation && role != OperandRole::kWeights) return std::nullopt;
    const schema::TensorT& operand = tensor(index);
    const std::string name = graph::printable(operand.name);
    if (operand.type != TensorType::UINT8) {
      return fmt::format("'{}' is {}", name, schema::EnumNameTensorType(operand.type));
    }
    if (!is_quantized_uint8(operand)) return fmt::format("'{}' has no single scale", name);
    if (operand.is_variable) return fmt::format("'{}' keeps its contents from run to run", name);
    // Matrix products read the zero point of int8 weights, convolutions do not.
    if (role == OperandRole::kWeights && code_ != BuiltinOperator::FULLY_CONNECTED &&
        !is_constant(model_, operand)) {
      return fmt::format("its weights '{}' are computed at run time, which int8 takes as symmetric",
                         name);
    }
    return std::nullopt;
  }

  std::string other_rounding() const {
    switch (code_) {
      case BuiltinOperator::CONV_2D:
      case BuiltinOperator::DEPTHWISE_CONV_2D:
      case BuiltinOperator::TRANSPOSE_CONV:
        return "input and weight scale are multiplied in double; for uint8 in float32";
      case BuiltinOperator::AVERAGE_POOL_2D:
        return may_average_an_even_count()
                   ? "averages that end in one half go away from zero; for uint8 upwards"
                   : "";
      case BuiltinOperator::L2_NORMALIZATION:
        return "products inside are rounded otherwise than for uint8";
      case BuiltinOperator::MEAN:
        return "the sum is rounded in other steps than for uint8";
      case BuiltinOperator::RESIZE_BILINEAR:
        return "positions are fixed-point numbers; for uint8 float32";
      case BuiltinOperator::CONCATENATION:
        return joins_different_scales()
                   ? "inputs of another scale go through QUANTIZE; for uint8 the kernel rescales"
                   : "";
      default:
        return "";
    }
  }

  // At the border of an image a SAME window is smaller.
  bool may_average_an_even_count() const {
    const auto* pool = op_.builtin_options.AsPool2DOptions();
    if (pool == nullptr || pool->padding == schema::Padding::SAME) return true;
    return pool->filter_height % 2 == 0 || pool->filter_width % 2 == 0;
  }

  bool joins_different_scales() const {
    const auto& output = *tensor(op_.outputs.front()).quantization;
    return std::any_of(op_.inputs.begin(), op_.inputs.end(), [&](int32_t input) {
      const auto& quantization = *tensor(input).quantization;
      return quantization.scale != output.scale || quantization.zero_point != output.zero_point;
    });
  }

  const schema::ModelT& model_;
  const schema::SubGraphT& subgraph_;
  const schema::OperatorT& op_;
  BuiltinOperator code_;
};

}  // namespace

bool is_quantized_uint8(const schema::TensorT& tensor) {
  if (tensor.type != TensorType::UINT8 || tensor.quantization == nullptr) return false;
  const schema::QuantizationParametersT& quantization = *tensor.quantization;
  return tensor.sparsity == nullptr &&
         quantization.details.type == schema::QuantizationDetails::NONE &&
         quantization.scale.size() == 1 && quantization.zero_point.size() == 1 &&
         std::isfinite(quantization.scale.front()) && quantization.scale.front() > 0 &&
         quantization.zero_point.front() >= 0 && quantization.zero_point.front() <= 255;
}

std::vector<SignedChoice> choose_signed_operators(const schema::ModelT& model,
                                                  const schema::SubGraphT& subgraph) {
  std::vector<SignedChoice> choices;
  choices.reserve(subgraph.operators.size());
  for (const auto& op : subgraph.operators) {
    choices.push_back(Chooser(model, subgraph, *op).choose());
  }
  return choices;
}

}  // namespace lockstep::quantization
