// RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR: which pixels of the input an output's pixel is made
// of. Both directions of an image are alike and independent of one another.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <iterator>
#include <vector>

#include "graph/lowering_internal.h"

namespace lockstep::graph {
namespace {

using numerics::Contract;

constexpr std::array<size_t, 1> kActivations{0};

// So that positions are exact in float32 and in the engines' fixed point, and lists of them small.
constexpr int32_t kLargestExtent = 1 << 16;

// One direction of an image.
struct Direction {
  int32_t input;
  int32_t output;
  bool align_corners;
  bool half_pixel_centers;

  // With align_corners the last pixels count as the ends; a single pixel has no other end.
  int32_t ends() const { return align_corners && output > 1 ? 1 : 0; }
  float scale() const {
    return static_cast<float>(input - ends()) / static_cast<float>(output - ends());
  }
};

// --- Bilinear ----------------------------------------------------------------------------------

// As integers weigh: shares of one and the same pixel are one share.
Interpolation fixed_point(int32_t first, int32_t second, int32_t second_weight,
                          int32_t fraction_bits) {
  const int32_t share = first == second ? 0 : second_weight;
  return {first, second, (1 << fraction_bits) - share, share};
}

// The builtin int8 kernel, in integers with 10 bits below the point:
//   scale    = (2^10 * input + output / 2) / output
//   position = i * scale, or i * scale + scale / 2 - 2^9 with half_pixel_centers
constexpr int32_t kBuiltinFractionBits = 10;

Interpolation builtin_int8_interpolation(const Direction& direction, int32_t i) {
  constexpr int32_t kOne = 1 << kBuiltinFractionBits;
  const int32_t output = direction.output - direction.ends();
  const int32_t scale = (kOne * (direction.input - direction.ends()) + output / 2) / output;
  const int32_t position = i * scale + (direction.half_pixel_centers ? scale / 2 - kOne / 2 : 0);
  const int32_t first = std::max(position / kOne, 0);
  const int32_t second = std::min((position + kOne - 1) / kOne, direction.input - 1);
  return fixed_point(first, second, position - kOne * first, kBuiltinFractionBits);
}

// XNNPACK, positions in float32 and shares rounded to 11 bits:
//   position = clamp(i * scale + offset, 0, input - 1), offset = 0.5 * scale - 0.5 for half pixels
constexpr int32_t kXnnpackFractionBits = 11;

Interpolation xnnpack_interpolation(const Direction& direction, int32_t i) {
  const float scale = direction.scale();
  const float offset = direction.half_pixel_centers ? 0.5f * scale - 0.5f : 0.0f;
  const float last = static_cast<float>(direction.input - 1);
  const float position = std::clamp(static_cast<float>(i) * scale + offset, 0.0f, last);
  const auto first = static_cast<int32_t>(position);
  const int32_t second = std::min(first + 1, direction.input - 1);
  const float share = position - static_cast<float>(first);
  return fixed_point(first, second,
                     static_cast<int32_t>(std::nearbyint(share * (1 << kXnnpackFractionBits))),
                     kXnnpackFractionBits);
}

// The builtin uint8 kernel, all in float32.
struct FloatInterpolation {
  int32_t first;
  int32_t second;
  float first_weight;
  float second_weight;
};

FloatInterpolation builtin_uint8_interpolation(const Direction& direction, int32_t i) {
  const auto index = static_cast<float>(i);
  const float position = direction.half_pixel_centers ? (index + 0.5f) * direction.scale() - 0.5f
                                                      : index * direction.scale();
  const int32_t first = std::max(static_cast<int32_t>(std::floor(position)), 0);
  const int32_t second = std::min(static_cast<int32_t>(std::ceil(position)), direction.input - 1);
  const float share = position - static_cast<float>(first);
  return {first, second, 1.0f - share, share};
}

// Shares of so many bits: their products with one another and with a byte, and sums of those, are
// below 2^10 and multiples of 2^-14, which float32 has all of. Then integers do as well.
constexpr int32_t kExactFractionBits = 7;

bool is_exact(const FloatInterpolation& interpolation) {
  const float scaled = interpolation.second_weight * (1 << kExactFractionBits);
  return scaled == std::floor(scaled);
}

Interpolation exact_interpolation(const FloatInterpolation& interpolation) {
  return fixed_point(interpolation.first, interpolation.second,
                     static_cast<int32_t>(interpolation.second_weight * (1 << kExactFractionBits)),
                     kExactFractionBits);
}

Interpolation float_interpolation(const FloatInterpolation& interpolation) {
  return {interpolation.first, interpolation.second,
          std::bit_cast<int32_t>(interpolation.first_weight),
          std::bit_cast<int32_t>(interpolation.second_weight)};
}

// What `function` says of each position of the output.
template <typename Element>
std::vector<Element> for_each_position(Element (*function)(const Direction&, int32_t),
                                       const Direction& direction) {
  std::vector<Element> elements;
  elements.reserve(static_cast<size_t>(direction.output));
  for (int32_t i = 0; i < direction.output; ++i) {
    elements.push_back(function(direction, i));
  }
  return elements;
}

// Rounded scales may lead behind the last pixel, where engines read whatever is there.
bool are_inside(const std::vector<Interpolation>& interpolations, const Direction& direction) {
  return std::ranges::all_of(interpolations, [&](const Interpolation& interpolation) {
    return interpolation.first < direction.input;
  });
}

void interpolate_builtin_int8(const Direction& rows, const Direction& columns, Contract contract,
                              LoweredResizeBilinear& lowered) {
  lowered.arithmetic = contract == Contract::kSingle ? InterpolationArithmetic::kFixedPointTiesUp
                                                     : InterpolationArithmetic::kFixedPointTiesAway;
  lowered.fraction_bits = kBuiltinFractionBits;
  lowered.rows = for_each_position(builtin_int8_interpolation, rows);
  lowered.columns = for_each_position(builtin_int8_interpolation, columns);
}

void interpolate_xnnpack(const Direction& rows, const Direction& columns,
                         LoweredResizeBilinear& lowered) {
  lowered.arithmetic = InterpolationArithmetic::kFixedPointTiesUp;
  lowered.fraction_bits = kXnnpackFractionBits;
  lowered.rows = for_each_position(xnnpack_interpolation, rows);
  lowered.columns = for_each_position(xnnpack_interpolation, columns);
}

void interpolate_builtin_uint8(const Direction& rows, const Direction& columns,
                               LoweredResizeBilinear& lowered) {
  const auto float_rows = for_each_position(builtin_uint8_interpolation, rows);
  const auto float_columns = for_each_position(builtin_uint8_interpolation, columns);
  const bool exact =
      std::ranges::all_of(float_rows, is_exact) && std::ranges::all_of(float_columns, is_exact);
  lowered.arithmetic =
      exact ? InterpolationArithmetic::kFixedPointTiesUp : InterpolationArithmetic::kFloat32;
  lowered.fraction_bits = exact ? kExactFractionBits : 0;
  const auto convert = exact ? exact_interpolation : float_interpolation;
  std::ranges::transform(float_rows, std::back_inserter(lowered.rows), convert);
  std::ranges::transform(float_columns, std::back_inserter(lowered.columns), convert);
}

Result<LoweredOperation> lower_bilinear(const LoweringContext& context, const Direction& rows,
                                        const Direction& columns) {
  if (rows.align_corners && rows.half_pixel_centers) {
    return refuse(context, "engines take align_corners or half_pixel_centers, not both");
  }
  LoweredResizeBilinear lowered;
  lowered.input = context.op.inputs[0];
  lowered.output = context.op.outputs[0];
  lowered.input_extent = extent_of(input_tensor(context, 0));
  lowered.output_extent = extent_of(output_tensor(context));
  // XNNPACK takes no image that is quantized otherwise afterwards.
  if (context.contract == Contract::kLitert &&
      same_quantization(input_tensor(context, 0), output_tensor(context))) {
    interpolate_xnnpack(rows, columns, lowered);
  } else if (input_tensor(context, 0).type == DataType::kUint8) {
    interpolate_builtin_uint8(rows, columns, lowered);
  } else {
    interpolate_builtin_int8(rows, columns, context.contract, lowered);
  }
  if (!are_inside(lowered.rows, rows) || !are_inside(lowered.columns, columns)) {
    return refuse(context, "its scale, rounded as engines round it, leads behind the image's end");
  }
  return lowered;
}

// --- Nearest neighbour -------------------------------------------------------------------------

// All builtin kernels but that of uint8 without options, in float32.
int32_t nearest_neighbor(const Direction& direction, int32_t i) {
  const float offset = direction.half_pixel_centers ? 0.5f : 0.0f;
  const float position = (static_cast<float>(i) + offset) * direction.scale();
  const float rounded = direction.align_corners ? std::round(position) : std::floor(position);
  return std::min(static_cast<int32_t>(rounded), direction.input - 1);
}

// uint8 without options, in integers with 16 bits below the point. Precondition: the input is below
// kFixedPointLimit, so that they fit in 32 bits.
constexpr int32_t kFixedPointLimit = 1 << 15;

int32_t fixed_point_neighbor(const Direction& direction, int32_t i) {
  const int64_t scale = (int64_t{direction.input} << 16) / direction.output + 1;
  return std::min(static_cast<int32_t>((i * scale) >> 16), direction.input - 1);
}

Result<LoweredOperation> lower_nearest_neighbor(const LoweringContext& context,
                                                const Direction& rows, const Direction& columns) {
  LoweredResizeNearestNeighbor lowered;
  lowered.input = context.op.inputs[0];
  lowered.output = context.op.outputs[0];
  lowered.input_extent = extent_of(input_tensor(context, 0));
  lowered.output_extent = extent_of(output_tensor(context));
  const bool in_fixed_point = input_tensor(context, 0).type == DataType::kUint8 &&
                              !rows.align_corners && !rows.half_pixel_centers;
  if (in_fixed_point && std::max(rows.input, columns.input) >= kFixedPointLimit) {
    return refuse(context, fmt::format("its uint8 image is {} pixels long; engines compute less "
                                       "than {}",
                                       std::max(rows.input, columns.input), kFixedPointLimit));
  }
  const auto neighbor = in_fixed_point ? fixed_point_neighbor : nearest_neighbor;
  lowered.rows = for_each_position(neighbor, rows);
  lowered.columns = for_each_position(neighbor, columns);
  return lowered;
}

}  // namespace

Result<LoweredOperation> lower_resize(const LoweringContext& context,
                                      const ResizeAttributes& attributes) {
  if (Status status = require_one_type(context, kActivations); !status) {
    return tl::unexpected(status.error());
  }
  const Extent4d input = extent_of(input_tensor(context, 0));
  const Extent4d output = extent_of(output_tensor(context));
  const int32_t largest = std::max({input.height, input.width, output.height, output.width});
  if (largest > kLargestExtent) {
    return refuse(context, fmt::format("its image is {} pixels long; at most {} are computed",
                                       largest, kLargestExtent));
  }
  const Direction rows{input.height, output.height, attributes.align_corners,
                       attributes.half_pixel_centers};
  const Direction columns{input.width, output.width, attributes.align_corners,
                          attributes.half_pixel_centers};
  return attributes.kind == ResizeKind::kBilinear ? lower_bilinear(context, rows, columns)
                                                  : lower_nearest_neighbor(context, rows, columns);
}

}  // namespace lockstep::graph
