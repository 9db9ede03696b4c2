#include "host_ref/depthwise_convolution.h"

#include <algorithm>
#include <cstddef>

#include "host_ref/output_stage.h"
#include "host_ref/window.h"

namespace lockstep::host_ref {
namespace {

// Adds one tap's products to the accumulators of all output channels of a pixel, modulo 2^32.
void add_tap(const graph::LoweredDepthwiseConvolution& operation, const int8_t* x, const int8_t* w,
             uint32_t* accumulators) {
  const int32_t* weights_zero_points = operation.weights_zero_points.data();
  const int32_t input_channels = operation.input_extent.channels;
  int32_t o = 0;
  for (int32_t c = 0; c < input_channels; ++c) {
    const int32_t centered_x = x[c] - operation.input_zero_point;
    for (int32_t m = 0; m < operation.depth_multiplier; ++m, ++o) {
      accumulators[o] += static_cast<uint32_t>(centered_x * (w[o] - weights_zero_points[o]));
    }
  }
}

}  // namespace

std::vector<int32_t> depthwise_convolution_accumulators(
    const graph::LoweredDepthwiseConvolution& operation, std::span<const int8_t> input) {
  const graph::Extent4d& in = operation.input_extent;
  const graph::Extent4d& out = operation.output_extent;
  const graph::Window2d& window = operation.window;
  std::vector<int32_t> result;
  result.reserve(static_cast<size_t>(out.elements()));
  std::vector<uint32_t> accumulators(operation.bias.size());
  for (int32_t n = 0; n < out.batch; ++n) {
    for (int32_t y = 0; y < out.height; ++y) {
      const TapRange rows = vertical_taps(window, y, in.height);
      for (int32_t x = 0; x < out.width; ++x) {
        const TapRange columns = horizontal_taps(window, x, in.width);
        std::copy(operation.bias.begin(), operation.bias.end(), accumulators.begin());
        for (int32_t ky = rows.begin; ky < rows.end; ++ky) {
          for (int32_t kx = columns.begin; kx < columns.end; ++kx) {
            const int64_t pixel =
                (int64_t{n} * in.height + rows.position(ky)) * in.width + columns.position(kx);
            const int64_t tap = int64_t{ky} * window.kernel_width + kx;
            add_tap(operation, input.data() + pixel * in.channels,
                    operation.weights.data() + tap * out.channels, accumulators.data());
          }
        }
        for (const uint32_t accumulator : accumulators) {
          result.push_back(static_cast<int32_t>(accumulator));
        }
      }
    }
  }
  return result;
}

void depthwise_convolution(const graph::LoweredDepthwiseConvolution& operation,
                           std::span<const int8_t> input, std::span<int8_t> output) {
  finish_accumulators(operation.output_stage, depthwise_convolution_accumulators(operation, input),
                      output);
}

}  // namespace lockstep::host_ref
