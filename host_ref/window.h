// Which taps of a window lie in the image, in one dimension.
#pragma once

#include <algorithm>
#include <cstdint>

#include "graph/lowered_graph.h"

namespace lockstep::host_ref {

// Taps begin <= k < end lie in the image, tap k at position(k).
struct TapRange {
  int32_t begin;
  int32_t end;
  int32_t origin;    // position of tap 0; may lie outside the image
  int32_t dilation;  // positions from one tap to the next

  int32_t position(int32_t tap) const { return origin + tap * dilation; }
};

inline TapRange taps_in_image(int32_t origin, int32_t dilation, int32_t taps, int32_t extent) {
  // First k with origin + k * dilation >= 0, and first k with origin + k * dilation >= extent.
  const int32_t begin = origin >= 0 ? 0 : (-origin + dilation - 1) / dilation;
  const int32_t end = origin >= extent ? 0 : (extent - origin + dilation - 1) / dilation;
  return {std::min(begin, taps), std::min(end, taps), origin, dilation};
}

inline TapRange vertical_taps(const graph::Window2d& window, int32_t y, int32_t input_height) {
  return taps_in_image(y * window.stride_height - window.padding_top, window.dilation_height,
                       window.kernel_height, input_height);
}

inline TapRange horizontal_taps(const graph::Window2d& window, int32_t x, int32_t input_width) {
  return taps_in_image(x * window.stride_width - window.padding_left, window.dilation_width,
                       window.kernel_width, input_width);
}

}  // namespace lockstep::host_ref
