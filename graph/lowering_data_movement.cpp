// PAD, CONCATENATION, RESHAPE, DEPTH_TO_SPACE, SPACE_TO_DEPTH: elements move, and only
// CONCATENATION may change them on the way.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "graph/lowering_internal.h"

namespace lockstep::graph {
namespace {

constexpr std::array<size_t, 1> kActivations{0};

// One dimension of a padded tensor.
struct PaddedDimension {
  int32_t input;
  int32_t output;
  int32_t before;

  bool is_padded() const { return input != output; }
};

// Merges neighbours, the innermost dimension excepted, until four are left. A padded dimension
// swallows an unpadded one inside it: its elements become longer.
void merge_to_four(std::vector<PaddedDimension>& dimensions) {
  for (size_t i = 0; dimensions.size() > 4 && i + 2 < dimensions.size();) {
    const PaddedDimension inner = dimensions[i + 1];
    if (inner.is_padded()) {
      ++i;
      continue;
    }
    PaddedDimension& outer = dimensions[i];
    outer = {outer.input * inner.input, outer.output * inner.output, outer.before * inner.input};
    dimensions.erase(dimensions.begin() + static_cast<std::ptrdiff_t>(i) + 1);
  }
}

// The value around the image: real zero, or the constant of PADV2.
Result<int8_t> pad_value(const LoweringContext& context) {
  const Tensor* constant = optional_input(context, 2);
  if (constant == nullptr) {
    return static_cast<int8_t>(stored_zero_point(output_tensor(context)));
  }
  if (Status status = require_constant(context, *constant); !status) {
    return tl::unexpected(status.error());
  }
  const Tensor& output = output_tensor(context);
  if (constant->type != output.type || constant->data.size() != 1) {
    return refuse(context, fmt::format("its pad value '{}' is not one {} number",
                                       printable(constant->name), data_type_name(output.type)));
  }
  return stored_values(*constant)[0];
}

// round(x * scale - input_zero_point * scale) + output_zero_point with scale = input_scale *
// (1 / output_scale), in float32 and in the model's own domain, as the builtin kernel computes it.
Result<std::vector<int8_t>> concatenation_table(const LoweringContext& context, const Tensor& input,
                                                const Tensor& output) {
  const float scale = scale_of(input) * (1.0f / scale_of(output));
  if (Status status = require_usable_scale(context, double{scale}); !status) {
    return tl::unexpected(status.error());
  }
  const float bias = static_cast<float>(-model_zero_point(input)) * scale;
  const int32_t offset = storage_offset(input.type);
  std::vector<int8_t> table;
  for (int32_t stored = -128; stored <= 127; ++stored) {
    const float scaled = std::round(static_cast<float>(stored + offset) * scale + bias);
    const float shifted = scaled + static_cast<float>(stored_zero_point(output));
    table.push_back(static_cast<int8_t>(std::clamp(shifted, -128.0f, 127.0f)));
  }
  return table;
}

}  // namespace

Result<LoweredOperation> lower_pad(const LoweringContext& context) {
  if (Status status = require_one_type(context, kActivations); !status) {
    return tl::unexpected(status.error());
  }
  const Tensor& input = input_tensor(context, 0);
  const Tensor& output = output_tensor(context);
  const Tensor& amounts = input_tensor(context, 1);
  if (Status status = require_constant(context, amounts); !status) {
    return tl::unexpected(status.error());
  }
  const Result<int8_t> value = pad_value(context);
  if (!value) {
    return tl::unexpected(value.error());
  }
  const std::vector<int32_t> before_and_after = index_values(amounts);
  std::vector<PaddedDimension> dimensions;
  for (size_t i = 0; i < input.shape.size(); ++i) {
    dimensions.push_back({input.shape[i], output.shape[i], before_and_after[2 * i]});
  }
  merge_to_four(dimensions);
  if (dimensions.size() > 4) {
    return refuse(context, "it pads more than 4 dimensions");
  }
  LoweredPad lowered;
  lowered.input = context.op.inputs[0];
  lowered.output = context.op.outputs[0];
  lowered.value = *value;
  for (size_t i = 0; i < dimensions.size(); ++i) {
    const size_t position = 4 - dimensions.size() + i;
    lowered.input_extents[position] = dimensions[i].input;
    lowered.output_extents[position] = dimensions[i].output;
    lowered.before[position] = dimensions[i].before;
  }
  return lowered;
}

Result<LoweredOperation> lower_concatenation(const LoweringContext& context,
                                             const ConcatenationAttributes& attributes) {
  std::vector<size_t> positions(context.op.inputs.size());
  for (size_t i = 0; i < positions.size(); ++i) {
    positions[i] = i;
  }
  if (Status status = require_one_type(context, positions); !status) {
    return tl::unexpected(status.error());
  }
  if (attributes.activation != Activation::kNone) {
    return refuse(context, "it has a fused activation, which engines do not compute");
  }
  const Tensor& output = output_tensor(context);
  const auto rank = static_cast<int32_t>(output.shape.size());
  const int32_t axis = attributes.axis < 0 ? attributes.axis + rank : attributes.axis;
  LoweredConcatenation lowered;
  lowered.inputs = context.op.inputs;
  lowered.output = context.op.outputs[0];
  int32_t inner = 1;
  for (int32_t i = 0; i < rank; ++i) {
    const int32_t extent = output.shape[static_cast<size_t>(i)];
    lowered.outer *= i < axis ? extent : 1;
    inner *= i > axis ? extent : 1;
  }
  for (const size_t position : positions) {
    const Tensor& input = input_tensor(context, position);
    lowered.axis_sizes.push_back(input.shape[static_cast<size_t>(axis)] * inner);
    std::vector<int8_t>& table = lowered.tables.emplace_back();
    if (!same_quantization(input, output)) {
      Result<std::vector<int8_t>> translation = concatenation_table(context, input, output);
      if (!translation) {
        return tl::unexpected(translation.error());
      }
      table = *std::move(translation);
    }
  }
  return lowered;
}

Result<LoweredOperation> lower_reshape(const LoweringContext& context) {
  const Tensor& input = input_tensor(context, 0);
  const Tensor& output = output_tensor(context);
  if (input.type != output.type || data_type_size(input.type) == 0) {
    return refuse(context, fmt::format("it makes '{}' ({}) of '{}' ({})", printable(output.name),
                                       data_type_name(output.type), printable(input.name),
                                       data_type_name(input.type)));
  }
  return LoweredReshape{context.op.inputs[0], context.op.outputs[0]};
}

// A pixel's channels are [block_row][block_column][channel]. Beside the columns of an image they
// are [column][block_row][block_column * channel], or, spread out in rows of smaller pixels,
// [block_row][column][block_column * channel].
Result<LoweredOperation> lower_pixel_blocks(const LoweringContext& context,
                                            const PixelBlockAttributes& attributes) {
  if (Status status = require_one_type(context, kActivations); !status) {
    return tl::unexpected(status.error());
  }
  const bool spreads = attributes.kind == PixelBlockKind::kDepthToSpace;
  // The fewer pixels, with whole blocks in their channels.
  const Extent4d blocks = extent_of(spreads ? input_tensor(context, 0) : output_tensor(context));
  LoweredTransposition lowered;
  lowered.input = context.op.inputs[0];
  lowered.output = context.op.outputs[0];
  lowered.outer = blocks.batch * blocks.height;
  lowered.rows = spreads ? blocks.width : attributes.block_size;
  lowered.columns = spreads ? attributes.block_size : blocks.width;
  lowered.inner = blocks.channels / attributes.block_size;
  return lowered;
}

}  // namespace lockstep::graph
