// Element-wise operators of one tensor: their 8-bit forms become tables of all 256 results. Also
// the float operators at a network's doors, and SOFTMAX.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "graph/lowering_internal.h"

namespace lockstep::graph {
namespace {

using numerics::ChannelScale;
using numerics::Contract;
using numerics::OperatorKind;
using numerics::QuantizedMultiplier;
using numerics::Rounding;

constexpr std::array<size_t, 1> kActivations{0};

// The operator's table, from a function of the input value less its zero point to the output value
// less its zero point, which is clamped.
template <typename CenteredFunction>
LoweredTable make_table(const LoweringContext& context, CenteredFunction function) {
  LoweredTable lowered;
  lowered.input = context.op.inputs[0];
  lowered.output = context.op.outputs[0];
  const int32_t input_zero_point = stored_zero_point(input_tensor(context, 0));
  const int32_t output_zero_point = stored_zero_point(output_tensor(context));
  for (int32_t stored = -128; stored <= 127; ++stored) {
    const int32_t centered = function(stored - input_zero_point);
    lowered.table[static_cast<size_t>(stored + 128)] = static_cast<int8_t>(
        numerics::clamp_output(centered, output_zero_point, -128, 127));
  }
  return lowered;
}

// A float that may be anything, as an integer that a clamp to 8 bits takes to the same end.
int32_t to_integer(float value) {
  return static_cast<int32_t>(std::clamp(value, -65536.0f, 65536.0f));
}

// Kernels that multiply by 1 / output_scale in float32 need it to be a number: zero times infinity
// is not.
Status require_inverse_of_output_scale(const LoweringContext& context) {
  const float scale = scale_of(output_tensor(context));
  if (!std::isfinite(1.0f / scale)) {
    return refuse(context, fmt::format("the scale {} of its output has no inverse", scale));
  }
  return {};
}

// --- LOGISTIC and TANH: real functions through float32 -----------------------------------------

float builtin_logistic(float x) { return 1.0f / (1.0f + std::exp(-x)); }

// The same function, computed on the side where the exponential stays small.
float xnnpack_logistic(float x) {
  return std::signbit(x) ? 1.0f / (1.0f + std::exp(-x)) : 1.0f - 1.0f / (1.0f + std::exp(x));
}

// XNNPACK's LOGISTIC needs the output quantization that covers [0, 1).
bool xnnpack_takes_logistic(const Tensor& output) {
  return scale_of(output) == 1.0f / 256.0f && stored_zero_point(output) == -128;
}

Result<LoweredOperation> lower_real_function(const LoweringContext& context, UnaryKind kind) {
  if (Status status = require_inverse_of_output_scale(context); !status) {
    return tl::unexpected(status.error());
  }
  const float input_scale = scale_of(input_tensor(context, 0));
  const float inverse_output_scale = 1.0f / scale_of(output_tensor(context));
  if (kind == UnaryKind::kLogistic && context.contract == Contract::kLitert &&
      xnnpack_takes_logistic(output_tensor(context))) {
    return make_table(context, [=](int32_t value) {
      return to_integer(std::nearbyint(xnnpack_logistic(static_cast<float>(value) * input_scale) *
                                       inverse_output_scale));
    });
  }
  const auto function = [kind](float x) {
    return kind == UnaryKind::kLogistic ? builtin_logistic(x) : std::tanh(x);
  };
  return make_table(context, [=](int32_t value) {
    return to_integer(
        std::round(function(input_scale * static_cast<float>(value)) * inverse_output_scale));
  });
}

// --- RELU and its kin: a scaling, then a clamp -------------------------------------------------

Result<LoweredOperation> lower_relu(const LoweringContext& context, Activation activation) {
  const Result<ActivationRange> range = activation_range(context, activation, Engine::kBuiltin);
  if (!range) {
    return tl::unexpected(range.error());
  }
  const float real_scale = scale_of(input_tensor(context, 0)) / scale_of(output_tensor(context));
  if (Status status = require_usable_scale(context, double{real_scale}); !status) {
    return tl::unexpected(status.error());
  }
  const Rounding rounding = builtin_rounding(context.contract, OperatorKind::kElementwise);
  const ChannelScale scale = numerics::channel_scale(double{real_scale}, rounding);
  const int32_t zero_point = stored_zero_point(output_tensor(context));
  return make_table(context, [=](int32_t value) {
    return numerics::requantize(value, scale, rounding, 0, range->minimum - zero_point,
                                range->maximum - zero_point);
  });
}

// Two scalings, one for each sign; the slope may be negative.
Result<LoweredOperation> lower_leaky_relu(const LoweringContext& context, float alpha) {
  const float input_scale = scale_of(input_tensor(context, 0));
  const float output_scale = scale_of(output_tensor(context));
  const double positive_scale = double{input_scale / output_scale};
  const double negative_scale = double{input_scale * alpha / output_scale};
  for (const double scale : {positive_scale, negative_scale}) {
    if (Status status = require_usable_scale(context, scale); !status) {
      return tl::unexpected(status.error());
    }
  }
  const Rounding rounding = builtin_rounding(context.contract, OperatorKind::kElementwise);
  const ChannelScale positive = numerics::channel_scale(positive_scale, rounding);
  const ChannelScale negative = numerics::channel_scale(negative_scale, rounding);
  return make_table(context, [=](int32_t value) {
    return numerics::scale_accumulator(value, value >= 0 ? positive : negative, rounding);
  });
}

// --- HARD_SWISH: the builtin kernel's 16-bit arithmetic ----------------------------------------

int32_t saturate16(int32_t value) { return std::clamp(value, -32768, 32767); }

// a * b / 2^15 to the nearest integer, ties up, saturated.
int32_t rounding_doubling_high_multiply16(int32_t a, int32_t b) {
  const int32_t product = a * b;
  const int32_t nudge = product >= 0 ? 1 << 14 : 1 - (1 << 14);
  return saturate16((product + nudge) / (1 << 15));
}

// a * b / 2^15, truncated towards zero, saturated.
int32_t doubling_high_multiply16(int32_t a, int32_t b) { return saturate16(a * b / (1 << 15)); }

// The 16 leading bits of a multiplier, rounded, saturated.
struct Multiplier16 {
  int32_t multiplier;
  int32_t shift;
};

Multiplier16 multiplier16(float scale) {
  const QuantizedMultiplier wide = numerics::quantize_multiplier(double{scale});
  const int64_t rounded = (int64_t{wide.multiplier} + (1 << 15)) >> 16;
  return {static_cast<int32_t>(std::min<int64_t>(rounded, 32767)), wide.shift};
}

// x * clamp((x + 3) / 6, 0, 1). The first factor is scaled to the output; the second is brought to
// 16 bits, where +-3 lie at the ends: saturation is the clamp.
struct HardSwish {
  Multiplier16 to_output;
  Multiplier16 to_gate;

  int32_t operator()(int32_t value) const {
    const int32_t high_resolution = value * 128;  // 9 bits and a sign times 2^7: fits in 16
    const int32_t scaled = rounding_doubling_high_multiply16(high_resolution, to_output.multiplier);
    const int32_t gate = (gate_before_offset(high_resolution) + 32768) >> 1;
    const int32_t product = doubling_high_multiply16(gate, scaled);
    return numerics::rounding_shift_right_ties_away_from_zero(product, -to_output.shift);
  }

  // One bit of a left shift is kept for after the multiplication, where it saturates exactly.
  int32_t gate_before_offset(int32_t gate) const {
    if (to_gate.shift > 0) {
      gate = saturate16(numerics::shift_left_modulo(gate, std::min(to_gate.shift - 1, 15)));
    }
    gate = rounding_doubling_high_multiply16(gate, to_gate.multiplier);
    if (to_gate.shift > 0) {
      return saturate16(gate * 2);
    }
    return numerics::rounding_shift_right_ties_away_from_zero(gate, -to_gate.shift);
  }
};

Result<LoweredOperation> lower_hard_swish(const LoweringContext& context) {
  const float high_resolution_scale = (1.0f / 128.0f) * scale_of(input_tensor(context, 0));
  constexpr float kGateScale = 3.0f / 32768.0f;
  const float output_scale = high_resolution_scale / scale_of(output_tensor(context));
  const float gate_scale = high_resolution_scale / kGateScale;
  const HardSwish hard_swish{.to_output = multiplier16(output_scale),
                             .to_gate = multiplier16(gate_scale)};
  if (!std::isfinite(output_scale) || hard_swish.to_output.shift > 0) {
    return refuse(context, "its input's scale exceeds its output's so far that engines refuse it");
  }
  if (!std::isfinite(gate_scale)) {
    return refuse(context, "its input's scale is beyond what integers express");
  }
  return make_table(context, hard_swish);
}

// --- SOFTMAX -----------------------------------------------------------------------------------

int32_t rows_of(const Tensor& tensor) {
  return static_cast<int32_t>(element_count(tensor.shape).value_or(0) / tensor.shape.back());
}

}  // namespace

Result<LoweredOperation> lower_unary(const LoweringContext& context,
                                     const UnaryAttributes& attributes) {
  if (Status status = require_one_type(context, kActivations); !status) {
    return tl::unexpected(status.error());
  }
  switch (attributes.kind) {
    case UnaryKind::kLogistic:
    case UnaryKind::kTanh:
      return lower_real_function(context, attributes.kind);
    case UnaryKind::kRelu:
      return lower_relu(context, Activation::kRelu);
    case UnaryKind::kReluN1To1:
      return lower_relu(context, Activation::kReluN1To1);
    case UnaryKind::kRelu6:
      return lower_relu(context, Activation::kRelu6);
    case UnaryKind::kHardSwish:
      return lower_hard_swish(context);
    case UnaryKind::kLeakyRelu:
      return lower_leaky_relu(context, attributes.alpha);
  }
  return refuse(context, "it is an element-wise function without a name");
}

Result<LoweredOperation> lower_softmax(const LoweringContext& context,
                                       const SoftmaxAttributes& attributes) {
  if (Status status = require_one_type(context, kActivations); !status) {
    return tl::unexpected(status.error());
  }
  const Tensor& input = input_tensor(context, 0);
  const Tensor& output = output_tensor(context);
  if (!(attributes.beta >= 0.0f && std::isfinite(attributes.beta * scale_of(input)))) {
    return refuse(context, "its beta is negative or not a number");
  }
  if (Status status = require_inverse_of_output_scale(context); !status) {
    return tl::unexpected(status.error());
  }
  LoweredSoftmax lowered;
  lowered.input = context.op.inputs[0];
  lowered.output = context.op.outputs[0];
  lowered.rows = rows_of(input);
  lowered.depth = input.shape.back();
  lowered.output_scale = scale_of(output);
  lowered.output_zero_point = model_zero_point(output);
  lowered.output_is_unsigned = output.type == DataType::kUint8;
  const float exponent_scale = -scale_of(input) * attributes.beta;
  for (size_t distance = 0; distance < lowered.exponentials.size(); ++distance) {
    lowered.exponentials[distance] = std::exp(exponent_scale * static_cast<float>(distance));
  }
  return lowered;
}

Result<LoweredOperation> lower_quantize(const LoweringContext& context) {
  const Tensor& input = input_tensor(context, 0);
  const Tensor& output = output_tensor(context);
  if (Status status = require_quantized(context, output); !status) {
    return tl::unexpected(status.error());
  }
  if (input.type == DataType::kFloat32) {
    return LoweredQuantize{.input = context.op.inputs[0],
                           .output = context.op.outputs[0],
                           .scale = scale_of(output),
                           .zero_point = stored_zero_point(output),
                           .contract = context.contract};
  }
  if (Status status = require_quantized(context, input); !status) {
    return tl::unexpected(status.error());
  }
  const double real_scale = double{scale_of(input)} / double{scale_of(output)};
  if (Status status = require_usable_scale(context, real_scale); !status) {
    return tl::unexpected(status.error());
  }
  const Rounding rounding = builtin_rounding(context.contract, OperatorKind::kElementwise);
  const ChannelScale scale = numerics::channel_scale(real_scale, rounding);
  return make_table(
      context, [=](int32_t value) { return numerics::scale_accumulator(value, scale, rounding); });
}

Result<LoweredOperation> lower_dequantize(const LoweringContext& context) {
  const Tensor& input = input_tensor(context, 0);
  const Tensor& output = output_tensor(context);
  if (Status status = require_quantized(context, input); !status) {
    return tl::unexpected(status.error());
  }
  if (output.type != DataType::kFloat32) {
    return refuse(context, fmt::format("'{}' is {}; float32 is needed", printable(output.name),
                                       data_type_name(output.type)));
  }
  return LoweredDequantize{.input = context.op.inputs[0],
                           .output = context.op.outputs[0],
                           .scale = scale_of(input),
                           .zero_point = stored_zero_point(input)};
}

}  // namespace lockstep::graph
