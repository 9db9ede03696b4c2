#include "conformance/generators/window_corners.h"

#include <algorithm>

namespace lockstep::conformance {
namespace {

constexpr graph::Padding kSame = graph::Padding::kSame;
constexpr graph::Padding kValid = graph::Padding::kValid;

// name, batch, image, channels, kernel, stride, dilation, padding; height before width.
constexpr WindowCorner kWindowCorners[] = {
    {"kernel 1x1", 1, 5, 6, 4, 1, 1, 1, 1, 1, 1, kSame},
    {"kernel 3x3 valid", 1, 6, 5, 8, 3, 3, 1, 1, 1, 1, kValid},
    {"kernel 4x4", 1, 7, 6, 3, 4, 4, 1, 1, 1, 1, kSame},
    {"kernel 5x5", 1, 7, 8, 4, 5, 5, 1, 1, 1, 1, kSame},
    {"kernel 6x6 valid", 1, 7, 9, 2, 6, 6, 1, 1, 1, 1, kValid},
    {"kernel 7x7", 1, 9, 8, 3, 7, 7, 1, 1, 1, 1, kSame},
    {"kernel 1x3", 1, 5, 6, 5, 1, 3, 1, 1, 1, 1, kSame},
    {"kernel 3x1", 1, 6, 5, 5, 3, 1, 1, 1, 1, 1, kSame},
    {"kernel 1x7", 1, 4, 9, 4, 1, 7, 1, 1, 1, 1, kSame},
    {"kernel 7x1", 1, 9, 4, 4, 7, 1, 1, 1, 1, 1, kSame},
    {"kernel 2x5 valid", 1, 5, 7, 6, 2, 5, 1, 1, 1, 1, kValid},
    {"kernel as large as the image", 2, 4, 6, 4, 4, 6, 1, 1, 1, 1, kValid},
    {"kernel larger than the image", 1, 3, 2, 4, 5, 7, 1, 1, 1, 1, kSame},
    {"stride 2, even image", 1, 8, 8, 8, 3, 3, 2, 2, 1, 1, kSame},
    {"stride 2, odd image", 1, 7, 9, 4, 3, 3, 2, 2, 1, 1, kSame},
    {"stride 2 valid, pixels left over", 1, 8, 6, 4, 3, 3, 2, 2, 1, 1, kValid},
    {"stride 2, kernel 1x1", 1, 7, 8, 16, 1, 1, 2, 2, 1, 1, kSame},
    {"stride 3", 1, 10, 8, 3, 3, 3, 3, 3, 1, 1, kSame},
    {"stride 1x2", 1, 6, 9, 5, 3, 3, 1, 2, 1, 1, kSame},
    {"stride 2x1", 1, 8, 5, 4, 3, 4, 2, 1, 1, 1, kSame},
    {"stride 3x1 valid", 1, 8, 4, 4, 2, 3, 3, 1, 1, 1, kValid},
    {"stride 2x3", 1, 8, 11, 3, 5, 4, 2, 3, 1, 1, kSame},
    {"stride larger than the image", 1, 2, 2, 4, 2, 2, 3, 3, 1, 1, kSame},
    {"dilation 2", 1, 7, 8, 4, 3, 3, 1, 1, 2, 2, kSame},
    {"dilation 2 valid", 1, 7, 6, 4, 3, 3, 1, 1, 2, 2, kValid},
    {"dilation 3", 1, 9, 8, 3, 3, 3, 1, 1, 3, 3, kSame},
    {"dilation 1x2", 1, 5, 7, 5, 3, 3, 1, 1, 1, 2, kSame},
    {"dilation 3x1", 1, 8, 5, 4, 2, 2, 1, 1, 3, 1, kSame},
    {"dilation 2x3", 2, 8, 8, 4, 3, 2, 1, 1, 2, 3, kSame},
    {"dilation beyond the image", 1, 3, 4, 4, 3, 3, 1, 1, 3, 3, kSame},
    {"one pixel", 1, 1, 1, 17, 1, 1, 1, 1, 1, 1, kSame},
    {"one pixel, kernel 3x3", 2, 1, 1, 5, 3, 3, 1, 1, 1, 1, kSame},
    {"one row", 1, 1, 19, 4, 3, 3, 1, 2, 1, 1, kSame},
    {"one column", 1, 18, 1, 5, 3, 3, 2, 1, 1, 1, kSame},
    {"batch 3", 3, 4, 5, 3, 3, 3, 1, 1, 1, 1, kSame},
    {"batch 3 valid, kernel 1x1", 3, 3, 3, 33, 1, 1, 1, 1, 1, 1, kValid},
};

}  // namespace

std::span<const WindowCorner> window_corners() { return kWindowCorners; }

WindowCorner draw_window(Random& random) {
  WindowCorner window;
  window.batch = random.between(1, 3);
  window.channels = random.between(1, 40);
  window.kernel_height = random.between(1, 5);
  window.kernel_width = random.between(1, 5);
  window.stride_height = random.between(1, std::min(window.kernel_height, 3));
  window.stride_width = random.between(1, std::min(window.kernel_width, 3));
  window.dilation_height = window.stride_height == 1 ? random.between(1, 3) : 1;
  window.dilation_width = window.stride_width == 1 ? random.between(1, 3) : 1;
  window.padding = random.coin() ? kSame : kValid;
  const auto extent = [&](int32_t kernel, int32_t dilation) {
    const int32_t smallest = window.padding == kValid ? (kernel - 1) * dilation + 1 : 1;
    return random.between(smallest, smallest + 7);
  };
  window.image_height = extent(window.kernel_height, window.dilation_height);
  window.image_width = extent(window.kernel_width, window.dilation_width);
  return window;
}

}  // namespace lockstep::conformance
