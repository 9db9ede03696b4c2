#include "conformance/generators/weighted_coverage.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "conformance/generators/measurement.h"
#include "conformance/generators/requantization_coverage.h"
#include "graph/lowering.h"
#include "host_ref/convolution.h"
#include "host_ref/depthwise_convolution.h"
#include "host_ref/output_stage.h"
#include "numerics/effective_scale.h"

namespace lockstep::conformance {
namespace {

using graph::Activation;
using graph::LoweredConvolution;
using graph::LoweredDepthwiseConvolution;
using graph::OutputStage;
using graph::Tensor;
using numerics::Contract;

constexpr std::string_view activation_name(Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return "RELU";
    case Activation::kReluN1To1:
      return "RELU_N1_TO_1";
    case Activation::kRelu6:
      return "RELU6";
    default:
      return "NONE";
  }
}

int32_t groups_of(const LoweredConvolution& operation) { return operation.groups; }
int32_t groups_of(const LoweredDepthwiseConvolution& operation) {
  return operation.input_extent.channels;
}

const OutputStage& stage_of(const graph::LoweredOperation& operation) {
  if (const auto* convolution = std::get_if<LoweredConvolution>(&operation)) {
    return convolution->output_stage;
  }
  return std::get<LoweredDepthwiseConvolution>(operation).output_stage;
}

// The case, taken apart once.
struct Measured {
  const Case& source;
  const graph::Operator& op;
  const Tensor& input;
  const Tensor& weights;
  const Tensor& output;
  std::vector<int8_t> input_values;  // signed domain
  std::array<std::optional<graph::LoweredOperation>, numerics::kAllContracts.size()> lowered;
  std::vector<int32_t> accumulators;  // the same under every contract
  CoveragePoints points;

  std::string_view type() const { return data_type_name(input.type); }

  const graph::LoweredOperation* under(Contract contract) const {
    const auto& operation = lowered[static_cast<size_t>(contract)];
    return operation ? &*operation : nullptr;
  }
};

std::vector<int8_t> finish(const OutputStage& stage, std::span<const int32_t> accumulators) {
  std::vector<int8_t> output(accumulators.size());
  host_ref::finish_accumulators(stage, accumulators, output);
  return output;
}

// --- Numbers ------------------------------------------------------------------------------------

void measure_quantization(Measured& measured) {
  CoveragePoints& points = measured.points;
  const auto zero_point = [&](std::string_view role, const Tensor& tensor) {
    points.add("zero point",
               fmt::format("{} {} {}", measured.type(), role, tensor.quantization.zero_points[0]));
  };
  zero_point("input", measured.input);
  zero_point("output", measured.output);
  zero_point("weights", measured.weights);
  const std::vector<float>& scales = measured.weights.quantization.scales;
  const auto [smallest, largest] = std::minmax_element(scales.begin(), scales.end());
  points.add("scales", scales.size() == 1 ? "per tensor" : "per channel");
  if (*largest >= *smallest * 65536.0f) points.add("scales", "per channel, far apart");
}

void measure_ladders(Measured& measured) {
  const graph::LoweredOperation* builtin = measured.under(Contract::kTflite);
  if (builtin == nullptr) {
    return;
  }
  for (const numerics::ChannelScale scale :
       complete_ladders(stage_of(*builtin), measured.accumulators)) {
    measured.points.add(
        "ladder", fmt::format("{} {:.6g}", measured.type(),
                              std::ldexp(static_cast<double>(scale.multiplier), scale.shift - 31)));
  }
}

// Whether M computed in another width than the engine's would show.
void measure_scale_product(Measured& measured) {
  const graph::LoweredOperation* builtin = measured.under(Contract::kTflite);
  const graph::LoweredOperation* xnnpack = measured.under(Contract::kLitert);
  const std::vector<float>& scales = measured.weights.quantization.scales;
  const float input_scale = measured.input.quantization.scales[0];
  const float output_scale = measured.output.quantization.scales[0];
  const auto rescaled = [&](OutputStage stage, auto&& scale_of_channel) {
    for (size_t channel = 0; channel < stage.scales.size(); ++channel) {
      stage.scales[channel] = scale_of_channel(scales[scales.size() == 1 ? 0 : channel], stage);
    }
    return finish(stage, measured.accumulators);
  };
  const auto in_width = [&](numerics::ScaleProduct product) {
    return rescaled(stage_of(*builtin), [&](float scale, const OutputStage& stage) {
      return numerics::channel_scale(
          numerics::effective_scale(input_scale, scale, output_scale, product), stage.rounding);
    });
  };
  if (builtin != nullptr &&
      in_width(numerics::ScaleProduct::kDouble) != in_width(numerics::ScaleProduct::kFloat32)) {
    measured.points.add("width of M", fmt::format("{} input * weights", measured.type()));
  }
  if (xnnpack != nullptr && stage_of(*xnnpack).rounding == numerics::Rounding::kFloat32TiesEven &&
      finish(stage_of(*xnnpack), measured.accumulators) !=
          rescaled(stage_of(*xnnpack), [&](float scale, const OutputStage&) {
            return numerics::channel_scale_float32(
                static_cast<float>(double{input_scale} * double{scale} / double{output_scale}));
          })) {
    measured.points.add("width of M", fmt::format("{} float32", measured.type()));
  }
}

// Multipliers at the ends of their range.
void measure_multipliers(Measured& measured, const OutputStage& stage) {
  constexpr int32_t kSmallest = int32_t{1} << 30;
  for (const numerics::ChannelScale scale : stage.scales) {
    if (scale.multiplier == INT32_MAX) measured.points.add("multiplier", "largest");
    if (scale.multiplier == kSmallest) measured.points.add("multiplier", "smallest");
    if (scale.multiplier == kSmallest + 1) measured.points.add("multiplier", "smallest but one");
  }
  const float input_scale = measured.input.quantization.scales[0];
  for (const float scale : measured.weights.quantization.scales) {
    const double real =
        double{input_scale} * double{scale} / double{measured.output.quantization.scales[0]};
    const numerics::QuantizedMultiplier words = numerics::quantize_multiplier(real);
    int exponent = 0;
    std::frexp(real, &exponent);
    if (words.multiplier == kSmallest && words.shift == exponent + 1)
      measured.points.add("multiplier", "fraction carried");
  }
}

void measure_activation(Measured& measured, const OutputStage& stage) {
  const Activation activation = std::visit(
      [](const auto& attributes) {
        if constexpr (requires { attributes.activation; }) {
          return attributes.activation;
        } else {
          return Activation::kNone;
        }
      },
      measured.op.attributes);
  size_t clipped = 0;
  const size_t channels = stage.scales.size();
  for (size_t i = 0; i < measured.accumulators.size(); ++i) {
    const int64_t value =
        int64_t{numerics::scale_accumulator(measured.accumulators[i], stage.scales[i % channels],
                                            stage.rounding)} +
        stage.zero_point;
    clipped += value < stage.activation_min || value > stage.activation_max ? 1 : 0;
  }
  const std::string_view how_much = clipped == 0                              ? "nothing"
                                    : clipped == measured.accumulators.size() ? "everything"
                                                                              : "some";
  measured.points.add("activation",
                      fmt::format("{} clips {}", activation_name(activation), how_much));
  measured.points.add("activation type",
                      fmt::format("{} {}", activation_name(activation), measured.type()));
}

// Which contracts give different outputs, so that computing one for another would show.
void measure_contracts(Measured& measured) {
  for (const Contract left : numerics::kAllContracts) {
    if (measured.under(left) == nullptr) continue;
    const OutputStage& left_stage = stage_of(*measured.under(left));
    measured.points.add("contract", fmt::format("{} {}", numerics::contract_name(left),
                                                numerics::rounding_name(left_stage.rounding)));
    for (const Contract right : numerics::kAllContracts) {
      if (right <= left || measured.under(right) == nullptr) continue;
      const OutputStage& right_stage = stage_of(*measured.under(right));
      if (finish(left_stage, measured.accumulators) != finish(right_stage, measured.accumulators)) {
        measured.points.add(
            "contracts told apart",
            fmt::format("{} {}", numerics::contract_name(left), numerics::contract_name(right)));
      }
      if (left_stage.activation_min != right_stage.activation_min ||
          left_stage.activation_max != right_stage.activation_max)
        measured.points.add("activation", "bounds differ between contracts");
    }
  }
}

template <typename Lowered>
void measure_accumulators(Measured& measured, const Lowered& operation) {
  Lowered without_bias = operation;
  std::fill(without_bias.bias.begin(), without_bias.bias.end(), 0);
  const std::vector<int32_t> sums =
      accumulators_of(graph::LoweredOperation(without_bias), measured.input_values);
  const size_t channels = operation.bias.size();
  constexpr int64_t kExactInFloat32 = int64_t{1} << 24;
  for (size_t i = 0; i < sums.size(); ++i) {
    const int64_t total = int64_t{sums[i]} + operation.bias[i % channels];
    if (total != static_cast<int32_t>(total))
      measured.points.add("engine", "accumulator overflows");
    if (sums[i] > kExactInFloat32 && sums[i] % 2 != 0)
      measured.points.add("accumulator", "sum of products beyond float32 positive");
    if (sums[i] < -kExactInFloat32 && sums[i] % 2 != 0)
      measured.points.add("accumulator", "sum of products beyond float32 negative");
    if (sums[i] > (int64_t{1} << 31) - 65536)
      measured.points.add("accumulator", "sum of products near the largest");
    if (sums[i] < -(int64_t{1} << 31) + 65536)
      measured.points.add("accumulator", "sum of products near the smallest");
  }
  // folded_bias = bias - input_zero_point * sum (w - weights_zero_point), which wraps around when
  // the accumulators need not.
  std::vector<int64_t> weight_sums(channels, 0);
  const bool is_depthwise = std::is_same_v<Lowered, LoweredDepthwiseConvolution>;
  for (size_t i = 0; i < operation.weights.size(); ++i) {
    const size_t channel = is_depthwise ? i % channels : i / (operation.weights.size() / channels);
    weight_sums[channel] += operation.weights[i] - operation.weights_zero_points[channel];
  }
  for (size_t channel = 0; channel < channels; ++channel) {
    const int64_t folded =
        operation.bias[channel] - operation.input_zero_point * weight_sums[channel];
    if (folded > INT32_MAX) measured.points.add("accumulator", "folded bias wraps above");
    if (folded < INT32_MIN) measured.points.add("accumulator", "folded bias wraps below");
  }
}

// --- Contents -----------------------------------------------------------------------------------

std::string_view describe_contents(std::span<const int8_t> values, int32_t zero_point) {
  const auto all = [&](int32_t value) {
    return std::all_of(values.begin(), values.end(), [&](int8_t v) { return v == value; });
  };
  if (all(-128)) return "all lowest";
  if (all(127)) return "all highest";
  bool alternates = values.size() > 1;
  std::array<bool, 256> present{};
  for (size_t i = 0; i < values.size(); ++i) {
    present[static_cast<size_t>(values[i] + 128)] = true;
    const bool is_end = values[i] == -128 || values[i] == 127;
    alternates = alternates && is_end && (i == 0 || values[i] != values[i - 1]);
  }
  if (alternates) return "alternating";
  if (std::all_of(present.begin(), present.end(), [](bool p) { return p; })) return "every value";
  const auto others =
      std::count_if(values.begin(), values.end(), [&](int8_t v) { return v != zero_point; });
  return others == 1 ? "one hot" : "mixed";
}

template <typename Lowered>
void measure_contents(Measured& measured, const Lowered& operation) {
  measured.points.add("input contents", std::string(describe_contents(measured.input_values,
                                                                      operation.input_zero_point)));
  measured.points.add(
      "weights contents",
      std::string(describe_contents(operation.weights, operation.weights_zero_points[0])));
  measured.points.add("bias", measured.op.inputs.size() > 2 ? "present" : "absent");
}

// --- Shapes -------------------------------------------------------------------------------------

template <typename Lowered>
void measure_shape(Measured& measured, const Lowered& operation) {
  CoveragePoints& points = measured.points;
  const graph::Extent4d& in = operation.input_extent;
  const graph::Extent4d& out = operation.output_extent;
  const int32_t groups = groups_of(operation);
  const int32_t channel_depth = in.channels / groups;
  const int64_t depth =
      int64_t{operation.window.kernel_height} * operation.window.kernel_width * channel_depth;
  const int64_t rows = int64_t{out.batch} * out.height * out.width;
  points.add("type", std::string(measured.type()));
  points.add("input channels", fmt::format("{}", in.channels));
  points.add("output channels", fmt::format("{}", out.channels));
  points.add("rows", fmt::format("{}", rows));
  points.add("rows against depth", rows < depth ? "fewer" : rows == depth ? "equal" : "more");
}

// One direction of a window over an image: where it starts, how often it steps, what it leaves.
struct Side {
  int32_t extent;
  int32_t positions;
  int32_t kernel;
  int32_t stride;
  int32_t dilation;
  int32_t padding_before;

  int32_t window() const { return (kernel - 1) * dilation + 1; }
  int32_t padding_after() const {
    return (positions - 1) * stride + window() - padding_before - extent;  // < 0: pixels left over
  }
};

void measure_side(Measured& measured, const Side& side, graph::Padding padding,
                  std::string_view direction) {
  CoveragePoints& points = measured.points;
  points.add("kernel against image", side.window() > side.extent    ? "larger"
                                     : side.window() == side.extent ? "equal"
                                                                    : "smaller");
  if (padding == graph::Padding::kValid) {
    points.add("padding", fmt::format("VALID {}, {}", direction,
                                      side.padding_after() < 0 ? "pixels left over" : "exact"));
    return;
  }
  const int32_t after = std::max(side.padding_after(), 0);
  points.add("padding", fmt::format("SAME {}, {}", direction,
                                    side.padding_before + after == 0 ? "none"
                                    : side.padding_before == after   ? "even"
                                                                     : "more behind"));
}

template <typename Attributes, typename Lowered>
void measure_window(Measured& measured, const Attributes& attributes, const Lowered& operation) {
  CoveragePoints& points = measured.points;
  const graph::Extent4d& in = operation.input_extent;
  const graph::Extent4d& out = operation.output_extent;
  const graph::Window2d& window = operation.window;
  points.add("batch", fmt::format("{}", in.batch));
  points.add("kernel", fmt::format("{}x{}", window.kernel_height, window.kernel_width));
  points.add("stride", fmt::format("{}x{}", window.stride_height, window.stride_width));
  points.add("dilation", fmt::format("{}x{}", window.dilation_height, window.dilation_width));
  if (in.height == 1 && in.width == 1) points.add("image", "one pixel");
  if (in.height == 1 && in.width > 1) points.add("image", "one row");
  if (in.height > 1 && in.width == 1) points.add("image", "one column");
  if (in.height > 1 && in.width > 1)
    points.add("image", in.height == in.width ? "square" : "oblong");
  const Side rows{in.height,
                  out.height,
                  window.kernel_height,
                  window.stride_height,
                  window.dilation_height,
                  window.padding_top};
  const Side columns{in.width,
                     out.width,
                     window.kernel_width,
                     window.stride_width,
                     window.dilation_width,
                     window.padding_left};
  measure_side(measured, rows, attributes.padding, "rows");
  measure_side(measured, columns, attributes.padding, "columns");
  const bool pads = rows.padding_after() > 0 || columns.padding_after() > 0;
  if (attributes.padding == graph::Padding::kSame && pads) {
    points.add("padded with",
               fmt::format("{} {}", measured.type(), measured.input.quantization.zero_points[0]));
    if (operation.weights_zero_points[0] != 0) points.add("padded with", "asymmetric weights");
  }
}

void measure_attributes(Measured& measured, const graph::Conv2dAttributes& attributes,
                        const LoweredConvolution& operation) {
  measure_window(measured, attributes, operation);
  const int32_t groups = operation.groups;
  measured.points.add("groups", groups == 1                                 ? "one"
                                : groups == operation.input_extent.channels ? "one a channel"
                                                                            : "some");
  if (groups > 1) measured.points.add("engine", "grouped convolution");
  if (measured.op.inputs.size() < 3) measured.points.add("engine", "convolution without bias");
}

void measure_attributes(Measured& measured, const graph::DepthwiseConv2dAttributes& attributes,
                        const LoweredDepthwiseConvolution& operation) {
  measure_window(measured, attributes, operation);
  measured.points.add("depth multiplier", fmt::format("{}", operation.depth_multiplier));
  if (measured.op.inputs.size() < 3) measured.points.add("engine", "convolution without bias");
}

void measure_attributes(Measured& measured, const graph::FullyConnectedAttributes& attributes,
                        const LoweredConvolution& operation) {
  const size_t rank = measured.input.shape.size();
  measured.points.add("input rank", fmt::format("{}", rank));
  measured.points.add("keep_num_dims", attributes.keep_num_dims ? "yes" : "no");
  if (measured.input.shape.back() != operation.input_extent.channels)
    measured.points.add("flattening", "several dimensions into one");
  if (measured.weights.quantization.is_per_axis())
    measured.points.add("engine", "fully connected per channel");
  if (measured.input.type == graph::DataType::kInt8 &&
      measured.weights.quantization.zero_points[0] != 0)
    measured.points.add("engine", "fully connected int8 weights with a zero point");
}

template <typename Attributes, typename Lowered>
void measure_all(Measured& measured, const Attributes& attributes, const Lowered& operation) {
  measured.accumulators =
      accumulators_of(graph::LoweredOperation(operation), measured.input_values);
  measure_quantization(measured);
  measure_ladders(measured);
  measure_scale_product(measured);
  measure_multipliers(measured, operation.output_stage);
  measure_activation(measured, operation.output_stage);
  measure_contracts(measured);
  measure_accumulators(measured, operation);
  for (const Contract contract : numerics::kAllContracts) {
    if (const graph::LoweredOperation* lowered = measured.under(contract)) {
      measure_requantization(stage_of(*lowered), measured.accumulators, measured.points);
    }
  }
  measure_contents(measured, operation);
  measure_shape(measured, operation);
  measure_attributes(measured, attributes, operation);
}

std::vector<int8_t> stored_input(const Case& source) {
  const Tensor& input = source.graph.tensors[static_cast<size_t>(source.graph.inputs[0])];
  std::vector<int8_t> values(source.inputs[0].size());
  graph::to_stored(input.type, source.inputs[0].data(), reinterpret_cast<std::byte*>(values.data()),
                   values.size());
  return values;
}

}  // namespace

std::vector<int32_t> accumulators_of(const graph::LoweredOperation& operation,
                                     std::span<const int8_t> input) {
  if (const auto* convolution = std::get_if<LoweredConvolution>(&operation)) {
    return host_ref::convolution_accumulators(*convolution, input);
  }
  return host_ref::depthwise_convolution_accumulators(
      std::get<LoweredDepthwiseConvolution>(operation), input);
}

Result<std::vector<CoveragePoint>> measure_weighted_coverage(const Case& source) {
  const graph::Graph& graph = source.graph;
  const graph::Operator& op = graph.operators[0];
  const auto tensor = [&](int32_t index) -> const Tensor& {
    return graph.tensors[static_cast<size_t>(index)];
  };
  Measured measured{source,
                    op,
                    tensor(op.inputs[0]),
                    tensor(op.inputs[1]),
                    tensor(op.outputs[0]),
                    stored_input(source),
                    {},
                    {},
                    {}};
  for (const Contract contract : numerics::kAllContracts) {
    Result<graph::LoweredOperator> lowered = graph::lower_operator(graph, 0, contract);
    if (lowered) {
      measured.lowered[static_cast<size_t>(contract)] = std::move(lowered->operation);
    } else if (contract != Contract::kLitert) {
      return tl::unexpected(lowered.error());
    }
  }
  const graph::LoweredOperation& builtin = *measured.under(Contract::kTflite);
  if (const auto* attributes = std::get_if<graph::Conv2dAttributes>(&op.attributes)) {
    measure_all(measured, *attributes, std::get<LoweredConvolution>(builtin));
  } else if (const auto* depthwise =
                 std::get_if<graph::DepthwiseConv2dAttributes>(&op.attributes)) {
    measure_all(measured, *depthwise, std::get<LoweredDepthwiseConvolution>(builtin));
  } else {
    measure_all(measured, std::get<graph::FullyConnectedAttributes>(op.attributes),
                std::get<LoweredConvolution>(builtin));
  }
  return measured.points.sorted();
}

}  // namespace lockstep::conformance
