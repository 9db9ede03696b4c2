#include "quantization/weight_only.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "graph/operators.h"
#include "graph/tensor.h"
#include "numerics/float16.h"
#include "quantization/affine.h"
#include "quantization/constants.h"
#include "quantization/finite_constants.h"
#include "quantization/operator_rules.h"

namespace lockstep::quantization {
namespace {

using schema::BuiltinOperator;
using schema::TensorType;

constexpr float kLargestFloat16 = 65504;

// Contents of a constant in another type.
struct Contents {
  TensorType type = TensorType::FLOAT32;
  std::vector<std::byte> bytes;
  std::unique_ptr<schema::QuantizationParametersT> quantization;
};

template <typename T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

// Symmetric along an axis, or with one scale where there is none.
Contents symmetric_int8(std::span<const float> values, std::span<const int32_t> shape,
                        std::optional<size_t> axis) {
  SymmetricWeights weights =
      axis ? quantize_symmetric_per_axis(values, shape, *axis) : quantize_symmetric(values);
  auto parameters = std::make_unique<schema::QuantizationParametersT>();
  parameters->zero_point.assign(weights.scales.size(), 0);
  parameters->scale = std::move(weights.scales);
  parameters->quantized_dimension = axis ? static_cast<int32_t>(*axis) : 0;
  return {TensorType::INT8, bytes_of(weights.values), std::move(parameters)};
}

// DEQUANTIZE takes scales of an axis since version 5, float16 since version 3, int8 since 2.
int32_t dequantize_version(const Contents& contents) {
  if (contents.type == TensorType::FLOAT16) return 3;
  return contents.quantization->scale.size() > 1 ? 5 : 2;
}

// The versions since which kernels take float inputs and int8 weights with a scale for each output
// channel, or for FULLY_CONNECTED with inputs quantized asymmetrically; null where none does.
std::optional<int32_t> hybrid_version(BuiltinOperator code) {
  switch (code) {
    case BuiltinOperator::CONV_2D:
      return 5;
    case BuiltinOperator::DEPTHWISE_CONV_2D:
      return 6;
    case BuiltinOperator::FULLY_CONNECTED:
      return 9;
    default:
      return std::nullopt;
  }
}

// Where a constant stands among an operator's inputs.
struct Place {
  size_t op = 0;
  size_t input = 0;
};

class Storer {
 public:
  explicit Storer(schema::ModelT& model) : model_(model), subgraph_(*model.subgraphs.front()) {
    for (size_t i = 0; i < subgraph_.operators.size(); ++i) {
      const auto& inputs = subgraph_.operators[i]->inputs;
      for (size_t k = 0; k < inputs.size(); ++k) {
        if (inputs[k] == graph::kAbsentTensor) continue;
        const schema::TensorT& operand = tensor(inputs[k]);
        if (operand.type == TensorType::FLOAT32 && is_constant(model_, operand)) {
          places_[inputs[k]].push_back({i, k});
        }
      }
    }
  }

  Result<WeightOnlyReport> as_float16() {
    for (const auto& [index, places] : places_) {
      const auto values = real_contents(model_, tensor(index));
      if (!values) return tl::unexpected(values.error());
      halve(index, places, *values);
    }
    return finish();
  }

  Result<WeightOnlyReport> as_dynamic_range() {
    for (const auto& [index, places] : places_) {
      const auto values = finite_values(model_, tensor(index));
      if (!values) return tl::unexpected(values.error());
      if (std::ranges::all_of(
              places, [&](const Place& place) { return role_of(place) == OperandRole::kBias; })) {
        halve(index, places, *values);
      } else {
        quantize(index, places, *values);
      }
    }
    return finish();
  }

 private:
  schema::TensorT& tensor(int32_t index) { return *subgraph_.tensors[static_cast<size_t>(index)]; }

  // Float16 where that saves something and has all the numbers.
  void halve(int32_t index, const std::vector<Place>& places, const std::vector<float>& values) {
    if (values.size() * (sizeof(float) - sizeof(uint16_t)) < kDequantizeBytes) {
      return keep(index, values.size(), "it is small");
    }
    const auto too_large = std::ranges::find_if(values, [](float value) {
      return std::isfinite(value) && std::abs(value) > kLargestFloat16;
    });
    if (too_large != values.end()) {
      return keep(index, values.size(), fmt::format("float16 has no {}", *too_large));
    }
    std::vector<uint16_t> halves;
    halves.reserve(values.size());
    for (const float value : values) halves.push_back(numerics::float_to_float16(value));
    report_.constants.push_back({tensor(index).name, values.size(), Storage::kFloat16, ""});
    put_behind_dequantize(index, places, {TensorType::FLOAT16, bytes_of(halves), nullptr});
  }

  void quantize(int32_t index, const std::vector<Place>& places, const std::vector<float>& values) {
    const bool is_hybrid = std::ranges::all_of(places, [&](const Place& place) {
      return is_read_by_hybrid_kernel(place) && channel_axis(place) == channel_axis(places.front());
    });
    Contents contents = symmetric_int8(values, tensor(index).shape, channel_axis(places.front()));
    const size_t saved = values.size() * (sizeof(float) - sizeof(int8_t));
    const size_t spent = kQuantizationBytes + kScaleBytes * contents.quantization->scale.size();
    if (is_hybrid ? saved <= spent : values.size() < kSmallestInt8Constant) {
      return keep(index, values.size(), "it is small");
    }
    report_.constants.push_back({tensor(index).name, values.size(),
                                 is_hybrid ? Storage::kInt8ForHybrid : Storage::kInt8, ""});
    if (is_hybrid) {
      make_hybrid(index, places, std::move(contents));
    } else {
      put_behind_dequantize(index, places, std::move(contents));
    }
  }

  OperandRole role_of(const Place& place) const {
    const OperatorRule* rule = find_rule(code_of(place));
    return rule == nullptr ? OperandRole::kUnchanged : rule->input_role(place.input);
  }

  BuiltinOperator code_of(const Place& place) const {
    return BuiltinOperator{builtin_code(model_, *subgraph_.operators[place.op])};
  }

  void keep(int32_t index, size_t elements, std::string reason) {
    report_.constants.push_back(
        {tensor(index).name, elements, Storage::kFloat32, std::move(reason)});
  }

  // The dimension of weights that has a scale for each index; null where one scale is for all.
  std::optional<size_t> channel_axis(const Place& place) {
    const OperatorRule* rule = find_rule(code_of(place));
    if (role_of(place) != OperandRole::kWeights ||
        rule->weight_scales != WeightScales::kPerChannel) {
      return std::nullopt;
    }
    const auto axis = static_cast<size_t>(rule->channel_axis);
    const int32_t index = subgraph_.operators[place.op]->inputs[place.input];
    return axis < tensor(index).shape.size() ? std::optional(axis) : std::nullopt;
  }

  bool is_read_by_hybrid_kernel(const Place& place) const {
    return hybrid_version(code_of(place)).has_value() && role_of(place) == OperandRole::kWeights;
  }

  void make_hybrid(int32_t index, const std::vector<Place>& places, Contents contents) {
    tensor(index).type = contents.type;
    tensor(index).quantization = std::move(contents.quantization);
    set_contents(model_, tensor(index), contents.bytes);
    for (const Place& place : places) {
      schema::OperatorT& op = *subgraph_.operators[place.op];
      const BuiltinOperator code = code_of(place);
      if (auto* options = op.builtin_options.AsFullyConnectedOptions()) {
        options->asymmetric_quantize_inputs = true;
      }
      const int32_t old_version = model_.operator_codes[op.opcode_index]->version;
      op.opcode_index =
          find_or_add_operator_code(model_, code, std::max(old_version, *hybrid_version(code)));
    }
  }

  // The tensor that is read stays; a constant and an operator make it. The constant takes its name:
  // what only lives inside a run gets a short one, as most of a small network's file are names.
  void put_behind_dequantize(int32_t index, const std::vector<Place>& places, Contents contents) {
    schema::TensorT stored;
    stored.name = std::exchange(tensor(index).name, fmt::format("float{}", index));
    stored.type = contents.type;
    stored.shape = tensor(index).shape;
    const int32_t version = dequantize_version(contents);
    stored.quantization = std::move(contents.quantization);
    set_contents(model_, stored, contents.bytes);
    tensor(index).buffer = 0;

    auto op = std::make_unique<schema::OperatorT>();
    op->opcode_index = find_or_add_operator_code(model_, BuiltinOperator::DEQUANTIZE, version);
    op->builtin_options.Set(schema::DequantizeOptionsT{});
    op->inputs = {add_tensor(subgraph_, std::move(stored))};
    op->outputs = {index};
    added_[places.front().op].push_back(std::move(op));
  }

  // Puts the added operators in front of the first one that needs what they make.
  Result<WeightOnlyReport> finish() {
    auto operators = std::exchange(subgraph_.operators, {});
    for (size_t i = 0; i < operators.size(); ++i) {
      for (auto& added : added_[i]) subgraph_.operators.push_back(std::move(added));
      subgraph_.operators.push_back(std::move(operators[i]));
    }
    remove_unused(model_);
    return std::move(report_);
  }

  schema::ModelT& model_;
  schema::SubGraphT& subgraph_;
  std::map<int32_t, std::vector<Place>> places_;  // of every float32 constant, in execution order
  std::map<size_t, std::vector<std::unique_ptr<schema::OperatorT>>> added_;  // by operator
  WeightOnlyReport report_;
};

}  // namespace

std::string_view storage_name(Storage storage) {
  switch (storage) {
    case Storage::kFloat16:
      return "float16";
    case Storage::kInt8:
      return "int8, converted back";
    case Storage::kInt8ForHybrid:
      return "int8";
    case Storage::kFloat32:
      break;
  }
  return "float32";
}

size_t WeightOnlyReport::count(Storage storage) const {
  return static_cast<size_t>(
      std::count_if(constants.begin(), constants.end(),
                    [&](const StoredConstant& constant) { return constant.storage == storage; }));
}

Result<WeightOnlyReport> store_as_float16(schema::ModelT& model) {
  return Storer(model).as_float16();
}

Result<WeightOnlyReport> store_as_dynamic_range(schema::ModelT& model) {
  return Storer(model).as_dynamic_range();
}

}  // namespace lockstep::quantization
