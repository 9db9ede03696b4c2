#include "conformance/generators/weighted_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "conformance/generators/contents.h"
#include "conformance/generators/weighted_coverage.h"
#include "graph/graph_builder.h"
#include "graph/lowering.h"

namespace lockstep::conformance {
namespace {

using graph::Conv2dAttributes;
using graph::DepthwiseConv2dAttributes;
using graph::FullyConnectedAttributes;
using graph::GraphBuilder;
using graph::Quantization;

// The dimension of the weights that counts output channels.
size_t channel_axis(const WeightedAttributes& attributes) {
  return std::holds_alternative<DepthwiseConv2dAttributes>(attributes) ? 3 : 0;
}

Quantization scaled_by(const std::vector<float>& scales, size_t axis, int32_t zero_point) {
  if (scales.size() == 1) {
    return graph::per_tensor(scales[0], zero_point);
  }
  return graph::per_axis(scales, static_cast<int32_t>(axis),
                         std::vector<int32_t>(scales.size(), zero_point));
}

int32_t add_bias(GraphBuilder& builder, const WeightedCase& description) {
  if (description.bias.empty()) {
    return graph::kAbsentTensor;
  }
  std::vector<float> scales(description.weights_scales.size());
  std::transform(description.weights_scales.begin(), description.weights_scales.end(),
                 scales.begin(), [&](float scale) { return description.input_scale * scale; });
  return builder.constant<int32_t>("bias", {output_channels(description)}, description.bias,
                                   scaled_by(scales, 0, 0));
}

struct AddOperator {
  GraphBuilder& builder;
  int32_t input;
  int32_t weights;
  int32_t bias;
  Quantization output;

  int32_t operator()(const Conv2dAttributes& attributes) const {
    return builder.conv_2d(input, weights, bias, output, attributes);
  }
  int32_t operator()(const DepthwiseConv2dAttributes& attributes) const {
    return builder.depthwise_conv_2d(input, weights, bias, output, attributes);
  }
  int32_t operator()(const FullyConnectedAttributes& attributes) const {
    return builder.fully_connected(input, weights, bias, output, attributes);
  }
};

Result<graph::Graph> build_graph(const WeightedCase& description) {
  const graph::DataType type = description.type;
  GraphBuilder builder(
      fmt::format("{}/{}", weighted_family(description.attributes), description.name));
  const int32_t input =
      builder.input("input", type, description.input_shape,
                    graph::per_tensor(description.input_scale,
                                      model_zero_point(type, description.input_zero_point)));
  const int32_t weights = builder.constant_bytes(
      "weights", type, description.weights_shape, bytes_of(type, description.weights),
      scaled_by(description.weights_scales, channel_axis(description.attributes),
                model_zero_point(type, description.weights_zero_point)));
  const int32_t bias = add_bias(builder, description);
  const Quantization output_quantization = graph::per_tensor(
      description.output_scale, model_zero_point(type, description.output_zero_point));
  const int32_t output = std::visit(AddOperator{builder, input, weights, bias, output_quantization},
                                    description.attributes);
  Result<graph::Graph> graph = builder.build({output});
  if (!graph) {
    return make_error(graph.error().code, "case '{}/{}': {}",
                      weighted_family(description.attributes), description.name,
                      graph.error().message);
  }
  return graph;
}

}  // namespace

std::string weighted_family(const WeightedAttributes& attributes) {
  constexpr const char* kNames[] = {"conv_2d", "depthwise_conv_2d", "fully_connected"};
  return kNames[attributes.index()];
}

int32_t output_channels(const WeightedCase& description) {
  return description.weights_shape.at(channel_axis(description.attributes));
}

graph::Activation& activation_of(WeightedAttributes& attributes) {
  return std::visit([](auto& kind) -> graph::Activation& { return kind.activation; }, attributes);
}

Result<std::vector<int32_t>> weighted_accumulators(const WeightedCase& description) {
  const Result<graph::Graph> graph = build_graph(description);
  if (!graph) {
    return tl::unexpected(graph.error());
  }
  const Result<graph::LoweredOperator> lowered =
      graph::lower_operator(*graph, 0, numerics::Contract::kTflite);
  if (!lowered) {
    return tl::unexpected(lowered.error());
  }
  return accumulators_of(lowered->operation, description.input);
}

Result<Case> build_case(const WeightedCase& description) {
  Result<graph::Graph> graph = build_graph(description);
  if (!graph) {
    return tl::unexpected(graph.error());
  }
  Case result;
  result.family = weighted_family(description.attributes);
  result.name = graph->name;
  result.graph = *std::move(graph);
  result.inputs.push_back(bytes_of(description.type, description.input));
  Result<std::vector<CoveragePoint>> coverage = measure_weighted_coverage(result);
  if (!coverage) {
    return tl::unexpected(coverage.error());
  }
  result.coverage = *std::move(coverage);
  return result;
}

}  // namespace lockstep::conformance
