#include "conformance/case_measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>
#include <variant>

#include "conformance/editable_case.h"
#include "conformance/tensor_values.h"

namespace lockstep::conformance {
namespace {

int64_t saturating_sum(int64_t left, int64_t right) {
  constexpr int64_t kMaximum = std::numeric_limits<int64_t>::max();
  return left > kMaximum - right ? kMaximum : left + right;
}

// Strides, dilations, padding and activation of the operators that slide a window, beside the
// window itself.
template <typename Window>
int64_t window_parameters(const Window& attributes, int64_t window_height, int64_t window_width) {
  return window_height - 1 + window_width - 1 + attributes.stride_height - 1 +
         attributes.stride_width - 1 + (attributes.padding == graph::Padding::kSame ? 1 : 0) +
         (attributes.activation == graph::Activation::kNone ? 0 : 1);
}

struct OperatorParameters {
  const graph::Graph& graph;
  const graph::Operator& op;

  const graph::Shape& weights_shape() const {
    return graph.tensors[static_cast<size_t>(op.inputs[1])].shape;
  }

  int64_t operator()(const graph::Conv2dAttributes& attributes) const {
    return window_parameters(attributes, weights_shape()[1], weights_shape()[2]) +
           attributes.dilation_height - 1 + attributes.dilation_width - 1;
  }
  int64_t operator()(const graph::DepthwiseConv2dAttributes& attributes) const {
    return window_parameters(attributes, weights_shape()[1], weights_shape()[2]) +
           attributes.dilation_height - 1 + attributes.dilation_width - 1 +
           attributes.depth_multiplier - 1;
  }
  int64_t operator()(const graph::Pool2dAttributes& attributes) const {
    return window_parameters(attributes, attributes.filter_height, attributes.filter_width);
  }
  int64_t operator()(const graph::FullyConnectedAttributes& attributes) const {
    return attributes.activation == graph::Activation::kNone ? 0 : 1;
  }
  int64_t operator()(const graph::BinaryAttributes& attributes) const {
    return attributes.activation == graph::Activation::kNone ? 0 : 1;
  }
  int64_t operator()(const graph::ConcatenationAttributes& attributes) const {
    return static_cast<int64_t>(op.inputs.size()) +
           (attributes.activation == graph::Activation::kNone ? 0 : 1);
  }
  int64_t operator()(const graph::SoftmaxAttributes& attributes) const {
    return attributes.beta == 1.0f ? 0 : 1;
  }
  template <typename Attributes>
  int64_t operator()(const Attributes&) const {
    return 0;
  }
};

int64_t quantization_parameters(const graph::Quantization& quantization) {
  const auto zero_points =
      std::ranges::count_if(quantization.zero_points, [](int32_t value) { return value != 0; });
  const auto scales = std::ranges::count_if(quantization.scales,
                                            [](float scale) { return !is_power_of_two(scale); });
  return zero_points + scales + (quantization.is_per_axis() ? 1 : 0);
}

void measure_contents(const graph::Tensor& tensor, std::span<const std::byte> bytes,
                      CaseMeasure& measure) {
  const size_t size = graph::data_type_size(tensor.type);
  if (size == 0) return;
  const int64_t neutral = neutral_value(tensor);
  const auto count = static_cast<int64_t>(bytes.size() / size);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t value = element_value(tensor.type, bytes, i);
    if (value == neutral) continue;
    ++measure.values;
    // Of 64-bit extremes the difference would overflow; nothing of ours has them.
    if (is_integer(tensor.type) && tensor.type != graph::DataType::kInt64) {
      measure.magnitude = saturating_sum(measure.magnitude, std::abs(value - neutral));
    }
  }
}

}  // namespace

bool is_power_of_two(float scale) {
  int exponent = 0;
  return std::frexp(scale, &exponent) == 0.5f;
}

int64_t neutral_value(const graph::Tensor& tensor) {
  const bool has_zero_point = tensor.quantization.zero_points.size() == 1;
  return has_zero_point && is_integer(tensor.type) ? tensor.quantization.zero_points[0] : 0;
}

CaseMeasure measure_case(const Case& source) {
  const graph::Graph& graph = source.graph;
  CaseMeasure measure;
  measure.operators = static_cast<int64_t>(graph.operators.size());
  measure.outputs = static_cast<int64_t>(graph.outputs.size());
  std::set<int32_t> structural;
  for (const graph::Operator& op : graph.operators) {
    measure.parameters += std::visit(OperatorParameters{graph, op}, op.attributes);
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      if (is_structural_operand(op, i)) structural.insert(op.inputs[i]);
    }
  }
  for (size_t i = 0; i < graph.tensors.size(); ++i) {
    const graph::Tensor& tensor = graph.tensors[i];
    measure.parameters += quantization_parameters(tensor.quantization);
    measure.elements += graph::element_count(tensor.shape).value_or(0);
    if (!structural.contains(static_cast<int32_t>(i))) {
      measure_contents(tensor, tensor.data, measure);
    }
  }
  for (size_t i = 0; i < source.inputs.size(); ++i) {
    measure_contents(graph.tensors[static_cast<size_t>(graph.inputs[i])], source.inputs[i],
                     measure);
  }
  return measure;
}

std::string measure_text(const CaseMeasure& measure) {
  return fmt::format("{} operator{}, {} parameters, {} elements, {} values", measure.operators,
                     measure.operators == 1 ? "" : "s", measure.parameters, measure.elements,
                     measure.values);
}

}  // namespace lockstep::conformance
