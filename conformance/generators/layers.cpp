#include "conformance/generators/layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "conformance/generators/operand_contents.h"

namespace lockstep::conformance {

using graph::Activation;
using graph::DataType;
using graph::Quantization;
using graph::Shape;

namespace {

Bytes random_bytes(size_t count, Random& random) {
  Bytes bytes(count);
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(random.next() >> 56);
  }
  return bytes;
}

}  // namespace

LayerBuilder::LayerBuilder(DataType type, uint64_t seed, std::string_view name)
    : type_(type), random_(seed, name), builder_(std::string(name)) {}

std::string LayerBuilder::name(std::string_view role) {
  return fmt::format("{}_{}", role, names_++);
}

int32_t LayerBuilder::zero_point(DataType type) {
  const int32_t lowest = type == DataType::kUint8 ? 0 : -128;
  switch (random_.between(0, 5)) {
    case 0:
      return lowest;
    case 1:
      return lowest + 255;
    case 2:
      return lowest + 128;
    default:
      return lowest + random_.between(64, 192);
  }
}

int32_t LayerBuilder::input(Shape shape) {
  return input(std::move(shape), graph::per_tensor(0.02f, zero_point(type_)), Pattern::kRandom);
}

int32_t LayerBuilder::input(Shape shape, Quantization quantization, Pattern pattern) {
  const int32_t signed_zero_point =
      quantization.zero_points[0] - (type_ == DataType::kUint8 ? 128 : 0);
  contents_.push_back(
      bytes_of(type_, make_contents(pattern, element_count_of(shape), signed_zero_point, random_)));
  return builder_.input(name("input"), type_, std::move(shape), std::move(quantization));
}

int32_t LayerBuilder::real_input(Shape shape) {
  std::vector<float> values(element_count_of(shape));
  for (float& value : values) {
    value = static_cast<float>(random_.between(-4096, 4096)) / 1024.0f;
  }
  Bytes& bytes = contents_.emplace_back(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return builder_.input(name("input"), DataType::kFloat32, std::move(shape));
}

// Values and weights spread uniformly have a deviation of 74, their products of 74^2; a sum's grows
// with the root of its products. Two deviations of the output reach the ends of its type.
LayerBuilder::Weights LayerBuilder::weights(float input_scale, float output_scale, int32_t products,
                                            const Shape& shape, int32_t axis,
                                            int32_t output_channels) {
  const float deviation = 74.0f * 74.0f * std::sqrt(static_cast<float>(products));
  const float scale = output_scale * 64.0f / (input_scale * deviation);
  Quantization quantization = graph::per_tensor(scale, 0);
  if (type_ == DataType::kUint8) {
    quantization = graph::per_tensor(scale, random_.between(96, 160));
  } else if (axis >= 0) {
    std::vector<float> scales;
    for (int32_t i = 0; i < output_channels; ++i) {
      scales.push_back(scale * static_cast<float>(random_.between(96, 160)) / 128.0f);
    }
    quantization = graph::per_axis(std::move(scales), axis);
  }
  std::vector<float> bias_scales;
  for (const float weight_scale : quantization.scales) {
    bias_scales.push_back(input_scale * weight_scale);
  }
  std::vector<int32_t> bias(static_cast<size_t>(output_channels));
  for (int32_t& value : bias) {
    value = random_.between(-6000, 6000);
  }
  const Bytes bytes = random_bytes(element_count_of(shape), random_);
  const int32_t tensor =
      builder_.constant_bytes(name("weights"), type_, shape, bytes, std::move(quantization));
  return {.tensor = tensor,
          .bias = builder_.constant<int32_t>(name("bias"), {output_channels}, bias,
                                             graph::per_axis(std::move(bias_scales), 0))};
}

Quantization LayerBuilder::layer_quantization(Activation activation) {
  const float scale = 0.03125f * static_cast<float>(random_.between(96, 160)) / 128.0f;
  return quantization_for(scale, activation);
}

Quantization LayerBuilder::quantization_for(float scale, Activation activation) {
  int32_t chosen = zero_point(type_);
  if (activation != Activation::kNone) {
    chosen = std::min(chosen, type_ == DataType::kUint8 ? 192 : 64);
  }
  return graph::per_tensor(scale, chosen);
}

int32_t LayerBuilder::convolution(int32_t input, int32_t output_channels, LayerWindow window,
                                  Activation activation) {
  const int32_t input_channels = shape(input)[3];
  const Quantization output = layer_quantization(activation);
  const Weights w =
      weights(quantization(input).scales[0], output.scales[0],
              window.kernel * window.kernel * input_channels,
              {output_channels, window.kernel, window.kernel, input_channels}, 0, output_channels);
  return builder_.conv_2d(input, w.tensor, w.bias, output,
                          {.padding = window.padding,
                           .stride_height = window.stride,
                           .stride_width = window.stride,
                           .activation = activation});
}

int32_t LayerBuilder::depthwise(int32_t input, LayerWindow window, Activation activation,
                                int32_t depth_multiplier) {
  const int32_t output_channels = shape(input)[3] * depth_multiplier;
  const Quantization output = layer_quantization(activation);
  const Weights w =
      weights(quantization(input).scales[0], output.scales[0], window.kernel * window.kernel,
              {1, window.kernel, window.kernel, output_channels}, 3, output_channels);
  return builder_.depthwise_conv_2d(input, w.tensor, w.bias, output,
                                    {.padding = window.padding,
                                     .stride_height = window.stride,
                                     .stride_width = window.stride,
                                     .activation = activation});
}

int32_t LayerBuilder::fully_connected(int32_t input, int32_t output_channels,
                                      Activation activation) {
  const int32_t input_channels = shape(input).back();
  const Quantization output = layer_quantization(activation);
  const Weights w = weights(quantization(input).scales[0], output.scales[0], input_channels,
                            {output_channels, input_channels}, -1, output_channels);
  return builder_.fully_connected(input, w.tensor, w.bias, output, {.activation = activation});
}

int32_t LayerBuilder::add(int32_t left, int32_t right, Activation activation) {
  const float scale =
      std::max(quantization(left).scales[0], quantization(right).scales[0]) * 1.3125f;
  return builder_.add(left, right, quantization_for(scale, activation), activation);
}

int32_t LayerBuilder::mul(int32_t left, int32_t right, Activation activation) {
  const float scale = quantization(left).scales[0] * quantization(right).scales[0] * 96.0f;
  return builder_.mul(left, right, quantization_for(scale, activation), activation);
}

int32_t LayerBuilder::pool(int32_t input, graph::PoolKind kind, LayerWindow window) {
  return builder_.pool_2d(input,
                          {.kind = kind,
                           .padding = window.padding,
                           .stride_height = window.stride,
                           .stride_width = window.stride,
                           .filter_height = window.kernel,
                           .filter_width = window.kernel},
                          quantization(input));
}

int32_t LayerBuilder::image_mean(int32_t input, bool keep_dims) {
  return builder_.mean(input, {1, 2}, keep_dims,
                       quantization_for(quantization(input).scales[0] * 0.40625f));
}

int32_t LayerBuilder::logistic(int32_t input) {
  return builder_.unary(graph::UnaryKind::kLogistic, input,
                        signed_quantization(type_, 1.0f / 256.0f, -128));
}

int32_t LayerBuilder::hard_swish(int32_t input) {
  return builder_.unary(graph::UnaryKind::kHardSwish, input,
                        quantization_for(quantization(input).scales[0] * 0.75f));
}

int32_t LayerBuilder::softmax(int32_t input) {
  return builder_.softmax(input, signed_quantization(type_, 1.0f / 256.0f, -128));
}

int32_t LayerBuilder::concatenation(const std::vector<int32_t>& inputs, int32_t axis) {
  const Quantization output = quantization(inputs.front());
  std::vector<int32_t> parts;
  for (const int32_t input : inputs) {
    parts.push_back(quantization(input) == output ? input
                                                  : builder_.quantize(input, type_, output));
  }
  return builder_.concatenation(parts, axis, output);
}

int32_t LayerBuilder::requantize(int32_t input, DataType type) {
  const float scale = quantization(input).scales[0] * 1.25f;
  return builder_.quantize(input, type, graph::per_tensor(scale, zero_point(type)));
}

}  // namespace lockstep::conformance
