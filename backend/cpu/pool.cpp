// MAX_POOL_2D and AVERAGE_POOL_2D.
#include <cstring>

#include "backend/cpu/blockwise_operation.h"
#include "backend/cpu/operations.h"
#include "backend/cpu/pool_kernels.h"
#include "host_ref/window.h"

namespace lockstep::backend::cpu {
namespace {

using graph::Extent4d;

// Pixels of the output times its channels.
class Pool final : public BlockwiseOperation {
 public:
  Pool(const graph::LoweredPool& pool, const Target& target)
      : BlockwiseOperation(pool.kind == graph::PoolKind::kMax ? "max_pool" : "average_pool", target,
                           BlockCut(pixels(pool.output_extent), pool.output_extent.channels,
                                    nanoseconds(pool), target)),
        pool_(pool),
        bounds_{.minimum = to_byte(pool.activation_min), .maximum = to_byte(pool.activation_max)},
        kernels_(pool_kernels(target.isa)) {}

 private:
  static int64_t pixels(const Extent4d& extent) {
    return int64_t{extent.batch} * extent.height * extent.width;
  }

  static double nanoseconds(const graph::LoweredPool& pool) {
    constexpr double kForTap = 0.05;
    constexpr double kForElement = 0.5;
    constexpr double kForPixel = 20.0;
    const double taps = 1.0 * pool.window.kernel_height * pool.window.kernel_width;
    return static_cast<double>(pool.output_extent.elements()) * (taps * kForTap + kForElement) +
           static_cast<double>(pixels(pool.output_extent)) * kForPixel;
  }

  // Of output pixel (y, x) of image `n`, from channel `channel` on.
  PoolWindow window_at(const uint8_t* input, int64_t n, int32_t y, int32_t x,
                       int64_t channel) const {
    const Extent4d& in = pool_.input_extent;
    const host_ref::TapRange rows = host_ref::vertical_taps(pool_.window, y, in.height);
    const host_ref::TapRange columns = host_ref::horizontal_taps(pool_.window, x, in.width);
    if (rows.begin >= rows.end || columns.begin >= columns.end) return {};
    const int64_t pixel =
        (n * in.height + rows.position(rows.begin)) * in.width + columns.position(columns.begin);
    return {.first = input + pixel * in.channels + channel,
            .rows = rows.end - rows.begin,
            .columns = columns.end - columns.begin,
            .row_stride = int64_t{rows.dilation} * in.width * in.channels,
            .column_stride = int64_t{columns.dilation} * in.channels};
  }

  void pool_window(const PoolWindow& window, int64_t channels, uint8_t* output) const {
    if (window.rows == 0) {
      std::memset(output, bounds_.minimum, static_cast<size_t>(channels));
    } else if (pool_.kind == graph::PoolKind::kMax) {
      kernels_.maximum(window, channels, bounds_, output);
    } else {
      kernels_.average(window, 128 - pool_.accumulator_offset, channels, bounds_, output);
    }
  }

  void run_block(const Block& block, TensorMemory tensors, std::byte* /*scratch*/) const override {
    const auto* input = elements<const uint8_t>(tensors, pool_.input);
    auto* output = elements<uint8_t>(tensors, pool_.output);
    const Extent4d& out = pool_.output_extent;
    const Range channels = block.columns;
    for (int64_t pixel = block.rows.begin; pixel < block.rows.end; ++pixel) {
      const auto x = static_cast<int32_t>(pixel % out.width);
      const auto y = static_cast<int32_t>(pixel / out.width % out.height);
      const int64_t n = pixel / out.width / out.height;
      pool_window(window_at(input, n, y, x, channels.begin), channels.size(),
                  output + pixel * out.channels + channels.begin);
    }
  }

  graph::LoweredPool pool_;
  PoolBounds bounds_;
  const PoolKernels& kernels_;
};

}  // namespace

OperationPointer make_operation(const graph::LoweredPool& pool, const Target& target) {
  return std::make_unique<Pool>(pool, target);
}

}  // namespace lockstep::backend::cpu
