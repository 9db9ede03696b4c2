#include "quantization/int8_scales.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "graph/operators.h"
#include "graph/tensor.h"
#include "quantization/finite_constants.h"
#include "quantization/operator_rules.h"
#include "quantization/scale_groups.h"

namespace lockstep::quantization {
namespace {

using schema::BuiltinOperator;

// An int8 operator and where its activations stand.
struct ListedOperator {
  size_t index = 0;               // in the subgraph
  std::vector<size_t> positions;  // of the inputs that ScaledOperator lists
  std::vector<size_t> constants;  // positions of constant activations
};

class ScaleChooser {
 public:
  ScaleChooser(const schema::ModelT& model, Ranges ranges,
               std::span<const OperatorTreatment> treatments, const Ranges& demanded)
      : model_(model),
        subgraph_(*model.subgraphs.front()),
        ranges_(std::move(ranges)),
        treatments_(treatments),
        demanded_(demanded) {
    for (const auto& [tensor, range] : demanded_) ranges_[tensor] = range;
  }

  Result<Int8Scales> choose() {
    for (size_t i = 0; i < treatments_.size(); ++i) {
      if (treatments_[i].treatment != Treatment::kInt8) continue;
      if (Status status = list(i); !status) return tl::unexpected(status.error());
    }
    const ScaleGroups groups = group_scales(scaled_, ranges_, demanded_);
    if (Status status = check_demands(groups); !status) return tl::unexpected(status.error());
    Int8Scales scales;
    for (const auto& [tensor, group] : groups.group_of) {
      scales.of_tensor[tensor] = affine_of_group(groups.groups[group]);
    }
    for (const auto& [op, input] : groups.requantizations) {
      scales.of_input[{listed_[op].index, listed_[op].positions[input]}] =
          scales.of_tensor.at(scaled_[op].outputs.front());
    }
    for (size_t i = 0; i < listed_.size(); ++i) {
      for (const size_t position : listed_[i].constants) {
        scales.of_input[{listed_[i].index, position}] = affine_of_constant(i, position, scales);
      }
    }
    return scales;
  }

 private:
  BuiltinOperator code_of(const schema::OperatorT& op) const {
    return BuiltinOperator{builtin_code(model_, op)};
  }

  const schema::TensorT& tensor(int32_t index) const {
    return *subgraph_.tensors[static_cast<size_t>(index)];
  }

  static Affine affine_of_group(const ScaleGroup& group) {
    return group.fixed ? *group.fixed : affine_of(group.range, kInt8Range);
  }

  Affine affine_of_constant(size_t listed, size_t position, const Int8Scales& scales) const {
    if (scaled_[listed].scales == ScaleRule::kShared) {
      return scales.of_tensor.at(scaled_[listed].outputs.front());
    }
    return affine_of(constant_ranges_.at({listed_[listed].index, position}), kInt8Range);
  }

  Status list(size_t index) {
    const schema::OperatorT& op = *subgraph_.operators[index];
    const OperatorRule& rule = *find_rule(code_of(op));
    ListedOperator listed{.index = index, .positions = {}, .constants = {}};
    ScaledOperator scaled{
        .scales = rule.scales, .fixed_output = rule.fixed_output, .inputs = {}, .outputs = {}};
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      const int32_t input = op.inputs[i];
      if (input == graph::kAbsentTensor || rule.input_role(i) != OperandRole::kActivation) continue;
      if (is_constant(model_, tensor(input))) {
        const auto range = constant_range(input);
        if (!range) return tl::unexpected(range.error());
        constant_ranges_[{index, i}] = *range;
        scaled.constants = scaled.constants ? united(*scaled.constants, *range) : *range;
        listed.constants.push_back(i);
        continue;
      }
      if (Status status = check_range(input); !status) return status;
      scaled.inputs.push_back(input);
      listed.positions.push_back(i);
    }
    for (size_t i = 0; i < op.outputs.size(); ++i) {
      if (rule.output_role(i) != OperandRole::kActivation) continue;
      if (Status status = check_range(op.outputs[i]); !status) return status;
      scaled.outputs.push_back(op.outputs[i]);
    }
    scaled_.push_back(std::move(scaled));
    listed_.push_back(std::move(listed));
    return {};
  }

  Result<TensorRange> constant_range(int32_t index) const {
    const auto values = finite_values(model_, tensor(index));
    if (!values) return tl::unexpected(values.error());
    const auto [smallest, largest] = std::minmax_element(values->begin(), values->end());
    return TensorRange{*smallest, *largest};
  }

  Status check_demands(const ScaleGroups& groups) const {
    for (const auto& [index, range] : demanded_) {
      const auto group = groups.group_of.find(index);
      const bool is_float = group == groups.group_of.end();
      if (!is_float && !groups.groups[group->second].fixed) continue;
      return make_error(ErrorCode::kInvalidArgument,
                        "tensor '{}' cannot have the range [{}, {}]: {}",
                        graph::printable(tensor(index).name), range.minimum, range.maximum,
                        is_float ? "it stays float" : "its kernel dictates the scale");
    }
    return {};
  }

  Status check_range(int32_t index) const {
    const TensorRange& range = ranges_.at(index);
    if (std::isfinite(range.minimum) && std::isfinite(range.maximum) &&
        range.minimum <= range.maximum) {
      return {};
    }
    return make_error(ErrorCode::kInvalidArgument,
                      "tensor '{}' has the range [{}, {}]: there is no scale for it",
                      graph::printable(tensor(index).name), range.minimum, range.maximum);
  }

  const schema::ModelT& model_;
  const schema::SubGraphT& subgraph_;
  Ranges ranges_;
  std::span<const OperatorTreatment> treatments_;
  const Ranges& demanded_;
  std::vector<ScaledOperator> scaled_;
  std::vector<ListedOperator> listed_;
  std::map<std::pair<size_t, size_t>, TensorRange> constant_ranges_;
};

}  // namespace

Result<Int8Scales> choose_int8_scales(const schema::ModelT& model, Ranges ranges,
                                      std::span<const OperatorTreatment> treatments,
                                      const Ranges& demanded) {
  return ScaleChooser(model, std::move(ranges), treatments, demanded).choose();
}

}  // namespace lockstep::quantization
