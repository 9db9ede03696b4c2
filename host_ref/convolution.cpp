#include "host_ref/convolution.h"

#include <cstddef>

#include "host_ref/output_stage.h"
#include "host_ref/window.h"

namespace lockstep::host_ref {
namespace {

// sum (x - input_zero_point) * (w - weights_zero_point) over consecutive input channels, modulo
// 2^32. The differences fit in 16 bits, which lets compilers multiply them in pairs.
uint32_t dot_product(const int8_t* x, const int8_t* w, int32_t count, int32_t input_zero_point,
                     int32_t weights_zero_point) {
  const auto x_zero_point = static_cast<int16_t>(input_zero_point);
  const auto w_zero_point = static_cast<int16_t>(weights_zero_point);
  uint32_t sum = 0;
  for (int32_t i = 0; i < count; ++i) {
    const auto centered_x = static_cast<int16_t>(x[i] - x_zero_point);
    const auto centered_w = static_cast<int16_t>(w[i] - w_zero_point);
    sum += static_cast<uint32_t>(int32_t{centered_x} * int32_t{centered_w});
  }
  return sum;
}

}  // namespace

std::vector<int32_t> convolution_accumulators(const graph::LoweredConvolution& operation,
                                              std::span<const int8_t> input) {
  const graph::Extent4d& in = operation.input_extent;
  const graph::Extent4d& out = operation.output_extent;
  const graph::Window2d& window = operation.window;
  const int32_t group_inputs = in.channels / operation.groups;
  const int32_t group_outputs = out.channels / operation.groups;
  const int64_t taps = int64_t{window.kernel_height} * window.kernel_width;
  std::vector<int32_t> accumulators(static_cast<size_t>(out.elements()));
  int32_t* accumulator = accumulators.data();
  for (int32_t n = 0; n < out.batch; ++n) {
    for (int32_t y = 0; y < out.height; ++y) {
      const TapRange rows = vertical_taps(window, y, in.height);
      for (int32_t x = 0; x < out.width; ++x) {
        const TapRange columns = horizontal_taps(window, x, in.width);
        for (int32_t o = 0; o < out.channels; ++o) {
          const int32_t first_input_channel = o / group_outputs * group_inputs;
          const int32_t weights_zero_point = operation.weights_zero_points[static_cast<size_t>(o)];
          auto sum = static_cast<uint32_t>(operation.bias[static_cast<size_t>(o)]);
          for (int32_t ky = rows.begin; ky < rows.end; ++ky) {
            for (int32_t kx = columns.begin; kx < columns.end; ++kx) {
              const int64_t pixel =
                  (int64_t{n} * in.height + rows.position(ky)) * in.width + columns.position(kx);
              const int64_t tap = o * taps + ky * window.kernel_width + kx;
              sum += dot_product(input.data() + pixel * in.channels + first_input_channel,
                                 operation.weights.data() + tap * group_inputs, group_inputs,
                                 operation.input_zero_point, weights_zero_point);
            }
          }
          *accumulator++ = static_cast<int32_t>(sum);
        }
      }
    }
  }
  return accumulators;
}

void convolution(const graph::LoweredConvolution& operation, std::span<const int8_t> input,
                 std::span<int8_t> output) {
  finish_accumulators(operation.output_stage, convolution_accumulators(operation, input), output);
}

}  // namespace lockstep::host_ref
