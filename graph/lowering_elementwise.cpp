// ADD and MUL of two tensors.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <optional>

#include "graph/lowering_internal.h"

namespace lockstep::graph {
namespace {

using numerics::Contract;
using numerics::OperatorKind;
using numerics::Rounding;

constexpr size_t kLeft = 0;
constexpr size_t kRight = 1;

// Extents of both operands and the result, dimension by dimension, outermost first.
struct Dimension {
  int32_t output;
  int32_t left;
  int32_t right;

  // Whether the operands are broadcast alike, so that such neighbours form one dimension.
  bool repeats_like(const Dimension& other) const {
    const auto repeats = [](int32_t operand, int32_t result) { return operand != result; };
    return repeats(left, output) == repeats(other.left, other.output) &&
           repeats(right, output) == repeats(other.right, other.output);
  }
};

// The innermost dimension is never merged: devices give channels a layout of their own.
std::optional<BroadcastExtents> broadcast_extents(const Shape& output, const Shape& left,
                                                  const Shape& right) {
  const size_t rank = output.size();
  const auto extent = [rank](const Shape& shape, size_t dimension) {
    const size_t missing = rank - shape.size();
    return dimension < missing ? 1 : shape[dimension - missing];
  };
  std::vector<Dimension> dimensions;
  for (size_t i = 0; i < rank; ++i) {
    dimensions.push_back({output[i], extent(left, i), extent(right, i)});
  }
  for (size_t i = 0; dimensions.size() > 4 && i + 2 < dimensions.size();) {
    Dimension& outer = dimensions[i];
    const Dimension& inner = dimensions[i + 1];
    if (outer.repeats_like(inner)) {
      outer = {outer.output * inner.output, outer.left * inner.left, outer.right * inner.right};
      dimensions.erase(dimensions.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    } else {
      ++i;
    }
  }
  if (dimensions.size() > 4) {
    return std::nullopt;
  }
  BroadcastExtents extents;
  int32_t left_stride = 1;
  int32_t right_stride = 1;
  for (size_t i = 0; i < dimensions.size(); ++i) {
    const Dimension& dimension = dimensions[dimensions.size() - 1 - i];
    const size_t position = 3 - i;
    extents.output[position] = dimension.output;
    extents.left_strides[position] = dimension.left == 1 ? 0 : left_stride;
    extents.right_strides[position] = dimension.right == 1 ? 0 : right_stride;
    left_stride *= dimension.left;
    right_stride *= dimension.right;
  }
  return extents;
}

// XNNPACK's sum: both operands times integers of at most 21 bits that share one right shift.
//   exponent = floor(log2(larger of left / output scale and right / output scale))
//   shift = 20 - exponent
//   multiplier = round(operand scale / output scale * 2^shift), ties to even
//   sum = (2^(shift - 1) + (left - left_zero_point) * left_multiplier + ...) >> shift
// False where XNNPACK refuses the scales or the activation.
bool lower_shared_shift(const LoweringContext& context, ActivationRange range,
                        LoweredAdd& lowered) {
  constexpr float kSmallestRatio = 1.0f / 1024.0f;
  constexpr float kRatioLimit = 256.0f;
  const float output_scale = scale_of(output_tensor(context));
  const float left_ratio = scale_of(input_tensor(context, kLeft)) / output_scale;
  const float right_ratio = scale_of(input_tensor(context, kRight)) / output_scale;
  for (const float ratio : {left_ratio, right_ratio}) {
    if (!(ratio >= kSmallestRatio && ratio < kRatioLimit)) {
      return false;
    }
  }
  if (range.minimum >= range.maximum) {
    return false;
  }
  const int exponent = std::ilogb(std::max(left_ratio, right_ratio));
  lowered.arithmetic = AddArithmetic::kSharedShift;
  lowered.shared_shift = 20 - exponent;
  const auto multiplier = [&](float ratio) {
    return static_cast<int32_t>(std::lrint(std::ldexp(ratio, lowered.shared_shift)));
  };
  lowered.left_scale = {multiplier(left_ratio), 0};
  lowered.right_scale = {multiplier(right_ratio), 0};
  // The multipliers stay at or below 2^21 and the zero points within 8 bits: nothing overflows.
  lowered.shared_bias = (int32_t{1} << (lowered.shared_shift - 1)) -
                        lowered.left_scale.multiplier * lowered.left_zero_point -
                        lowered.right_scale.multiplier * lowered.right_zero_point;
  lowered.output_stage.activation_min = range.minimum;
  lowered.output_stage.activation_max = range.maximum;
  return true;
}

// gemmlowp's sum. 20 bits below the point keep the operands' precision; with twice the larger scale
// as the common one, neither operand nor the sum can overflow:
//   twice = 2 * max(left_scale, right_scale)                                   in float32
//   operand multiplier = operand scale / twice                                 in double
//   output multiplier = twice / (2^20 * output_scale)       product in float32, rest in double
Status lower_rescaled_operands(const LoweringContext& context, LoweredAdd& lowered) {
  constexpr int32_t kLeftShift = 20;
  constexpr float kTwoToTheLeftShift = 1048576.0f;
  const float left_scale = scale_of(input_tensor(context, kLeft));
  const float right_scale = scale_of(input_tensor(context, kRight));
  const double twice = double{2.0f * std::max(left_scale, right_scale)};
  const double output_multiplier =
      twice / double{kTwoToTheLeftShift * scale_of(output_tensor(context))};
  if (!(output_multiplier < 1.0)) {
    return refuse(context, "its operands' scales exceed the output's so far that engines abort");
  }
  const Rounding rounding = builtin_rounding(context.contract, OperatorKind::kElementwise);
  lowered.arithmetic = AddArithmetic::kRescaledOperands;
  lowered.left_shift = kLeftShift;
  lowered.left_scale = numerics::channel_scale(double{left_scale} / twice, rounding);
  lowered.right_scale = numerics::channel_scale(double{right_scale} / twice, rounding);
  lowered.output_stage.rounding = rounding;
  lowered.output_stage.scales = {numerics::channel_scale(output_multiplier, rounding)};
  return {};
}

Result<LoweredOperation> lower_add(const LoweringContext& context,
                                   const BinaryAttributes& attributes,
                                   const BroadcastExtents& extents) {
  LoweredAdd lowered;
  lowered.left = context.op.inputs[kLeft];
  lowered.right = context.op.inputs[kRight];
  lowered.output = context.op.outputs[0];
  lowered.extents = extents;
  lowered.left_zero_point = stored_zero_point(input_tensor(context, kLeft));
  lowered.right_zero_point = stored_zero_point(input_tensor(context, kRight));
  lowered.output_stage.zero_point = stored_zero_point(output_tensor(context));
  if (context.contract == Contract::kLitert) {
    const Result<ActivationRange> range =
        activation_range(context, attributes.activation, Engine::kXnnpack);
    if (!range) {
      return tl::unexpected(range.error());
    }
    if (lower_shared_shift(context, *range, lowered)) {
      return lowered;
    }
  }
  const Result<ActivationRange> range =
      activation_range(context, attributes.activation, Engine::kBuiltin);
  if (!range) {
    return tl::unexpected(range.error());
  }
  lowered.output_stage.activation_min = range->minimum;
  lowered.output_stage.activation_max = range->maximum;
  if (Status status = lower_rescaled_operands(context, lowered); !status) {
    return tl::unexpected(status.error());
  }
  return lowered;
}

// Whether XNNPACK multiplies tensors whose product has this scale.
bool xnnpack_multiplies(float scale, ActivationRange range) {
  constexpr float kSmallestScale = 1.0f / 65536.0f;
  constexpr float kScaleLimit = 256.0f;
  return scale >= kSmallestScale && scale < kScaleLimit && range.minimum < range.maximum;
}

Result<LoweredOperation> lower_mul(const LoweringContext& context,
                                   const BinaryAttributes& attributes,
                                   const BroadcastExtents& extents) {
  const Tensor& left = input_tensor(context, kLeft);
  const Tensor& right = input_tensor(context, kRight);
  const Tensor& output = output_tensor(context);
  LoweredMul lowered;
  lowered.left = context.op.inputs[kLeft];
  lowered.right = context.op.inputs[kRight];
  lowered.output = context.op.outputs[0];
  lowered.extents = extents;
  lowered.left_zero_point = stored_zero_point(left);
  lowered.right_zero_point = stored_zero_point(right);
  lowered.output_stage.zero_point = stored_zero_point(output);

  // Both engines multiply and divide in float32, in this order.
  const float scale = scale_of(left) * scale_of(right) / scale_of(output);
  Result<ActivationRange> range =
      activation_range(context, attributes.activation, Engine::kXnnpack);
  if (!range) {
    return tl::unexpected(range.error());
  }
  if (context.contract == Contract::kLitert && xnnpack_multiplies(scale, *range)) {
    lowered.output_stage.rounding = Rounding::kFloat32TiesEven;
    lowered.output_stage.scales = {numerics::channel_scale_float32(scale)};
  } else {
    if (!numerics::is_usable_scale(double{scale})) {
      return refuse(
          context,
          fmt::format("the scale {} of its product is beyond what integers express", scale));
    }
    range = activation_range(context, attributes.activation, Engine::kBuiltin);
    lowered.output_stage.rounding = builtin_rounding(context.contract, OperatorKind::kElementwise);
    lowered.output_stage.scales = {
        numerics::channel_scale(double{scale}, lowered.output_stage.rounding)};
  }
  lowered.output_stage.activation_min = range->minimum;
  lowered.output_stage.activation_max = range->maximum;
  return lowered;
}

}  // namespace

Result<LoweredOperation> lower_binary(const LoweringContext& context,
                                      const BinaryAttributes& attributes) {
  constexpr std::array<size_t, 2> kOperands{kLeft, kRight};
  if (Status status = require_one_type(context, kOperands); !status) {
    return tl::unexpected(status.error());
  }
  const std::optional<BroadcastExtents> extents =
      broadcast_extents(output_tensor(context).shape, input_tensor(context, kLeft).shape,
                        input_tensor(context, kRight).shape);
  if (!extents) {
    return refuse(context, "its operands are broadcast over more than 4 dimensions");
  }
  return attributes.kind == BinaryKind::kAdd ? lower_add(context, attributes, *extents)
                                             : lower_mul(context, attributes, *extents);
}

}  // namespace lockstep::graph
