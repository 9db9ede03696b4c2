#include "quantization/int8_quantizer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <utility>

#include "graph/operators.h"
#include "graph/tensor.h"
#include "quantization/finite_constants.h"
#include "quantization/fully_connected_as_convolution.h"
#include "quantization/fused_activation.h"
#include "quantization/int8_scales.h"
#include "quantization/layer_parameters.h"
#include "quantization/operator_rules.h"

namespace lockstep::quantization {
namespace {

using schema::BuiltinOperator;
using schema::TensorType;

// From the zero point of an int8 tensor to that of uint8 with the same real values.
constexpr int64_t kUint8Offset = 128;

std::unique_ptr<schema::QuantizationParametersT> parameters_of(std::vector<float> scales,
                                                               int64_t zero_point, int32_t axis) {
  auto parameters = std::make_unique<schema::QuantizationParametersT>();
  parameters->zero_point.assign(scales.size(), zero_point);
  parameters->scale = std::move(scales);
  parameters->quantized_dimension = axis;
  return parameters;
}

// Writes the network anew, operator by operator. Every activation has up to two versions, int8 and
// float; what is missing is made by a conversion in front of the first operator that wants it.
class Rewriter {
 public:
  Rewriter(schema::ModelT& model, const Int8Scales& scales,
           std::span<const OperatorTreatment> treatments, BorderType borders)
      : model_(model),
        subgraph_(*model.subgraphs.front()),
        scales_(scales),
        treatments_(treatments),
        borders_(borders) {}

  Status rewrite() {
    settle_versions();
    std::vector<std::unique_ptr<schema::OperatorT>> operators =
        std::exchange(subgraph_.operators, {});
    for (size_t i = 0; i < operators.size(); ++i) {
      if (treatments_[i].treatment == Treatment::kInt8) {
        if (Status status = make_int8(i, *operators[i]); !status) return status;
      } else {
        read_floats(*operators[i]);
      }
      subgraph_.operators.push_back(std::move(operators[i]));
    }
    for (const int32_t output : subgraph_.outputs) provide(output);
    return {};
  }

  size_t added_conversions() const { return added_conversions_; }

 private:
  struct Conversion {
    BuiltinOperator code;  // QUANTIZE or DEQUANTIZE
    int32_t source = 0;
  };

  schema::TensorT& tensor(int32_t index) { return *subgraph_.tensors[static_cast<size_t>(index)]; }

  // ---- Tensors ----

  void settle_versions() {
    const std::set<int32_t> inputs(subgraph_.inputs.begin(), subgraph_.inputs.end());
    const std::set<int32_t> outputs(subgraph_.outputs.begin(), subgraph_.outputs.end());
    const std::set<int32_t> made_as_int8 = tensors_of_int8_operators();
    for (const auto& [index, affine] : scales_.of_tensor) {
      const bool is_border = inputs.contains(index) || outputs.contains(index);
      if (!made_as_int8.contains(index) && !inputs.contains(index)) {
        // Made by an operator that stays float.
        float_version_[index] = index;
        add_int8_version(index, affine, "_int8", BuiltinOperator::QUANTIZE);
      } else if (!is_border || borders_ == BorderType::kInt8) {
        int8_version_[index] = index;
        become_int8(tensor(index), affine);
      } else {
        settle_border(index, affine, inputs.contains(index));
      }
    }
  }

  std::set<int32_t> tensors_of_int8_operators() const {
    std::set<int32_t> made;
    for (size_t i = 0; i < treatments_.size(); ++i) {
      if (treatments_[i].treatment != Treatment::kInt8) continue;
      const auto& made_here = subgraph_.operators[i]->outputs;
      made.insert(made_here.begin(), made_here.end());
    }
    return made;
  }

  // The tensor of the border keeps its place and name; the int8 one stands behind it.
  void settle_border(int32_t index, Affine affine, bool is_input) {
    const bool is_float = borders_ == BorderType::kFloat32;
    if (is_float) float_version_[index] = index;
    if (is_input) {
      add_int8_version(index, affine, "_int8", BuiltinOperator::QUANTIZE);
    } else {
      int8_version_[index] = add_copy(index, "_int8");
      become_int8(tensor(int8_version_[index]), affine);
      conversions_[index] = {is_float ? BuiltinOperator::DEQUANTIZE : BuiltinOperator::QUANTIZE,
                             int8_version_[index]};
    }
    if (!is_float) {
      become_int8(tensor(index), affine);
      tensor(index).type = TensorType::UINT8;
      tensor(index).quantization->zero_point.front() += kUint8Offset;
    }
  }

  void add_int8_version(int32_t source, Affine affine, const char* suffix, BuiltinOperator code) {
    const int32_t added = add_copy(source, suffix);
    become_int8(tensor(added), affine);
    conversions_[added] = {code, source};
    int8_version_[source] = added;
  }

  // A tensor of the same shape with another name.
  int32_t add_copy(int32_t source, const char* suffix) {
    schema::TensorT copy;
    copy.name = unused_name(tensor(source).name + suffix);
    copy.type = tensor(source).type;
    copy.shape = tensor(source).shape;
    copy.shape_signature = tensor(source).shape_signature;
    copy.has_rank = tensor(source).has_rank;
    return add_tensor(subgraph_, std::move(copy));
  }

  std::string unused_name(std::string name) {
    if (names_.empty()) {
      for (const auto& existing : subgraph_.tensors) names_.insert(existing->name);
    }
    while (!names_.insert(name).second) name += "_";
    return name;
  }

  static void become_int8(schema::TensorT& activation, Affine affine) {
    activation.type = TensorType::INT8;
    activation.quantization = parameters_of({affine.scale}, affine.zero_point, 0);
  }

  // ---- Conversions ----

  // Sees to it that a tensor has been made by the time the next operator runs.
  void provide(int32_t index) {
    const auto found = conversions_.find(index);
    if (found == conversions_.end()) return;
    const Conversion conversion = found->second;
    conversions_.erase(found);
    provide(conversion.source);
    auto op = std::make_unique<schema::OperatorT>();
    op->opcode_index = find_or_add_operator_code(model_, conversion.code, version_of(conversion));
    if (conversion.code == BuiltinOperator::QUANTIZE) {
      op->builtin_options.Set(schema::QuantizeOptionsT{});
    } else {
      op->builtin_options.Set(schema::DequantizeOptionsT{});
    }
    op->inputs = {conversion.source};
    op->outputs = {index};
    subgraph_.operators.push_back(std::move(op));
    ++added_conversions_;
  }

  static int32_t version_of(const Conversion& conversion) {
    return conversion.code == BuiltinOperator::QUANTIZE ? 1 : 2;
  }

  int32_t as_float(int32_t index) {
    const auto version = float_version_.find(index);
    if (version != float_version_.end()) return version->second;
    const auto int8 = int8_version_.find(index);
    if (int8 == int8_version_.end()) return index;
    const int32_t added = add_copy(index, "_float");
    tensor(added).type = TensorType::FLOAT32;
    conversions_[added] = {BuiltinOperator::DEQUANTIZE, int8->second};
    float_version_[index] = added;
    return added;
  }

  // A copy with another scale; from the float tensor where there is one, which saves a rounding.
  int32_t requantized(int32_t index, Affine affine) {
    const auto [copy, is_new] =
        requantized_.try_emplace({index, {affine.scale, affine.zero_point}}, 0);
    if (is_new) {
      const auto real = float_version_.find(index);
      const bool is_real = real != float_version_.end() && real->second == index;
      copy->second = add_copy(index, "_requantized");
      become_int8(tensor(copy->second), affine);
      conversions_[copy->second] = {BuiltinOperator::QUANTIZE,
                                    is_real ? index : int8_version_.at(index)};
    }
    return copy->second;
  }

  // ---- Operators ----

  void read_floats(schema::OperatorT& op) {
    for (int32_t& input : op.inputs) {
      if (input == graph::kAbsentTensor) continue;
      input = as_float(input);
      provide(input);
    }
  }

  Status make_int8(size_t index, schema::OperatorT& op) {
    const BuiltinOperator code{builtin_code(model_, op)};
    const OperatorRule& rule = *find_rule(code);
    const int32_t old_version = model_.operator_codes[op.opcode_index]->version;
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      if (op.inputs[i] == graph::kAbsentTensor) continue;
      if (rule.input_role(i) == OperandRole::kActivation) {
        const auto input = int8_activation(index, i, op.inputs[i]);
        if (!input) return tl::unexpected(input.error());
        op.inputs[i] = *input;
      } else if (rule.input_role(i) == OperandRole::kUnchanged) {
        op.inputs[i] = as_float(op.inputs[i]);
      }
      provide(op.inputs[i]);
    }
    for (size_t i = 0; i < op.outputs.size(); ++i) {
      if (rule.output_role(i) == OperandRole::kActivation) {
        op.outputs[i] = int8_version_.at(op.outputs[i]);
      }
    }
    if (Status status = quantize_parameters(rule, op); !status) return status;
    op.opcode_index =
        find_or_add_operator_code(model_, code, std::max(old_version, int8_version(rule, op)));
    return {};
  }

  Result<int32_t> int8_activation(size_t op, size_t position, int32_t index) {
    const auto other = scales_.of_input.find({op, position});
    if (other == scales_.of_input.end()) return int8_version_.at(index);
    if (!is_constant(model_, tensor(index))) return requantized(index, other->second);
    return constant_activation(index, other->second);
  }

  // MUL has version 3 since its kernel takes a product of scales that is larger than the output's.
  int32_t int8_version(const OperatorRule& rule, const schema::OperatorT& op) {
    if (rule.code != BuiltinOperator::MUL) return rule.version;
    const double product = double{scale_of(op.inputs[0])} * double{scale_of(op.inputs[1])};
    return product >= double{scale_of(op.outputs[0])} ? 3 : rule.version;
  }

  float scale_of(int32_t index) { return tensor(index).quantization->scale.front(); }

  // ---- Constants ----

  template <typename T>
  int32_t add_constant(int32_t source, TensorType type, const std::vector<T>& values,
                       std::unique_ptr<schema::QuantizationParametersT> parameters) {
    schema::TensorT constant;
    constant.name = tensor(source).name;
    constant.type = type;
    constant.shape = tensor(source).shape;
    constant.quantization = std::move(parameters);
    set_contents(model_, constant, std::as_bytes(std::span(values)));
    return add_tensor(subgraph_, std::move(constant));
  }

  Result<int32_t> constant_activation(int32_t index, Affine affine) {
    const auto [copy, is_new] =
        requantized_.try_emplace({index, {affine.scale, affine.zero_point}}, 0);
    if (!is_new) return copy->second;
    const auto reals = finite_values(model_, tensor(index));
    if (!reals) return tl::unexpected(reals.error());
    std::vector<int8_t> values;
    values.reserve(reals->size());
    for (const float real : *reals) {
      values.push_back(static_cast<int8_t>(quantize(real, affine, kInt8Range)));
    }
    copy->second = add_constant(index, TensorType::INT8, values,
                                parameters_of({affine.scale}, affine.zero_point, 0));
    return copy->second;
  }

  // The constants of a layer; nothing where the operator has no weights.
  Status quantize_parameters(const OperatorRule& rule, schema::OperatorT& op) {
    const auto weights_position = rule.position_of(OperandRole::kWeights);
    if (!weights_position) return {};
    const size_t bias_position = *rule.position_of(OperandRole::kBias);
    const int32_t weights = op.inputs[*weights_position];
    const auto weight_values = finite_values(model_, tensor(weights));
    if (!weight_values) return tl::unexpected(weight_values.error());

    std::vector<float> bias_values;
    const bool has_bias =
        op.inputs.size() > bias_position && op.inputs[bias_position] != graph::kAbsentTensor;
    if (has_bias) {
      auto values = finite_values(model_, tensor(op.inputs[bias_position]));
      if (!values) return tl::unexpected(values.error());
      bias_values = std::move(*values);
    }
    const LayerParameters parameters =
        quantize_layer({.weights = *weight_values,
                        .shape = tensor(weights).shape,
                        .channel_axis = static_cast<size_t>(rule.channel_axis),
                        .bias = bias_values,
                        .per_channel = rule.weight_scales == WeightScales::kPerChannel},
                       scale_of(op.inputs[*rule.position_of(OperandRole::kActivation)]),
                       scale_of(op.outputs.front()));
    op.inputs[*weights_position] =
        add_constant(weights, TensorType::INT8, parameters.weights,
                     parameters_of(parameters.weight_scales, 0, rule.channel_axis));
    if (has_bias) {
      op.inputs[bias_position] =
          add_constant(op.inputs[bias_position], TensorType::INT32, parameters.bias,
                       parameters_of(parameters.bias_scales, 0, 0));
    }
    return {};
  }

  schema::ModelT& model_;
  schema::SubGraphT& subgraph_;
  const Int8Scales& scales_;
  std::span<const OperatorTreatment> treatments_;
  BorderType borders_;

  std::map<int32_t, int32_t> int8_version_;    // by tensor of the float network
  std::map<int32_t, int32_t> float_version_;   // likewise; absent: it has none yet
  std::map<int32_t, Conversion> conversions_;  // by the tensor they make: those still to be added
  // By tensor, scale and zero point.
  std::map<std::pair<int32_t, std::pair<float, int32_t>>, int32_t> requantized_;
  std::set<std::string> names_;
  size_t added_conversions_ = 0;
};

std::vector<QuantizedOperator> describe(const schema::ModelT& model,
                                        std::span<const OperatorTreatment> treatments) {
  const schema::SubGraphT& subgraph = *model.subgraphs.front();
  std::vector<QuantizedOperator> described;
  for (size_t i = 0; i < treatments.size(); ++i) {
    const schema::OperatorT& op = *subgraph.operators[i];
    QuantizedOperator entry;
    entry.name = operator_name(model, op);
    if (!op.outputs.empty() && op.outputs.front() != graph::kAbsentTensor) {
      entry.output = subgraph.tensors[static_cast<size_t>(op.outputs.front())]->name;
    }
    entry.treatment = treatments[i];
    described.push_back(std::move(entry));
  }
  return described;
}

}  // namespace

size_t Int8Report::count(Treatment treatment) const {
  return static_cast<size_t>(std::count_if(
      operators.begin(), operators.end(),
      [&](const QuantizedOperator& op) { return op.treatment.treatment == treatment; }));
}

Result<Ranges> find_demanded_ranges(const schema::ModelT& model,
                                    std::span<const DemandedRange> demanded) {
  const schema::SubGraphT& subgraph = *model.subgraphs.front();
  std::set<int32_t> activations(subgraph.inputs.begin(), subgraph.inputs.end());
  for (const auto& op : subgraph.operators) {
    activations.insert(op->outputs.begin(), op->outputs.end());
  }
  activations.erase(graph::kAbsentTensor);
  Ranges ranges;
  for (const DemandedRange& each : demanded) {
    if (!std::isfinite(each.range.minimum) || !std::isfinite(each.range.maximum) ||
        each.range.minimum >= each.range.maximum) {
      return make_error(ErrorCode::kInvalidArgument, "[{}, {}] is no range for tensor '{}'",
                        each.range.minimum, each.range.maximum, graph::printable(each.tensor));
    }
    std::vector<int32_t> named;
    for (const int32_t index : activations) {
      if (subgraph.tensors[static_cast<size_t>(index)]->name == each.tensor) named.push_back(index);
    }
    if (named.size() != 1) {
      return make_error(ErrorCode::kInvalidArgument, "{} called '{}'",
                        named.empty() ? "no input of the network and nothing it computes is"
                                      : "several activations are",
                        graph::printable(each.tensor));
    }
    ranges[named.front()] = each.range;
  }
  return ranges;
}

Result<Int8Report> quantize_to_int8(schema::ModelT& model, Ranges ranges,
                                    const Int8Options& options) {
  const auto kept_outputs = find_kept_outputs(model, options.keep_float);
  if (!kept_outputs) return tl::unexpected(kept_outputs.error());
  const auto demanded = find_demanded_ranges(model, options.ranges);
  if (!demanded) return tl::unexpected(demanded.error());
  Int8Report report;
  report.fused_activations = fuse_activations(model, *kept_outputs);
  if (options.per_channel_fully_connected) convolve_fully_connected(model, ranges, *kept_outputs);
  const std::vector<OperatorTreatment> treatments =
      choose_treatments(model, ranges, *kept_outputs, options.borders == BorderType::kFloat32);
  report.operators = describe(model, treatments);
  if (report.count(Treatment::kInt8) == 0) {
    return make_error(ErrorCode::kUnsupported, "no operator can be quantized");
  }
  const auto scales = choose_int8_scales(model, std::move(ranges), treatments, *demanded);
  if (!scales) return tl::unexpected(scales.error());
  Rewriter rewriter(model, *scales, treatments, options.borders);
  if (Status status = rewriter.rewrite(); !status) return tl::unexpected(status.error());
  report.added_conversions = rewriter.added_conversions();
  remove_unused(model);
  return report;
}

}  // namespace lockstep::quantization
