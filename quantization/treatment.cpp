#include "quantization/treatment.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "graph/operators.h"
#include "graph/tensor.h"
#include "quantization/fused_activation.h"
#include "quantization/operator_rules.h"

namespace lockstep::quantization {
namespace {

using graph::printable;
using schema::ActivationFunctionType;
using schema::BuiltinOperator;

class Chooser {
 public:
  Chooser(const schema::ModelT& model, const Ranges& ranges, const std::set<int32_t>& kept_outputs,
          bool borders_are_float)
      : model_(model),
        subgraph_(*model.subgraphs.front()),
        ranges_(ranges),
        kept_outputs_(kept_outputs),
        borders_are_float_(borders_are_float) {}

  std::vector<OperatorTreatment> choose() {
    for (const auto& op : subgraph_.operators) treatments_.push_back(treatment_of(*op));
    leave_moves_between_floats();
    return std::move(treatments_);
  }

 private:
  BuiltinOperator code_of(const schema::OperatorT& op) const {
    return BuiltinOperator{builtin_code(model_, op)};
  }

  const schema::TensorT* tensor(int32_t index) const {
    return index == graph::kAbsentTensor ? nullptr
                                         : subgraph_.tensors[static_cast<size_t>(index)].get();
  }

  OperatorTreatment treatment_of(const schema::OperatorT& op) const {
    if (!has_float(op)) return {Treatment::kUntouched, ""};
    if (auto reason = reason_for_float_operator(op)) {
      return {Treatment::kFloat, std::move(*reason)};
    }
    return {Treatment::kInt8, ""};
  }

  bool has_float(const schema::OperatorT& op) const {
    const auto is_float = [&](int32_t index) {
      return tensor(index) != nullptr && tensor(index)->type == schema::TensorType::FLOAT32;
    };
    return std::any_of(op.inputs.begin(), op.inputs.end(), is_float) ||
           std::any_of(op.outputs.begin(), op.outputs.end(), is_float);
  }

  std::optional<std::string> reason_for_float_operator(const schema::OperatorT& op) const {
    for (const int32_t output : op.outputs) {
      if (kept_outputs_.contains(output)) return "as asked for";
    }
    const BuiltinOperator code = code_of(op);
    const OperatorRule* rule = find_rule(code);
    if (rule == nullptr) return reason_for_float(code);
    if (const auto* activation = fused_activation(op);
        activation != nullptr && (*activation == ActivationFunctionType::TANH ||
                                  *activation == ActivationFunctionType::SIGN_BIT)) {
      return fmt::format("no int8 kernel has its fused {}",
                         schema::EnumNameActivationFunctionType(*activation));
    }
    if (code == BuiltinOperator::FULLY_CONNECTED &&
        op.builtin_options.AsFullyConnectedOptions() != nullptr &&
        op.builtin_options.AsFullyConnectedOptions()->weights_format !=
            schema::FullyConnectedOptionsWeightsFormat::DEFAULT) {
      return "its weights are shuffled";
    }
    bool reads_activation = false;
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      const schema::TensorT* operand = tensor(op.inputs[i]);
      if (operand == nullptr) continue;
      const OperandRole role = rule->input_role(i);
      if (auto reason = reason_of_operand(*rule, op, role, op.inputs[i])) return reason;
      reads_activation =
          reads_activation || (role == OperandRole::kActivation && !is_constant(model_, *operand));
    }
    for (size_t i = 0; i < op.outputs.size(); ++i) {
      if (rule->output_role(i) != OperandRole::kActivation) continue;
      if (auto reason = reason_of_activation(op.outputs[i])) return reason;
    }
    if (!reads_activation) return "all its inputs are constants";
    return std::nullopt;
  }

  std::optional<std::string> reason_of_operand(const OperatorRule& rule,
                                               const schema::OperatorT& op, OperandRole role,
                                               int32_t index) const {
    switch (role) {
      case OperandRole::kActivation:
        return reason_of_activation(index);
      case OperandRole::kWeights:
        return reason_of_weights(rule, *tensor(index));
      case OperandRole::kBias:
        return reason_of_bias(rule, op, *tensor(index));
      case OperandRole::kUnchanged:
        break;
    }
    return std::nullopt;
  }

  std::optional<std::string> reason_of_activation(int32_t index) const {
    const schema::TensorT& operand = *tensor(index);
    if (operand.type != schema::TensorType::FLOAT32) {
      return fmt::format("'{}' is {}", printable(operand.name),
                         schema::EnumNameTensorType(operand.type));
    }
    if (operand.is_variable) {
      return fmt::format("'{}' keeps its contents from run to run", printable(operand.name));
    }
    if (!is_constant(model_, operand) && !ranges_.contains(index)) {
      return fmt::format("the range of '{}' is not known", printable(operand.name));
    }
    return std::nullopt;
  }

  std::optional<std::string> reason_of_weights(const OperatorRule& rule,
                                               const schema::TensorT& weights) const {
    if (!is_constant(model_, weights)) return "its weights are computed at run time";
    if (weights.type != schema::TensorType::FLOAT32) {
      return fmt::format("its weights are {}", schema::EnumNameTensorType(weights.type));
    }
    if (weights.shape.size() <= static_cast<size_t>(rule.channel_axis)) {
      return "its weights have too few dimensions";
    }
    return std::nullopt;
  }

  std::optional<std::string> reason_of_bias(const OperatorRule& rule, const schema::OperatorT& op,
                                            const schema::TensorT& bias) const {
    if (!is_constant(model_, bias)) return "its bias is computed at run time";
    if (bias.type != schema::TensorType::FLOAT32) {
      return fmt::format("its bias is {}", schema::EnumNameTensorType(bias.type));
    }
    const schema::TensorT& weights = *tensor(op.inputs[*rule.position_of(OperandRole::kWeights)]);
    const int32_t channels = weights.shape[static_cast<size_t>(rule.channel_axis)];
    if (graph::element_count(bias.shape) != channels) {
      return fmt::format("its bias has shape {} for {} output channels",
                         graph::shape_to_string(bias.shape), channels);
    }
    return std::nullopt;
  }

  // An operator that only moves elements is int8 where that keeps a tensor int8 which some
  // arithmetic makes or wants so. Between floats it would add two roundings and save nothing.
  void leave_moves_between_floats() {
    std::set<int32_t> int8_tensors;
    if (!borders_are_float_) {
      int8_tensors.insert(subgraph_.inputs.begin(), subgraph_.inputs.end());
      int8_tensors.insert(subgraph_.outputs.begin(), subgraph_.outputs.end());
    }
    std::vector<size_t> moves;
    for (size_t i = 0; i < treatments_.size(); ++i) {
      if (treatments_[i].treatment != Treatment::kInt8) continue;
      const schema::OperatorT& op = *subgraph_.operators[i];
      if (find_rule(code_of(op))->scales == ScaleRule::kShared) {
        moves.push_back(i);
      } else {
        insert_activations(op, int8_tensors);
      }
    }
    // Forwards and backwards until nothing is found any more; two rounds where moves do not fork.
    for (size_t before = moves.size() + 1; moves.size() < before;) {
      before = moves.size();
      std::erase_if(moves, [&](size_t i) { return joins(*subgraph_.operators[i], int8_tensors); });
      std::reverse(moves.begin(), moves.end());
    }
    for (const size_t i : moves) {
      treatments_[i] = {Treatment::kFloat, "it stands between operators that stay float"};
    }
  }

  void insert_activations(const schema::OperatorT& op, std::set<int32_t>& tensors) const {
    const OperatorRule& rule = *find_rule(code_of(op));
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      const schema::TensorT* operand = tensor(op.inputs[i]);
      if (operand != nullptr && rule.input_role(i) == OperandRole::kActivation &&
          !is_constant(model_, *operand)) {
        tensors.insert(op.inputs[i]);
      }
    }
    for (size_t i = 0; i < op.outputs.size(); ++i) {
      if (rule.output_role(i) == OperandRole::kActivation) tensors.insert(op.outputs[i]);
    }
  }

  // Whether a moving operator touches int8; then all its tensors are int8 too.
  bool joins(const schema::OperatorT& op, std::set<int32_t>& int8_tensors) const {
    std::set<int32_t> own;
    insert_activations(op, own);
    const bool touches = std::any_of(own.begin(), own.end(),
                                     [&](int32_t index) { return int8_tensors.contains(index); });
    if (touches) int8_tensors.merge(own);
    return touches;
  }

  const schema::ModelT& model_;
  const schema::SubGraphT& subgraph_;
  const Ranges& ranges_;
  const std::set<int32_t>& kept_outputs_;
  bool borders_are_float_;
  std::vector<OperatorTreatment> treatments_;
};

}  // namespace

Result<std::set<int32_t>> find_kept_outputs(const schema::ModelT& model,
                                            std::span<const std::string> selectors) {
  const schema::SubGraphT& subgraph = *model.subgraphs.front();
  std::set<int32_t> kept;
  for (const std::string& selector : selectors) {
    bool is_used = false;
    for (const auto& entry : subgraph.operators) {
      const schema::OperatorT& op = *entry;
      const bool is_selected =
          selector == operator_name(model, op) ||
          std::any_of(op.outputs.begin(), op.outputs.end(), [&](int32_t output) {
            return output >= 0 && subgraph.tensors[static_cast<size_t>(output)]->name == selector;
          });
      if (!is_selected) continue;
      is_used = true;
      kept.insert(op.outputs.begin(), op.outputs.end());
    }
    if (!is_used) {
      return make_error(ErrorCode::kInvalidArgument,
                        "no operator is called '{0}' or makes a tensor of that name",
                        printable(selector));
    }
  }
  return kept;
}

std::vector<OperatorTreatment> choose_treatments(const schema::ModelT& model, const Ranges& ranges,
                                                 const std::set<int32_t>& kept_outputs,
                                                 bool borders_are_float) {
  return Chooser(model, ranges, kept_outputs, borders_are_float).choose();
}

}  // namespace lockstep::quantization
