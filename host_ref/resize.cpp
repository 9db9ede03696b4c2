#include "host_ref/resize.h"

#include <algorithm>
#include <bit>
#include <cstddef>

namespace lockstep::host_ref {
namespace {

using graph::Extent4d;
using graph::Interpolation;
using graph::InterpolationArithmetic;

// The channels of a pixel begin here.
size_t pixel(const Extent4d& extent, int32_t n, int32_t y, int32_t x) {
  return static_cast<size_t>(((int64_t{n} * extent.height + y) * extent.width + x) *
                             extent.channels);
}

// Calls visit(first element of the output's pixel, n, y, x) for all pixels.
template <typename Visit>
void for_each_pixel(const Extent4d& extent, Visit visit) {
  for (int32_t n = 0; n < extent.batch; ++n) {
    for (int32_t y = 0; y < extent.height; ++y) {
      for (int32_t x = 0; x < extent.width; ++x) {
        visit(pixel(extent, n, y, x), n, y, x);
      }
    }
  }
}

int32_t interpolate_in_fixed_point(const Interpolation& row, const Interpolation& column,
                                   const Corners& corners, int32_t result_bits, bool ties_away) {
  const int32_t first =
      corners.first_first * column.first_weight + corners.first_second * column.second_weight;
  const int32_t second =
      corners.second_first * column.first_weight + corners.second_second * column.second_weight;
  const int32_t sum = first * row.first_weight + second * row.second_weight;
  const int32_t half = 1 << (result_bits - 1);
  // A shift is a floor division: one half less of the last place takes negative ties down.
  const int32_t tie_correction = ties_away && sum < 0 ? 1 : 0;
  return (sum + half - tie_correction) >> result_bits;
}

int32_t interpolate_in_float32(const Interpolation& row, const Interpolation& column,
                               const Corners& corners) {
  constexpr int32_t kOffset = 128;  // from the signed domain to uint8
  const auto row_first = std::bit_cast<float>(row.first_weight);
  const auto row_second = std::bit_cast<float>(row.second_weight);
  const auto column_first = std::bit_cast<float>(column.first_weight);
  const auto column_second = std::bit_cast<float>(column.second_weight);
  const auto share = [](int32_t value, float weight) {
    return static_cast<float>(value + kOffset) * weight;
  };
  const float sum = share(corners.first_first, row_first * column_first) +
                    share(corners.first_second, row_first * column_second) +
                    share(corners.second_first, row_second * column_first) +
                    share(corners.second_second, row_second * column_second);
  return static_cast<int32_t>(sum + 0.5f) - kOffset;
}

}  // namespace

void resize_nearest_neighbor(const graph::LoweredResizeNearestNeighbor& operation,
                             std::span<const int8_t> input, std::span<int8_t> output) {
  const auto channels = static_cast<size_t>(operation.output_extent.channels);
  for_each_pixel(operation.output_extent, [&](size_t to, int32_t n, int32_t y, int32_t x) {
    const size_t from = pixel(operation.input_extent, n, operation.rows[static_cast<size_t>(y)],
                              operation.columns[static_cast<size_t>(x)]);
    std::ranges::copy(input.subspan(from, channels), output.subspan(to).begin());
  });
}

int32_t interpolate(const graph::LoweredResizeBilinear& operation, const Interpolation& row,
                    const Interpolation& column, const Corners& corners) {
  if (operation.arithmetic == InterpolationArithmetic::kFloat32) {
    return interpolate_in_float32(row, column, corners);
  }
  return interpolate_in_fixed_point(
      row, column, corners, 2 * operation.fraction_bits,
      operation.arithmetic == InterpolationArithmetic::kFixedPointTiesAway);
}

void resize_bilinear(const graph::LoweredResizeBilinear& operation, std::span<const int8_t> input,
                     std::span<int8_t> output) {
  const Extent4d& in = operation.input_extent;
  const auto channels = static_cast<size_t>(operation.output_extent.channels);
  for_each_pixel(operation.output_extent, [&](size_t to, int32_t n, int32_t y, int32_t x) {
    const Interpolation& row = operation.rows[static_cast<size_t>(y)];
    const Interpolation& column = operation.columns[static_cast<size_t>(x)];
    const size_t first_first = pixel(in, n, row.first, column.first);
    const size_t first_second = pixel(in, n, row.first, column.second);
    const size_t second_first = pixel(in, n, row.second, column.first);
    const size_t second_second = pixel(in, n, row.second, column.second);
    for (size_t channel = 0; channel < channels; ++channel) {
      output[to + channel] = static_cast<int8_t>(
          interpolate(operation, row, column,
                      {input[first_first + channel], input[first_second + channel],
                       input[second_first + channel], input[second_second + channel]}));
    }
  });
}

}  // namespace lockstep::host_ref
