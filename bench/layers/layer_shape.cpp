#include "bench/layers/layer_shape.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>

#include "graph/graph_builder.h"

namespace lockstep::bench {
namespace {

int32_t output_extent(int32_t input, int32_t kernel, int32_t stride, graph::Padding padding) {
  const int32_t first = padding == graph::Padding::kSame ? input : input - kernel + 1;
  return (first + stride - 1) / stride;
}

const graph::Shape& shape_of(const graph::Graph& graph, int32_t tensor) {
  return graph.tensors[static_cast<size_t>(tensor)].shape;
}

graph::Padding meaningful(graph::Padding padding, const LayerShape& shape) {
  return shape.kernel_height * shape.kernel_width == 1 ? graph::Padding::kSame : padding;
}

std::optional<LayerShape> shape_of_layer(const graph::Graph& graph, const graph::Operator& op) {
  LayerShape layer;
  if (const auto* conv = std::get_if<graph::Conv2dAttributes>(&op.attributes)) {
    const graph::Shape& input = shape_of(graph, op.inputs[0]);
    const graph::Shape& weights = shape_of(graph, op.inputs[1]);
    layer = {
        LayerKind::kConvolution, input[1], input[2], input[3], weights[0], weights[1], weights[2],
        conv->stride_height};
    layer.padding = meaningful(conv->padding, layer);
    const bool is_plain = conv->stride_height == conv->stride_width && conv->dilation_height == 1 &&
                          conv->dilation_width == 1 && weights[3] == input[3];
    return is_plain ? std::optional(layer) : std::nullopt;
  }
  if (const auto* depthwise = std::get_if<graph::DepthwiseConv2dAttributes>(&op.attributes)) {
    const graph::Shape& input = shape_of(graph, op.inputs[0]);
    const graph::Shape& weights = shape_of(graph, op.inputs[1]);
    layer = {
        LayerKind::kDepthwise,   input[1], input[2], input[3], weights[3], weights[1], weights[2],
        depthwise->stride_height};
    layer.padding = meaningful(depthwise->padding, layer);
    const bool is_plain = depthwise->stride_height == depthwise->stride_width &&
                          depthwise->dilation_height == 1 && depthwise->dilation_width == 1 &&
                          weights[3] == input[3];
    return is_plain ? std::optional(layer) : std::nullopt;
  }
  if (std::holds_alternative<graph::FullyConnectedAttributes>(op.attributes)) {
    const graph::Shape& weights = shape_of(graph, op.inputs[1]);
    layer.kind = LayerKind::kFullyConnected;
    layer.channels = weights[1];
    layer.output_channels = weights[0];
    return layer;
  }
  return std::nullopt;
}

// The weights and quantizations of a layer: products of input and weights have a standard deviation
// that fills the output's 8 bits.
constexpr float kInputScale = 0.05f;
constexpr float kWeightScale = 0.004f;
constexpr double kStandardDeviation = 74.0;  // of an even distribution over 8 bits
constexpr double kOutputDeviation = 50.0;

float output_scale(int32_t products_of_a_sum) {
  return static_cast<float>(std::sqrt(static_cast<double>(products_of_a_sum)) * kInputScale *
                            kWeightScale * kStandardDeviation * kStandardDeviation /
                            kOutputDeviation);
}

}  // namespace

std::string layer_name(const LayerShape& shape) {
  if (shape.kind == LayerKind::kFullyConnected) {
    return fmt::format("fully_connected_{}_to_{}", shape.channels, shape.output_channels);
  }
  std::string name =
      fmt::format("{}_{}x{}", shape.kind == LayerKind::kDepthwise ? "depthwise" : "conv",
                  shape.kernel_height, shape.kernel_width);
  if (shape.stride != 1) name += fmt::format("_s{}", shape.stride);
  name += fmt::format("_{}x{}x{}", shape.height, shape.width, shape.channels);
  if (shape.kind == LayerKind::kConvolution) name += fmt::format("_to_{}", shape.output_channels);
  if (shape.padding == graph::Padding::kValid) name += "_valid";
  return name;
}

Work work_of(const LayerShape& shape, int32_t batch) {
  const int64_t output_pixels =
      int64_t{batch} *
      output_extent(shape.height, shape.kernel_height, shape.stride, shape.padding) *
      output_extent(shape.width, shape.kernel_width, shape.stride, shape.padding);
  const int64_t products = int64_t{shape.kernel_height} * shape.kernel_width *
                           (shape.kind == LayerKind::kDepthwise ? 1 : shape.channels);
  const int64_t input_bytes = int64_t{batch} * shape.height * shape.width * shape.channels;
  const int64_t weight_bytes = products * shape.output_channels;
  const int64_t bias_bytes = 4 * int64_t{shape.output_channels};
  return {.multiply_accumulates = output_pixels * shape.output_channels * products,
          .bytes = input_bytes + weight_bytes + bias_bytes + output_pixels * shape.output_channels};
}

std::vector<CountedLayer> layers_of(const graph::Graph& graph) {
  std::vector<CountedLayer> layers;
  for (const graph::Operator& op : graph.operators) {
    const auto shape = shape_of_layer(graph, op);
    if (!shape) continue;
    const auto known = std::ranges::find(layers, *shape, &CountedLayer::shape);
    if (known == layers.end()) {
      layers.push_back({*shape, 1});
    } else {
      ++known->times;
    }
  }
  return layers;
}

LayerQuantization quantization_of(const graph::Graph& graph) {
  const bool is_unsigned = std::ranges::any_of(graph.tensors, [](const graph::Tensor& tensor) {
    return tensor.type == graph::DataType::kUint8 && tensor.is_constant();
  });
  return is_unsigned ? LayerQuantization::kUint8PerTensor : LayerQuantization::kInt8PerChannel;
}

Result<graph::Graph> layer_graph(const LayerShape& shape, int32_t batch,
                                 LayerQuantization quantization) {
  using graph::DataType;
  const bool is_unsigned = quantization == LayerQuantization::kUint8PerTensor;
  const bool is_depthwise = shape.kind == LayerKind::kDepthwise;
  const bool is_matrix = shape.kind == LayerKind::kFullyConnected;
  const DataType type = is_unsigned ? DataType::kUint8 : DataType::kInt8;
  const int32_t products =
      shape.kernel_height * shape.kernel_width * (is_depthwise ? 1 : shape.channels);

  std::mt19937 random(static_cast<uint32_t>(products * 31 + shape.output_channels));
  graph::GraphBuilder builder(layer_name(shape));
  const graph::Shape input_shape =
      is_matrix ? graph::Shape{batch, shape.channels}
                : graph::Shape{batch, shape.height, shape.width, shape.channels};
  const int32_t input = builder.input("input", type, input_shape,
                                      graph::per_tensor(kInputScale, is_unsigned ? 131 : 3));

  graph::Shape weights_shape{shape.output_channels, shape.kernel_height, shape.kernel_width,
                             shape.channels};
  if (is_depthwise) {
    weights_shape = {1, shape.kernel_height, shape.kernel_width, shape.output_channels};
  }
  if (is_matrix) weights_shape = {shape.output_channels, shape.channels};
  const size_t weight_count =
      static_cast<size_t>(products) * static_cast<size_t>(shape.output_channels);
  int32_t weights = 0;
  if (is_unsigned) {
    std::vector<uint8_t> values(weight_count);
    std::ranges::generate(values, [&] { return static_cast<uint8_t>(random()); });
    weights = builder.constant<uint8_t>("weights", weights_shape, values,
                                        graph::per_tensor(kWeightScale, 122));
  } else {
    std::vector<int8_t> values(weight_count);
    std::ranges::generate(
        values, [&] { return static_cast<int8_t>(static_cast<int32_t>(random() % 255) - 127); });
    // Fully connected layers have one scale for all of their weights.
    std::vector<float> scales(is_matrix ? 1 : static_cast<size_t>(shape.output_channels));
    std::ranges::generate(scales, [&] {
      return kWeightScale * (0.75f + static_cast<float>(random() % 1000) / 2000.0f);
    });
    weights = builder.constant<int8_t>("weights", weights_shape, values,
                                       graph::per_axis(scales, is_depthwise ? 3 : 0));
  }
  std::vector<int32_t> bias_values(static_cast<size_t>(shape.output_channels));
  std::ranges::generate(bias_values,
                        [&] { return static_cast<int32_t>(random() % 20001) - 10000; });
  // A bias is quantized by the product of its layer's scales.
  graph::Quantization bias_quantization = builder.tensor_at(weights).quantization;
  for (float& scale : bias_quantization.scales) scale *= kInputScale;
  std::ranges::fill(bias_quantization.zero_points, 0);
  bias_quantization.axis = 0;
  const int32_t bias = builder.constant<int32_t>("bias", {shape.output_channels}, bias_values,
                                                 std::move(bias_quantization));

  const graph::Quantization output =
      graph::per_tensor(output_scale(products), is_unsigned ? 126 : -2);
  int32_t result = 0;
  switch (shape.kind) {
    case LayerKind::kConvolution:
      result = builder.conv_2d(
          input, weights, bias, output,
          {.padding = shape.padding, .stride_height = shape.stride, .stride_width = shape.stride});
      break;
    case LayerKind::kDepthwise:
      result = builder.depthwise_conv_2d(
          input, weights, bias, output,
          {.padding = shape.padding, .stride_height = shape.stride, .stride_width = shape.stride});
      break;
    case LayerKind::kFullyConnected:
      result = builder.fully_connected(input, weights, bias, output);
      break;
  }
  return builder.build({result});
}

}  // namespace lockstep::bench
