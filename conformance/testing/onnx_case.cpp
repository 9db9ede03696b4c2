#include "conformance/testing/onnx_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

#include "graph/graph_builder.h"

namespace lockstep::conformance::testing {
namespace {

using graph::DataType;
using graph::GraphBuilder;
using graph::Quantization;
using graph::Shape;

using Bytes = std::vector<std::byte>;

constexpr std::array<std::string_view, 7> kOperators = {
    "QLinearConv",    "QLinearMatMul",    "ConvInteger",          "MatMulInteger",
    "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"};

// The tensors of a vector by the position in which its operator uses them.
struct Operands {
  const OnnxVector& vector;
  const OnnxNode& node;

  // Null where the operand is absent, or made by another node.
  const OnnxTensor* input(size_t position) const {
    return position < node.inputs.size() ? find(vector.inputs, node.inputs[position]) : nullptr;
  }
  const OnnxTensor* output(size_t position) const {
    return position < node.outputs.size() ? find(vector.outputs, node.outputs[position]) : nullptr;
  }

 private:
  static const OnnxTensor* find(const std::vector<OnnxTensor>& tensors, const std::string& name) {
    const auto found = std::ranges::find(tensors, name, &OnnxTensor::name);
    return name.empty() || found == tensors.end() ? nullptr : &*found;
  }
};

template <typename... Args>
tl::unexpected<Error> no_mapping(const OnnxVector& vector, fmt::format_string<Args...> format,
                                 Args&&... args) {
  return make_error(ErrorCode::kUnsupported, "{}: {}", vector.name,
                    fmt::format(format, std::forward<Args>(args)...));
}

tl::unexpected<Error> contradiction(const OnnxVector& vector, std::string_view what) {
  return make_error(ErrorCode::kInvalidModel, "{}: {}", vector.name, what);
}

size_t extent(const Shape& shape, size_t dimension) {
  return static_cast<size_t>(shape[dimension]);
}

size_t product(const Shape& shape, size_t first, size_t last) {
  size_t result = 1;
  for (size_t i = first; i < last; ++i) result *= extent(shape, i);
  return result;
}

template <typename T>
std::vector<T> values_of(const OnnxTensor& tensor) {
  std::vector<T> values(tensor.data.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
  return values;
}

// Scales and zero points, one or many. An absent scale is 1, an absent zero point 0.
Result<Quantization> read_quantization(const OnnxVector& vector, const OnnxTensor* scale,
                                       const OnnxTensor* zero_point) {
  Quantization result;
  if (scale != nullptr) {
    if (scale->type != DataType::kFloat32) return contradiction(vector, "a scale is no float32");
    result.scales = values_of<float>(*scale);
  }
  if (zero_point != nullptr) {
    if (zero_point->type == DataType::kUint8) {
      for (const uint8_t value : values_of<uint8_t>(*zero_point)) {
        result.zero_points.push_back(value);
      }
    } else if (zero_point->type == DataType::kInt8) {
      for (const int8_t value : values_of<int8_t>(*zero_point)) result.zero_points.push_back(value);
    } else {
      return contradiction(vector, "a zero point is not 8-bit");
    }
  }
  const size_t count = std::max({result.scales.size(), result.zero_points.size(), size_t{1}});
  if (result.scales.empty()) result.scales.assign(count, 1.0f);
  if (result.zero_points.empty()) result.zero_points.assign(count, 0);
  if (result.scales.size() != count || result.zero_points.size() != count) {
    return contradiction(vector, "there are not as many zero points as scales");
  }
  return result;
}

// Elements [outer][channels][inner] in the order [outer][inner][channels]: NCHW becomes NHWC, OIHW
// OHWI, and a matrix its transpose.
Bytes channels_last(const Bytes& data, size_t outer, size_t channels, size_t inner) {
  if (data.empty()) return {};
  const size_t size = data.size() / (outer * channels * inner);
  Bytes result(data.size());
  for (size_t o = 0; o < outer; ++o) {
    for (size_t c = 0; c < channels; ++c) {
      for (size_t i = 0; i < inner; ++i) {
        std::copy_n(
            data.begin() + static_cast<ptrdiff_t>(((o * channels + c) * inner + i) * size), size,
            result.begin() + static_cast<ptrdiff_t>(((o * inner + i) * channels + c) * size));
      }
    }
  }
  return result;
}

Bytes image_channels_last(const OnnxTensor& image) {
  return channels_last(image.data, extent(image.shape, 0), extent(image.shape, 1),
                       product(image.shape, 2, image.shape.size()));
}

// Part `index` of `count` equal ones.
Bytes part(const Bytes& data, size_t index, size_t count) {
  const size_t size = data.size() / count;
  const auto begin = data.begin() + static_cast<ptrdiff_t>(index * size);
  return {begin, begin + static_cast<ptrdiff_t>(size)};
}

// What the two families of products have in common.
struct Product {
  const OnnxTensor* left = nullptr;
  const OnnxTensor* right = nullptr;
  const OnnxTensor* bias = nullptr;
  const OnnxTensor* output = nullptr;
  Quantization left_quantization;
  Quantization right_quantization;
  Quantization output_quantization;
};

Result<Product> read_product(const Operands& operands) {
  const OnnxVector& vector = operands.vector;
  const bool is_integer = operands.node.type.ends_with("Integer");
  Product result{.left = operands.input(0),
                 .right = operands.input(is_integer ? 1 : 3),
                 .bias = is_integer ? nullptr : operands.input(8),
                 .output = operands.output(0),
                 .left_quantization = {},
                 .right_quantization = {},
                 .output_quantization = {}};
  if (result.left == nullptr || result.right == nullptr || result.output == nullptr) {
    return contradiction(vector, "an operand is missing");
  }
  // left, right, output: the positions of scale and zero point.
  constexpr size_t kAbsent = SIZE_MAX;
  using Positions = std::array<std::pair<size_t, size_t>, 3>;
  const Positions positions = is_integer
                                  ? Positions{{{kAbsent, 2}, {kAbsent, 3}, {kAbsent, kAbsent}}}
                                  : Positions{{{1, 2}, {4, 5}, {6, 7}}};
  Quantization* const quantizations[] = {&result.left_quantization, &result.right_quantization,
                                         &result.output_quantization};
  for (size_t i = 0; i < positions.size(); ++i) {
    auto quantization = read_quantization(vector, operands.input(positions[i].first),
                                          operands.input(positions[i].second));
    if (!quantization) return tl::unexpected(quantization.error());
    *quantizations[i] = std::move(*quantization);
  }
  if (result.left_quantization.is_per_axis() || result.output_quantization.is_per_axis()) {
    return no_mapping(vector, "it has a scale for each row of an activation");
  }
  if (result.left->type != result.right->type) {
    return no_mapping(vector, "its operands are {} and {}", data_type_name(result.left->type),
                      data_type_name(result.right->type));
  }
  if (result.bias != nullptr && result.bias->type != DataType::kInt32) {
    return contradiction(vector, "the bias is no int32");
  }
  const std::vector<int32_t>& zero_points = result.right_quantization.zero_points;
  if (result.right->type == DataType::kInt8 &&
      std::ranges::any_of(zero_points, [](int32_t value) { return value != 0; })) {
    return no_mapping(vector, "its int8 weights have a zero point");
  }
  return result;
}

// The bias of a layer, zeros where ONNX has none: under `litert` a depthwise layer without bias
// follows another engine's kernel.
int32_t add_bias(GraphBuilder& builder, const OnnxTensor* bias, int32_t channels) {
  const std::vector<int32_t> values = bias != nullptr
                                          ? values_of<int32_t>(*bias)
                                          : std::vector<int32_t>(static_cast<size_t>(channels), 0);
  return builder.constant<int32_t>("bias", {static_cast<int32_t>(values.size())}, values);
}

Case finish_case(const OnnxVector& vector, graph::Graph graph, std::vector<Bytes> inputs) {
  Case result;
  result.name = "onnx/" + vector.name;
  result.family = "onnx";
  result.graph = std::move(graph);
  result.inputs = std::move(inputs);
  return result;
}

// Two numbers of an attribute, or {1, 1}; nullopt where they are no extents.
std::optional<std::array<int32_t, 2>> pair_attribute(const OnnxNode& node,
                                                     const std::string& name) {
  const auto found = node.numbers.find(name);
  if (found == node.numbers.end()) return std::array<int32_t, 2>{1, 1};
  const std::vector<int64_t>& values = found->second;
  if (values.size() != 2 ||
      std::ranges::any_of(values, [](int64_t v) { return v < 1 || v > 4096; })) {
    return std::nullopt;
  }
  return std::array{static_cast<int32_t>(values[0]), static_cast<int32_t>(values[1])};
}

// top, left, bottom, right, or zeros.
std::optional<std::array<int32_t, 4>> padding_attribute(const OnnxNode& node) {
  const auto found = node.numbers.find("pads");
  if (found == node.numbers.end()) return std::array<int32_t, 4>{};
  const std::vector<int64_t>& values = found->second;
  if (values.size() != 4 ||
      std::ranges::any_of(values, [](int64_t v) { return v < 0 || v > 4096; })) {
    return std::nullopt;
  }
  std::array<int32_t, 4> result{};
  std::ranges::transform(values, result.begin(), [](int64_t v) { return static_cast<int32_t>(v); });
  return result;
}

// `group` needs no look: the graph finds it from the channels of input and weights.
Result<OnnxCase> convolution_case(const Operands& operands) {
  const OnnxVector& vector = operands.vector;
  auto product = read_product(operands);
  if (!product) return tl::unexpected(product.error());
  const Shape& input = product->left->shape;
  const Shape& weights = product->right->shape;
  if (input.size() != 4 || weights.size() != 4 || product->output->shape.size() != 4) {
    return no_mapping(vector, "its images have {} dimensions", input.size());
  }
  const auto strides = pair_attribute(operands.node, "strides");
  const auto dilations = pair_attribute(operands.node, "dilations");
  const auto pads = padding_attribute(operands.node);
  const auto automatic = operands.node.texts.find("auto_pad");
  if (!strides || !dilations || !pads ||
      (automatic != operands.node.texts.end() && automatic->second != "NOTSET")) {
    return no_mapping(vector, "its window is none of ours");
  }
  GraphBuilder builder(vector.name);
  int32_t image = builder.input("x", product->left->type, {input[0], input[2], input[3], input[1]},
                                product->left_quantization);
  if (*pads != std::array<int32_t, 4>{}) {
    const auto [top, left, bottom, right] = *pads;
    image = builder.pad(image, {0, 0, top, bottom, left, right, 0, 0});
  }
  const int32_t constant = builder.constant_bytes(
      "w", product->right->type, {weights[0], weights[2], weights[3], weights[1]},
      image_channels_last(*product->right), product->right_quantization);
  const int32_t output = builder.conv_2d(
      image, constant, add_bias(builder, product->bias, weights[0]), product->output_quantization,
      {.padding = graph::Padding::kValid,
       .stride_height = (*strides)[0],
       .stride_width = (*strides)[1],
       .dilation_height = (*dilations)[0],
       .dilation_width = (*dilations)[1]});
  auto graph = builder.build({output});
  if (!graph) return tl::unexpected(graph.error());
  return OnnxCase{
      .source = finish_case(vector, std::move(*graph), {image_channels_last(*product->left)}),
      .expects_accumulators = operands.node.type == "ConvInteger",
      .expected = {image_channels_last(*product->output)}};
}

Result<OnnxCase> matrix_case(const Operands& operands) {
  const OnnxVector& vector = operands.vector;
  auto product_or = read_product(operands);
  if (!product_or) return tl::unexpected(product_or.error());
  const Product& matrices = *product_or;
  const Shape& left = matrices.left->shape;
  const Shape& right = matrices.right->shape;
  if (left.size() < 2 || left.size() != right.size() ||
      !std::equal(left.begin(), left.end() - 2, right.begin())) {
    return no_mapping(vector, "it broadcasts {} and {}", graph::shape_to_string(left),
                      graph::shape_to_string(right));
  }
  const size_t batch = product(left, 0, left.size() - 2);
  const int32_t rows = left[left.size() - 2];
  const int32_t depth = left[left.size() - 1];
  const int32_t columns = right[right.size() - 1];
  GraphBuilder builder(vector.name);
  std::vector<int32_t> outputs;
  std::vector<Bytes> inputs;
  std::vector<Bytes> expected;
  for (size_t i = 0; i < batch; ++i) {
    const int32_t input = builder.input(fmt::format("a {}", i), matrices.left->type, {rows, depth},
                                        matrices.left_quantization);
    const Bytes weights = channels_last(part(matrices.right->data, i, batch), 1,
                                        static_cast<size_t>(depth), static_cast<size_t>(columns));
    const int32_t constant =
        builder.constant_bytes(fmt::format("b {}", i), matrices.right->type, {columns, depth},
                               weights, matrices.right_quantization);
    outputs.push_back(builder.fully_connected(
        input, constant, add_bias(builder, matrices.bias, columns), matrices.output_quantization));
    inputs.push_back(part(matrices.left->data, i, batch));
    expected.push_back(part(matrices.output->data, i, batch));
  }
  auto graph = builder.build(outputs);
  if (!graph) return tl::unexpected(graph.error());
  return OnnxCase{.source = finish_case(vector, std::move(*graph), std::move(inputs)),
                  .expects_accumulators = operands.node.type == "MatMulInteger",
                  .expected = std::move(expected)};
}

// Part `index` of dimension `axis`.
Bytes slice(const OnnxTensor& tensor, size_t axis, size_t index) {
  const size_t outer = product(tensor.shape, 0, axis);
  const size_t extent_of_axis = extent(tensor.shape, axis);
  Bytes result;
  for (size_t o = 0; o < outer; ++o) {
    const Bytes piece = part(tensor.data, o * extent_of_axis + index, outer * extent_of_axis);
    result.insert(result.end(), piece.begin(), piece.end());
  }
  return result;
}

// Scale and zero point of a DynamicQuantizeLinear are outputs; expanded, they come from other
// nodes.
Result<OnnxCase> door_case(const Operands& operands) {
  const OnnxVector& vector = operands.vector;
  const OnnxTensor* const input = operands.input(0);
  const OnnxTensor* const output = operands.output(0);
  if (input == nullptr || output == nullptr || input->shape != output->shape) {
    return contradiction(vector, "an operand is missing or has another shape");
  }
  const bool is_dynamic = vector.outputs.size() == 3;
  auto quantization = is_dynamic ? read_quantization(vector, &vector.outputs[1], &vector.outputs[2])
                                 : read_quantization(vector, operands.input(1), operands.input(2));
  if (!quantization) return tl::unexpected(quantization.error());
  const size_t slices = quantization->scales.size();
  const auto attribute = operands.node.numbers.find("axis");
  const bool has_axis = attribute != operands.node.numbers.end() && attribute->second.size() == 1;
  const int64_t axis = has_axis ? attribute->second[0] : 1;
  if (slices > 1 && (axis < 0 || axis >= static_cast<int64_t>(input->shape.size()) ||
                     extent(input->shape, static_cast<size_t>(axis)) != slices)) {
    return no_mapping(vector, "{} scales along axis {}", slices, axis);
  }
  GraphBuilder builder(vector.name);
  std::vector<int32_t> outputs;
  std::vector<Bytes> inputs;
  std::vector<Bytes> expected;
  for (size_t i = 0; i < slices; ++i) {
    const auto cut = [&](const OnnxTensor& tensor) {
      return slices == 1 ? tensor.data : slice(tensor, static_cast<size_t>(axis), i);
    };
    inputs.push_back(cut(*input));
    expected.push_back(cut(*output));
    const Shape shape = {static_cast<int32_t>(inputs[i].size() / data_type_size(input->type))};
    const Quantization of_slice =
        graph::per_tensor(quantization->scales[i], quantization->zero_points[i]);
    const bool quantizes = input->type == DataType::kFloat32;
    const int32_t door = builder.input(fmt::format("x {}", i), input->type, shape,
                                       quantizes ? Quantization{} : of_slice);
    outputs.push_back(quantizes ? builder.quantize(door, output->type, of_slice)
                                : builder.dequantize(door));
  }
  auto graph = builder.build(outputs);
  if (!graph) return tl::unexpected(graph.error());
  return OnnxCase{.source = finish_case(vector, std::move(*graph), std::move(inputs)),
                  .expects_accumulators = false,
                  .expected = std::move(expected)};
}

}  // namespace

bool is_quantized_onnx_operator(std::string_view type) {
  return std::ranges::find(kOperators, type) != kOperators.end();
}

Result<OnnxCase> make_onnx_case(const OnnxVector& vector) {
  if (vector.nodes.empty()) return contradiction(vector, "it has no node");
  const OnnxNode& node = vector.nodes.back();
  if (vector.nodes.size() > 1 && vector.name.find("dynamicquantizelinear") == std::string::npos) {
    return no_mapping(vector, "it has {} nodes", vector.nodes.size());
  }
  const Operands operands{vector, node};
  if (node.type.ends_with("QuantizeLinear") || node.type == "DequantizeLinear") {
    return door_case(operands);
  }
  if (node.type == "QLinearConv" || node.type == "ConvInteger") return convolution_case(operands);
  if (node.type == "QLinearMatMul" || node.type == "MatMulInteger") return matrix_case(operands);
  return no_mapping(vector, "{} is none of the quantized operators", node.type);
}

}  // namespace lockstep::conformance::testing
