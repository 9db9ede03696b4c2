#include "quantization/float_network.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "quantization/constants.h"
#include "quantization/sparse_storage.h"

namespace lockstep::quantization {
namespace {

using schema::BuiltinOperator;
using schema::TensorType;

bool is_quantized(const schema::TensorT& tensor) {
  return (tensor.type == TensorType::INT8 || tensor.type == TensorType::UINT8 ||
          tensor.type == TensorType::INT16) &&
         tensor.quantization != nullptr && !tensor.quantization->scale.empty();
}

// The range of a FAKE_QUANT operator. With `narrow_range` the lowest of the 256 steps is not used:
// the range begins a step lower, so that the steps stay where they are.
TensorRange range_in(const schema::FakeQuantOptionsT& options) {
  if (!options.narrow_range) return {.minimum = options.min, .maximum = options.max};
  constexpr float kStepsOfNarrowRange = 254;
  const float step = (options.max - options.min) / kStepsOfNarrowRange;
  return {.minimum = options.min - step, .maximum = options.max};
}

class FloatNetworkMaker {
 public:
  explicit FloatNetworkMaker(schema::ModelT& model)
      : model_(model), subgraph_(*model.subgraphs.front()) {}

  Result<FloatNetwork> make() {
    for (const auto& subgraph : model_.subgraphs) {
      for (const auto& tensor : subgraph->tensors) {
        report_.sparse_constants += tensor->sparsity != nullptr;
      }
    }
    for (const auto step :
         {&FloatNetworkMaker::densify_constants, &FloatNetworkMaker::fold_dequantize,
          &FloatNetworkMaker::widen_constants, &FloatNetworkMaker::remove_fake_quant,
          &FloatNetworkMaker::check_activations}) {
      if (auto status = (this->*step)(); !status) return tl::unexpected(status.error());
    }
    remove_unused(model_);
    return FloatNetwork{.trained_ranges = ranges_by_index(), .report = report_};
  }

 private:
  schema::TensorT& tensor(int32_t index) { return *subgraph_.tensors[static_cast<size_t>(index)]; }

  bool is_operator(const schema::OperatorT& op, BuiltinOperator code) const {
    return builtin_code(model_, op) == static_cast<int32_t>(code);
  }

  static bool is_in(const std::vector<int32_t>& list, int32_t index) {
    return std::ranges::find(list, index) != list.end();
  }

  // With one input and one output, both there.
  bool is_unary(const schema::OperatorT& op, BuiltinOperator code) const {
    return is_operator(op, code) && op.inputs.size() == 1 && op.outputs.size() == 1 &&
           op.inputs[0] != graph::kAbsentTensor && op.outputs[0] != graph::kAbsentTensor;
  }

  // Removes the operators for which `fold` returns true. It may change the others.
  template <typename Fold>
  Status fold_operators(Fold&& fold) {
    std::set<const schema::OperatorT*> folded;
    for (const auto& op : subgraph_.operators) {
      const Result<bool> is_folded = fold(*op);
      if (!is_folded) return tl::unexpected(is_folded.error());
      if (*is_folded) folded.insert(op.get());
    }
    std::erase_if(subgraph_.operators, [&](const auto& op) { return folded.contains(op.get()); });
    return {};
  }

  Status densify_constants() { return densify(model_); }

  // Makes `target` a float32 constant of the numbers that `source` stands for.
  Status widen(const schema::TensorT& source, schema::TensorT& target) {
    const auto values = real_contents(model_, source);
    if (!values) return tl::unexpected(values.error());
    target.type = TensorType::FLOAT32;
    target.quantization.reset();
    set_contents(model_, target, std::as_bytes(std::span(*values)));
    ++report_.narrow_constants;
    return {};
  }

  Status fold_dequantize() {
    return fold_operators([&](const schema::OperatorT& op) -> Result<bool> {
      if (!is_unary(op, BuiltinOperator::DEQUANTIZE)) return false;
      const schema::TensorT& source = tensor(op.inputs[0]);
      if (!is_constant(model_, source)) return false;
      schema::TensorT& target = tensor(op.outputs[0]);
      if (auto status = widen(source, target); !status) return tl::unexpected(status.error());
      if (!is_in(subgraph_.outputs, op.outputs[0])) target.name = source.name;
      return true;
    });
  }

  bool computes_floats(const schema::OperatorT& op) {
    return !is_operator(op, BuiltinOperator::DEQUANTIZE) && !op.outputs.empty() &&
           std::ranges::all_of(op.outputs, [&](int32_t output) {
             return output == graph::kAbsentTensor || tensor(output).type == TensorType::FLOAT32;
           });
  }

  // Constants that operators on floats read all the same get a float32 twin.
  Status widen_constants() {
    std::map<int32_t, int32_t> twins;
    for (const auto& op : subgraph_.operators) {
      if (!computes_floats(*op)) continue;
      for (int32_t& input : op->inputs) {
        if (input == graph::kAbsentTensor) continue;
        const schema::TensorT& source = tensor(input);
        if (!is_constant(model_, source) ||
            (source.type != TensorType::FLOAT16 && !is_quantized(source))) {
          continue;
        }
        if (!twins.contains(input)) {
          schema::TensorT twin = source;
          if (auto status = widen(source, twin); !status) return status;
          twins[input] = add_tensor(subgraph_, std::move(twin));
        }
        input = twins[input];
      }
    }
    return {};
  }

  Status remove_fake_quant() {
    return fold_operators([&](const schema::OperatorT& op) -> Result<bool> {
      if (!is_unary(op, BuiltinOperator::FAKE_QUANT)) return false;
      ++report_.trained_ranges;
      const auto range = trained_range(op);
      if (!range) return tl::unexpected(range.error());
      if (is_constant(model_, tensor(op.inputs[0]))) {
        if (auto status = clamp(tensor(op.inputs[0]), tensor(op.outputs[0]), *range); !status) {
          return tl::unexpected(status.error());
        }
        return true;
      }
      const schema::TensorT& kept = tensor(bypass(op.inputs[0], op.outputs[0]));
      const auto [entry, is_new] = ranges_.try_emplace(&kept, *range);
      if (!is_new) entry->second = united(entry->second, *range);
      return true;
    });
  }

  Result<TensorRange> trained_range(const schema::OperatorT& op) {
    const auto fail = [&](ErrorCode code, std::string_view reason) {
      return make_error(code, "tensor '{}': FAKE_QUANT {}",
                        graph::printable(tensor(op.inputs[0]).name), reason);
    };
    const auto* options = op.builtin_options.AsFakeQuantOptions();
    if (options == nullptr) return fail(ErrorCode::kInvalidModel, "comes without its options");
    constexpr int32_t kBits = 8;
    if (options->num_bits != kBits) {
      return fail(ErrorCode::kUnsupported, fmt::format("of {} bits", options->num_bits));
    }
    if (!std::isfinite(options->min) || !std::isfinite(options->max) ||
        options->min >= options->max) {
      return fail(ErrorCode::kInvalidModel,
                  fmt::format("has the range {:g} to {:g}", options->min, options->max));
    }
    return range_in(*options);
  }

  // Makes `target` a constant of the numbers of `source`, as far as the range reaches.
  Status clamp(const schema::TensorT& source, schema::TensorT& target, TensorRange range) {
    auto values = real_contents(model_, source);
    if (!values) return tl::unexpected(values.error());
    for (float& value : *values) value = std::clamp(value, range.minimum, range.maximum);
    set_contents(model_, target, std::as_bytes(std::span(*values)));
    return {};
  }

  // Makes one tensor of an operator's input and output, and returns which it is: the output where
  // the network's user knows it by name, as long as somebody else can make it.
  int32_t bypass(int32_t input, int32_t output) {
    const bool keeps_output = is_in(subgraph_.outputs, output) &&
                              !is_in(subgraph_.outputs, input) && !is_in(subgraph_.inputs, input);
    const auto [kept, gone] = keeps_output ? std::pair(output, input) : std::pair(input, output);
    replace_tensor(model_, 0, gone, kept);
    return kept;
  }

  // What a float network has none of.
  Status check_activations() {
    const auto check = [&](int32_t index) -> Status {
      if (index == graph::kAbsentTensor || !is_quantized(tensor(index))) return {};
      return make_error(ErrorCode::kUnsupported,
                        "tensor '{}' is quantized already: this is no float network",
                        graph::printable(tensor(index).name));
    };
    for (const int32_t input : subgraph_.inputs) {
      if (auto status = check(input); !status) return status;
    }
    for (const auto& op : subgraph_.operators) {
      for (const int32_t output : op->outputs) {
        if (auto status = check(output); !status) return status;
      }
    }
    return {};
  }

  Ranges ranges_by_index() const {
    Ranges ranges;
    for (size_t i = 0; i < subgraph_.tensors.size(); ++i) {
      const auto range = ranges_.find(subgraph_.tensors[i].get());
      if (range != ranges_.end()) ranges[static_cast<int32_t>(i)] = range->second;
    }
    return ranges;
  }

  schema::ModelT& model_;
  schema::SubGraphT& subgraph_;
  FloatNetworkReport report_;
  // Tensors are numbered anew in the end.
  std::map<const schema::TensorT*, TensorRange> ranges_;
};

}  // namespace

Result<FloatNetwork> make_float_network(schema::ModelT& model) {
  return FloatNetworkMaker(model).make();
}

}  // namespace lockstep::quantization
