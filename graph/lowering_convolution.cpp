// CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED: sums of products, with one scale for each output
// channel at their end.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "graph/lowering_internal.h"
#include "numerics/effective_scale.h"

namespace lockstep::graph {
namespace {

using numerics::Contract;
using numerics::OperatorKind;
using numerics::Rounding;
using numerics::ScaleProduct;

constexpr size_t kInput = 0;
constexpr size_t kWeights = 1;
constexpr size_t kBias = 2;

// What the three operators read the same way.
struct Operands {
  std::vector<int8_t> weights;
  std::vector<float> weights_scales;         // one for each output channel
  std::vector<int32_t> weights_zero_points;  // signed domain, likewise
  std::vector<int32_t> bias;                 // likewise
};

// A value for each output channel, from the one or many that the file gives.
template <typename T>
std::vector<T> for_each_channel(const std::vector<T>& values, size_t channels, T absent) {
  if (values.size() == channels) {
    return values;
  }
  return std::vector<T>(channels, values.empty() ? absent : values[0]);
}

Status check_weights(const LoweringContext& context, const Tensor& weights, int32_t output_channels,
                     int32_t channel_axis) {
  const DataType type = input_tensor(context, kInput).type;
  if (weights.type != type) {
    return refuse(
        context, fmt::format("its weights '{}' are {} but its input is {}", printable(weights.name),
                             data_type_name(weights.type), data_type_name(type)));
  }
  if (!weights.quantization.is_quantized()) {
    return refuse(context, fmt::format("its weights '{}' have no scale", printable(weights.name)));
  }
  if (weights.quantization.is_per_axis()) {
    if (type == DataType::kUint8) {
      return refuse(context, fmt::format("its uint8 weights '{}' have a scale for every channel; "
                                         "engines compute that for int8 only",
                                         printable(weights.name)));
    }
    if (weights.quantization.axis != channel_axis ||
        weights.quantization.scales.size() != static_cast<size_t>(output_channels)) {
      return refuse(context, fmt::format("the scales of its weights '{}' are not those of its {} "
                                         "output channels (dimension {})",
                                         printable(weights.name), output_channels, channel_axis));
    }
  }
  return require_constant(context, weights);
}

Result<std::vector<int32_t>> read_bias(const LoweringContext& context, int32_t output_channels) {
  const Tensor* bias = optional_input(context, kBias);
  if (bias == nullptr) {
    return std::vector<int32_t>(static_cast<size_t>(output_channels), 0);
  }
  if (bias->type != DataType::kInt32) {
    return refuse(context, fmt::format("its bias '{}' is {}; int32 is needed",
                                       printable(bias->name), data_type_name(bias->type)));
  }
  if (Status status = require_constant(context, *bias); !status) {
    return tl::unexpected(status.error());
  }
  std::vector<int32_t> values = constant_values<int32_t>(*bias);
  if (values.size() != static_cast<size_t>(output_channels)) {
    return refuse(context, fmt::format("its bias '{}' has {} values for {} output channels",
                                       printable(bias->name), values.size(), output_channels));
  }
  return values;
}

// Convolutions take int8 weights as symmetric whatever zero point the file gives, as every engine
// does; fully connected layers of either type and all uint8 weights have real zero points.
Result<Operands> read_operands(const LoweringContext& context, int32_t output_channels,
                               int32_t channel_axis, bool int8_weights_have_zero_points) {
  constexpr std::array<size_t, 1> kActivations{kInput};
  if (Status status = require_one_type(context, kActivations); !status) {
    return tl::unexpected(status.error());
  }
  const Tensor& weights = input_tensor(context, kWeights);
  if (Status status = check_weights(context, weights, output_channels, channel_axis); !status) {
    return tl::unexpected(status.error());
  }
  Result<std::vector<int32_t>> bias = read_bias(context, output_channels);
  if (!bias) {
    return tl::unexpected(bias.error());
  }
  const auto channels = static_cast<size_t>(output_channels);
  Operands operands;
  operands.weights = stored_values(weights);
  operands.weights_scales = for_each_channel(weights.quantization.scales, channels, 0.0f);
  operands.bias = std::move(*bias);
  if (weights.type == DataType::kInt8 && !int8_weights_have_zero_points) {
    operands.weights_zero_points.assign(channels, 0);
  } else {
    operands.weights_zero_points = for_each_channel(weights.quantization.zero_points, channels, 0);
    for (int32_t& zero_point : operands.weights_zero_points) {
      zero_point -= storage_offset(weights.type);
    }
  }
  return operands;
}

// XNNPACK's end, or nothing where XNNPACK refuses the operator: scales from 256 on, activation
// ranges of fewer than two values, and DEPTHWISE_CONV_2D without bias.
std::optional<OutputStage> xnnpack_output_stage(const LoweringContext& context,
                                                const Operands& operands, ActivationRange range) {
  constexpr float kScaleLimit = 256.0f;
  const Tensor& output = output_tensor(context);
  OutputStage stage;
  stage.rounding = Rounding::kFloat32TiesEven;
  stage.zero_point = stored_zero_point(output);
  stage.activation_min = range.minimum;
  stage.activation_max = range.maximum;
  for (const float weights_scale : operands.weights_scales) {
    const float scale = numerics::effective_scale_float32(scale_of(input_tensor(context, kInput)),
                                                          weights_scale, scale_of(output));
    if (!(scale < kScaleLimit)) {
      return std::nullopt;
    }
    stage.scales.push_back(numerics::channel_scale_float32(scale));
  }
  if (range.minimum >= range.maximum) {
    return std::nullopt;
  }
  if (std::holds_alternative<DepthwiseConv2dAttributes>(context.op.attributes) &&
      optional_input(context, kBias) == nullptr) {
    return std::nullopt;
  }
  return stage;
}

Result<OutputStage> output_stage(const LoweringContext& context, const Operands& operands,
                                 Activation activation, Rounding builtin, ScaleProduct product) {
  if (context.contract == Contract::kLitert) {
    const Result<ActivationRange> range = activation_range(context, activation, Engine::kXnnpack);
    if (!range) {
      return tl::unexpected(range.error());
    }
    if (std::optional<OutputStage> stage = xnnpack_output_stage(context, operands, *range)) {
      return *std::move(stage);
    }
  }
  const Result<ActivationRange> range = activation_range(context, activation, Engine::kBuiltin);
  if (!range) {
    return tl::unexpected(range.error());
  }
  const Tensor& output = output_tensor(context);
  OutputStage stage;
  stage.rounding = builtin;
  stage.zero_point = stored_zero_point(output);
  stage.activation_min = range->minimum;
  stage.activation_max = range->maximum;
  for (size_t channel = 0; channel < operands.weights_scales.size(); ++channel) {
    const double scale =
        numerics::effective_scale(scale_of(input_tensor(context, kInput)),
                                  operands.weights_scales[channel], scale_of(output), product);
    if (!numerics::is_usable_scale(scale)) {
      return refuse(context, fmt::format("the scale {} of its output channel {} is beyond what "
                                         "integers express",
                                         scale, channel));
    }
    stage.scales.push_back(numerics::channel_scale(scale, builtin));
  }
  return stage;
}

// Sum of (w - zero_point) over the weights of each output channel, modulo 2^32. The weights lie as
// [outer][output channel][inner]. Row by row, because compilers make vectors of such loops:
// start-up passes over all weights of a network here.
std::vector<uint32_t> weight_sums(const Operands& operands, size_t inner) {
  const size_t channels = operands.bias.size();
  std::vector<uint32_t> sums(channels, 0);
  const int8_t* weight = operands.weights.data();
  const int8_t* const end = weight + operands.weights.size();
  while (weight != end) {
    for (size_t channel = 0; channel < channels; ++channel, weight += inner) {
      uint32_t sum = 0;
      for (size_t i = 0; i < inner; ++i) {
        sum += static_cast<uint32_t>(int32_t{weight[i]});
      }
      sums[channel] += sum - static_cast<uint32_t>(inner) *
                                 static_cast<uint32_t>(operands.weights_zero_points[channel]);
    }
  }
  return sums;
}

// bias[o] - input_zero_point * sums[o], modulo 2^32.
std::vector<int32_t> fold_bias(const std::vector<int32_t>& bias, int32_t input_zero_point,
                               const std::vector<uint32_t>& sums) {
  std::vector<int32_t> folded(bias.size());
  for (size_t channel = 0; channel < bias.size(); ++channel) {
    folded[channel] = static_cast<int32_t>(static_cast<uint32_t>(bias[channel]) -
                                           static_cast<uint32_t>(input_zero_point) * sums[channel]);
  }
  return folded;
}

// int8 kernels multiply their scales in double, uint8 kernels (which have one scale) in float32.
ScaleProduct convolution_scale_product(const Tensor& input) {
  return input.type == DataType::kInt8 ? ScaleProduct::kDouble : ScaleProduct::kFloat32;
}

// Both kinds of convolution keep the kernel's height and width in dimensions 1 and 2.
template <typename Attributes, typename Lowered>
Window2d convolution_window(const LoweringContext& context, const Attributes& attributes,
                            const Lowered& lowered) {
  const Shape& weights = input_tensor(context, kWeights).shape;
  return padded_window({.kernel_height = weights[1],
                        .kernel_width = weights[2],
                        .stride_height = attributes.stride_height,
                        .stride_width = attributes.stride_width,
                        .dilation_height = attributes.dilation_height,
                        .dilation_width = attributes.dilation_width},
                       lowered.input_extent, lowered.output_extent);
}

// Moves what was read into the operation.
template <typename Lowered>
void take_operands(Lowered& lowered, Operands operands, const std::vector<uint32_t>& sums) {
  lowered.folded_bias = fold_bias(operands.bias, lowered.input_zero_point, sums);
  lowered.weights = std::move(operands.weights);
  lowered.weights_zero_points = std::move(operands.weights_zero_points);
  lowered.bias = std::move(operands.bias);
}

}  // namespace

Result<LoweredOperation> lower_convolution(const LoweringContext& context,
                                           const Conv2dAttributes& attributes) {
  const Tensor& input = input_tensor(context, kInput);
  const Tensor& weights = input_tensor(context, kWeights);
  const int32_t output_channels = weights.shape[0];
  Result<Operands> operands = read_operands(context, output_channels, 0, false);
  if (!operands) {
    return tl::unexpected(operands.error());
  }
  LoweredConvolution lowered;
  lowered.input = context.op.inputs[kInput];
  lowered.output = context.op.outputs[0];
  lowered.input_extent = extent_of(input);
  lowered.output_extent = extent_of(output_tensor(context));
  lowered.groups = lowered.input_extent.channels / weights.shape[3];
  lowered.input_zero_point = stored_zero_point(input);
  lowered.window = convolution_window(context, attributes, lowered);

  // Grouped convolutions leave ruy for the reference kernel, which rounds like a depthwise one.
  const OperatorKind kind =
      lowered.groups == 1 ? OperatorKind::kConvolution : OperatorKind::kDepthwiseConvolution;
  Result<OutputStage> stage =
      output_stage(context, *operands, attributes.activation,
                   builtin_rounding(context.contract, kind), convolution_scale_product(input));
  if (!stage) {
    return tl::unexpected(stage.error());
  }
  lowered.output_stage = *std::move(stage);
  const size_t weights_per_channel =
      operands->weights.size() / static_cast<size_t>(output_channels);
  const std::vector<uint32_t> sums = weight_sums(*operands, weights_per_channel);
  take_operands(lowered, *std::move(operands), sums);
  return lowered;
}

Result<LoweredOperation> lower_depthwise_convolution(const LoweringContext& context,
                                                     const DepthwiseConv2dAttributes& attributes) {
  const Tensor& input = input_tensor(context, kInput);
  const Tensor& weights = input_tensor(context, kWeights);
  const int32_t output_channels = weights.shape[3];
  Result<Operands> operands = read_operands(context, output_channels, 3, false);
  if (!operands) {
    return tl::unexpected(operands.error());
  }
  LoweredDepthwiseConvolution lowered;
  lowered.input = context.op.inputs[kInput];
  lowered.output = context.op.outputs[0];
  lowered.input_extent = extent_of(input);
  lowered.output_extent = extent_of(output_tensor(context));
  lowered.depth_multiplier = output_channels / lowered.input_extent.channels;
  lowered.input_zero_point = stored_zero_point(input);
  lowered.window = convolution_window(context, attributes, lowered);
  Result<OutputStage> stage =
      output_stage(context, *operands, attributes.activation,
                   builtin_rounding(context.contract, OperatorKind::kDepthwiseConvolution),
                   convolution_scale_product(input));
  if (!stage) {
    return tl::unexpected(stage.error());
  }
  lowered.output_stage = *std::move(stage);
  const std::vector<uint32_t> sums = weight_sums(*operands, 1);
  take_operands(lowered, *std::move(operands), sums);
  return lowered;
}

Result<LoweredOperation> lower_fully_connected(const LoweringContext& context,
                                               const FullyConnectedAttributes& attributes) {
  const Tensor& input = input_tensor(context, kInput);
  const Tensor& weights = input_tensor(context, kWeights);
  const int32_t output_channels = weights.shape[0];
  const int32_t input_channels = weights.shape[1];
  Result<Operands> operands = read_operands(context, output_channels, 0, true);
  if (!operands) {
    return tl::unexpected(operands.error());
  }
  if (context.contract == Contract::kLitert && input.type == DataType::kInt8 &&
      std::any_of(operands->weights_zero_points.begin(), operands->weights_zero_points.end(),
                  [](int32_t zero_point) { return zero_point != 0; })) {
    return refuse(context,
                  "its int8 weights have a zero point, which XNNPACK's versions treat differently");
  }
  const int64_t rows = element_count(input.shape).value_or(0) / input_channels;
  LoweredConvolution lowered;
  lowered.input = context.op.inputs[kInput];
  lowered.output = context.op.outputs[0];
  lowered.input_extent = {static_cast<int32_t>(rows), 1, 1, input_channels};
  lowered.output_extent = {static_cast<int32_t>(rows), 1, 1, output_channels};
  lowered.input_zero_point = stored_zero_point(input);

  // One scale: the product in float32 for both types. A scale for every channel is younger than
  // that and multiplied in double.
  const ScaleProduct product =
      weights.quantization.is_per_axis() ? ScaleProduct::kDouble : ScaleProduct::kFloat32;
  Result<OutputStage> stage =
      output_stage(context, *operands, attributes.activation,
                   builtin_rounding(context.contract, OperatorKind::kFullyConnected), product);
  if (!stage) {
    return tl::unexpected(stage.error());
  }
  lowered.output_stage = *std::move(stage);
  const auto weights_per_channel = static_cast<size_t>(input_channels);
  const std::vector<uint32_t> sums = weight_sums(*operands, weights_per_channel);
  take_operands(lowered, *std::move(operands), sums);
  return lowered;
}

}  // namespace lockstep::graph
