// Windows over images: kernels, strides, dilations and paddings, and images that they do not fit.
#pragma once

#include <cstdint>
#include <span>

#include "conformance/generators/random.h"
#include "graph/operators.h"

namespace lockstep::conformance {

struct WindowCorner {
  const char* name = "";
  int32_t batch = 1;
  int32_t image_height = 1;
  int32_t image_width = 1;
  int32_t channels = 1;
  int32_t kernel_height = 1;
  int32_t kernel_width = 1;
  int32_t stride_height = 1;
  int32_t stride_width = 1;
  int32_t dilation_height = 1;
  int32_t dilation_width = 1;
  graph::Padding padding = graph::Padding::kSame;
};

std::span<const WindowCorner> window_corners();

// A window over an image that it fits, without a name. SAME windows step no further than they
// reach: XNNPACK 2.9 reads wrong pixels where they leave some out.
WindowCorner draw_window(Random& random);

}  // namespace lockstep::conformance
