// AVERAGE_POOL_2D, MAX_POOL_2D and MEAN.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>

#include "graph/lowering_internal.h"

namespace lockstep::graph {
namespace {

using numerics::ChannelScale;
using numerics::Contract;
using numerics::OperatorKind;
using numerics::Rounding;

constexpr std::array<size_t, 1> kActivations{0};

// So that sums of 8-bit values, also less their zero points, fit in 32 bits.
constexpr int32_t kLargestCount = 1 << 22;

Status check_count(const LoweringContext& context, int64_t count) {
  if (count > kLargestCount) {
    return refuse(
        context, fmt::format("it sums {} values; at most {} fit in 32 bits", count, kLargestCount));
  }
  return {};
}

// Whether XNNPACK pools with these windows; it does so for maxima of 8-bit values only.
bool xnnpack_pools(const Pool2dAttributes& attributes, ActivationRange range) {
  const bool one_by_one = attributes.filter_height == 1 && attributes.filter_width == 1;
  const bool windows_touch = attributes.stride_height <= attributes.filter_height &&
                             attributes.stride_width <= attributes.filter_width;
  return attributes.kind == PoolKind::kMax && windows_touch && !one_by_one &&
         range.minimum < range.maximum;
}

// A block of [outer][reduced][inner] elements whose middle dimension is summed.
struct Reduction {
  int32_t outer = 1;
  int32_t reduced = 1;
  int32_t inner = 1;
};

// Which dimensions `axes` names; negative ones count from the end.
std::vector<bool> reduced_dimensions(const std::vector<int32_t>& axes, size_t rank) {
  std::vector<bool> reduced(rank, false);
  for (const int32_t axis : axes) {
    reduced[static_cast<size_t>(axis < 0 ? axis + static_cast<int32_t>(rank) : axis)] = true;
  }
  return reduced;
}

// Nothing where the reduced dimensions are not neighbours (dimensions of extent 1 do not count).
std::optional<Reduction> one_block(const Shape& shape, const std::vector<bool>& reduced) {
  Reduction block;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) {
      continue;
    }
    if (reduced[i]) {
      if (block.inner != 1) {
        return std::nullopt;
      }
      block.reduced *= shape[i];
    } else if (block.reduced == 1) {
      block.outer *= shape[i];
    } else {
      block.inner *= shape[i];
    }
  }
  return block;
}

// A non-decreasing function from the sum of the values as the model has them (zero points not taken
// off) to the output value in the model's own domain.
using MeanFunction = std::function<int32_t(int32_t model_sum)>;

struct MeanOperands {
  float input_scale;
  float output_scale;
  int32_t input_zero_point;  // the model's own domain, like all below
  int32_t output_zero_point;
  int32_t minimum;
  int32_t maximum;
  int32_t count;
};

// XNNPACK, float32, ties to even:
//   round((sum - count * input_zero_point) * (input_scale / (output_scale * count)))
//   + output_zero_point
std::optional<MeanFunction> xnnpack_mean(const MeanOperands& operands) {
  constexpr float kSmallestRatio = 1.0f / 256.0f;
  constexpr float kRatioLimit = 256.0f;
  const float ratio = operands.input_scale / operands.output_scale;
  if (!(ratio >= kSmallestRatio && ratio < kRatioLimit)) {
    return std::nullopt;
  }
  const ChannelScale scale = numerics::channel_scale_float32(
      operands.input_scale / (operands.output_scale * static_cast<float>(operands.count)));
  return [operands, scale](int32_t sum) {
    return numerics::requantize(sum - operands.count * operands.input_zero_point, scale,
                                Rounding::kFloat32TiesEven, operands.output_zero_point,
                                operands.minimum, operands.maximum);
  };
}

// The builtin int8 kernel of a rank-4 MEAN over height and width that keeps its dimensions: the sum
// is scaled first and divided by the count after that, ties away from zero both times.
MeanFunction int8_image_mean(const MeanOperands& operands, Rounding rounding) {
  const ChannelScale scale = numerics::channel_scale(
      double{operands.input_scale} / double{operands.output_scale}, rounding);
  return [operands, scale, rounding](int32_t sum) {
    const int32_t half = operands.count / 2;
    const int32_t scaled = numerics::scale_accumulator(
        sum - operands.count * operands.input_zero_point, scale, rounding);
    const int32_t mean = (scaled > 0 ? scaled + half : scaled - half) / operands.count;
    return std::clamp(mean + operands.output_zero_point, operands.minimum, operands.maximum);
  };
}

// The builtin uint8 kernel of the same. The zero points' share is rounded on its own, before the
// scaled sum joins it, by cutting off the fraction after 0.5 was added in float32:
//   scale(sum) + output_zero_point - truncate(input_zero_point * input_scale / output_scale + 0.5)
MeanFunction uint8_image_mean(const MeanOperands& operands, Rounding rounding) {
  const float zero_point_share =
      static_cast<float>(operands.input_zero_point) * operands.input_scale / operands.output_scale;
  const int32_t bias = operands.output_zero_point - static_cast<int32_t>(zero_point_share + 0.5f);
  const float real_scale =
      operands.input_scale / (static_cast<float>(operands.count) * operands.output_scale);
  const ChannelScale scale = numerics::channel_scale(double{real_scale}, rounding);
  return [operands, scale, rounding, bias](int32_t sum) {
    return numerics::requantize(sum, scale, rounding, bias, operands.minimum, operands.maximum);
  };
}

// The builtin kernel of every other MEAN: equal quantization divides integers, which truncates;
// different quantization goes through float32.
MeanFunction general_mean(const MeanOperands& operands) {
  if (operands.input_scale == operands.output_scale &&
      operands.input_zero_point == operands.output_zero_point) {
    return [count = operands.count](int32_t sum) { return sum / count; };
  }
  const float scale = operands.input_scale / operands.output_scale;
  const float bias = static_cast<float>(-operands.input_zero_point) * scale;
  return [operands, scale, bias](int32_t sum) {
    const float mean = static_cast<float>(sum) / static_cast<float>(operands.count);
    const float value =
        std::round(mean * scale + bias) + static_cast<float>(operands.output_zero_point);
    return static_cast<int32_t>(std::clamp(value, static_cast<float>(operands.minimum),
                                           static_cast<float>(operands.maximum)));
  };
}

// Whether engines see a MEAN over an image's height and width. They compare the axes as the file
// gives them: -2 for 2 does not match.
bool reduces_image(const LoweringContext& context, const std::vector<int32_t>& axes) {
  return input_tensor(context, 0).shape.size() == 4 && axes.size() == 2 &&
         std::min(axes[0], axes[1]) == 1 && std::max(axes[0], axes[1]) == 2;
}

// The smallest sum in [lowest, highest] whose mean reaches `value`, by bisection; one more than
// `highest` where none does.
int32_t smallest_sum_reaching(int32_t value, const MeanFunction& mean, int64_t lowest,
                              int64_t highest) {
  int64_t end = highest + 1;
  while (lowest < end) {
    const int64_t middle = lowest + (end - lowest) / 2;
    if (mean(static_cast<int32_t>(middle)) >= value) {
      end = middle;
    } else {
      lowest = middle + 1;
    }
  }
  return static_cast<int32_t>(lowest);
}

}  // namespace

Result<LoweredOperation> lower_pool(const LoweringContext& context,
                                    const Pool2dAttributes& attributes) {
  if (Status status = require_one_type(context, kActivations); !status) {
    return tl::unexpected(status.error());
  }
  LoweredPool lowered;
  lowered.kind = attributes.kind;
  lowered.input = context.op.inputs[0];
  lowered.output = context.op.outputs[0];
  lowered.input_extent = extent_of(input_tensor(context, 0));
  lowered.output_extent = extent_of(output_tensor(context));
  lowered.window = padded_window({.kernel_height = attributes.filter_height,
                                  .kernel_width = attributes.filter_width,
                                  .stride_height = attributes.stride_height,
                                  .stride_width = attributes.stride_width},
                                 lowered.input_extent, lowered.output_extent);
  const int64_t taps =
      int64_t{std::min(lowered.window.kernel_height, lowered.input_extent.height)} *
      std::min(lowered.window.kernel_width, lowered.input_extent.width);
  if (Status status = check_count(context, taps); !status) {
    return tl::unexpected(status.error());
  }
  lowered.accumulator_offset = storage_offset(input_tensor(context, 0).type);

  Result<ActivationRange> range =
      activation_range(context, attributes.activation, Engine::kXnnpack);
  if (!range) {
    return tl::unexpected(range.error());
  }
  if (context.contract != Contract::kLitert || !xnnpack_pools(attributes, *range)) {
    range = activation_range(context, attributes.activation, Engine::kBuiltin);
  }
  lowered.activation_min = range->minimum;
  lowered.activation_max = range->maximum;
  return lowered;
}

Result<LoweredOperation> lower_mean(const LoweringContext& context,
                                    const MeanAttributes& attributes) {
  if (Status status = require_one_type(context, kActivations); !status) {
    return tl::unexpected(status.error());
  }
  const Tensor& input = input_tensor(context, 0);
  const Tensor& output = output_tensor(context);
  if (Status status = require_constant(context, input_tensor(context, 1)); !status) {
    return tl::unexpected(status.error());
  }
  const std::vector<int32_t> axes = index_values(input_tensor(context, 1));
  const std::optional<Reduction> block =
      one_block(input.shape, reduced_dimensions(axes, input.shape.size()));
  if (!block) {
    return refuse(context, "the dimensions it reduces are not neighbours");
  }
  if (Status status = check_count(context, block->reduced); !status) {
    return tl::unexpected(status.error());
  }

  const int32_t offset = storage_offset(input.type);
  const MeanOperands operands{.input_scale = scale_of(input),
                              .output_scale = scale_of(output),
                              .input_zero_point = model_zero_point(input),
                              .output_zero_point = model_zero_point(output),
                              .minimum = -128 + offset,
                              .maximum = 127 + offset,
                              .count = block->reduced};
  // So that no left shift of a sum can overflow, which would break the steps' order, and no product
  // of the input's scale and its zero point is infinite.
  const double growth = double{operands.input_scale} / double{operands.output_scale};
  if (!(growth * operands.count <= double{kLargestCount}) ||
      !std::isfinite(256.0f * operands.input_scale)) {
    return refuse(context, fmt::format("its input's scale {} is, alone or beside its output's {}, "
                                       "beyond what integers express",
                                       operands.input_scale, operands.output_scale));
  }
  std::optional<MeanFunction> mean;
  if (context.contract == Contract::kLitert && reduces_image(context, axes)) {
    mean = xnnpack_mean(operands);
  }
  if (!mean) {
    const Rounding rounding = builtin_rounding(context.contract, OperatorKind::kElementwise);
    const bool is_image_mean = attributes.keep_dims && reduces_image(context, axes);
    mean = !is_image_mean                  ? general_mean(operands)
           : input.type == DataType::kInt8 ? int8_image_mean(operands, rounding)
                                           : uint8_image_mean(operands, rounding);
  }

  LoweredMean lowered;
  lowered.input = context.op.inputs[0];
  lowered.output = context.op.outputs[0];
  lowered.outer = block->outer;
  lowered.reduced = block->reduced;
  lowered.inner = block->inner;
  const int64_t lowest = int64_t{operands.minimum} * operands.count;
  const int64_t highest = int64_t{operands.maximum} * operands.count;
  for (size_t i = 0; i < lowered.thresholds.size(); ++i) {
    const int32_t value = operands.minimum + 1 + static_cast<int32_t>(i);
    lowered.thresholds[i] =
        smallest_sum_reaching(value, *mean, lowest, highest) - offset * operands.count;
  }
  return lowered;
}

}  // namespace lockstep::graph
