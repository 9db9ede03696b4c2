#include "quantization/layer_parameters.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "quantization/affine.h"

namespace lockstep::quantization {
namespace {

constexpr float kLargestBias = 0x1p30f;
constexpr float kBiasStepsInOutputStep = 256;

}  // namespace

LayerParameters quantize_layer(const FloatLayer& layer, float input_scale, float output_scale) {
  // One scale for all: the whole tensor is one channel.
  const std::array<int32_t, 2> as_one{1, static_cast<int32_t>(layer.weights.size())};
  const std::span<const int32_t> shape = layer.per_channel ? layer.shape : std::span(as_one);
  const size_t axis = layer.per_channel ? layer.channel_axis : 0;

  LayerParameters result;
  const std::vector<float> magnitudes = largest_magnitudes(layer.weights, shape, axis);
  for (size_t channel = 0; channel < magnitudes.size(); ++channel) {
    result.weight_scales.push_back(
        magnitudes[channel] > 0
            ? symmetric_scale(magnitudes[channel])
            : std::max(output_scale / (kBiasStepsInOutputStep * input_scale), kSmallestScale));
  }
  for (size_t i = 0; i < layer.bias.size(); ++i) {
    float& scale = result.weight_scales[layer.per_channel ? i : 0];
    scale = std::max(scale, std::abs(layer.bias[i]) / input_scale / kLargestBias);
  }
  result.weights = quantize_with_scales(layer.weights, shape, axis, result.weight_scales);
  QuantizedBias bias = quantize_bias(layer.bias, input_scale, result.weight_scales);
  result.bias = std::move(bias.values);
  result.bias_scales = std::move(bias.scales);
  return result;
}

}  // namespace lockstep::quantization
