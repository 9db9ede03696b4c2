// RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR: the executable specification.
#pragma once

#include <cstdint>
#include <span>

#include "graph/lowered_graph.h"

namespace lockstep::host_ref {

// output(y, x) = input(rows[y], columns[x]).
void resize_nearest_neighbor(const graph::LoweredResizeNearestNeighbor& operation,
                             std::span<const int8_t> input, std::span<int8_t> output);

// Of the four pixels that an output pixel lies between, one channel.
struct Corners {
  int32_t first_first = 0;
  int32_t first_second = 0;
  int32_t second_first = 0;
  int32_t second_second = 0;
};

// The interpolated value, as graph::InterpolationArithmetic says.
int32_t interpolate(const graph::LoweredResizeBilinear& operation, const graph::Interpolation& row,
                    const graph::Interpolation& column, const Corners& corners);

void resize_bilinear(const graph::LoweredResizeBilinear& operation, std::span<const int8_t> input,
                     std::span<int8_t> output);

}  // namespace lockstep::host_ref
