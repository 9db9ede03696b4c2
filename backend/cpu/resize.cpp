// RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR.
#include <bit>
#include <cstring>
#include <vector>

#include "backend/cpu/blockwise_operation.h"
#include "backend/cpu/operations.h"
#include "backend/cpu/resize_kernels.h"

namespace lockstep::backend::cpu {
namespace {

using graph::Extent4d;
using graph::Interpolation;
using graph::InterpolationArithmetic;

// What all images of a tensor have in rows.
int64_t all_rows(const Extent4d& extent) { return int64_t{extent.batch} * extent.height; }

int64_t row_size(const Extent4d& extent) { return int64_t{extent.width} * extent.channels; }

template <typename T>
int64_t size_in_bytes(const std::vector<T>& values) {
  return static_cast<int64_t>(values.size() * sizeof(T));
}

// Columns of the output that are neighbours in the input too.
struct ColumnRun {
  int64_t from = 0;
  int64_t to = 0;
  int64_t count = 0;
};

std::vector<ColumnRun> column_runs(const std::vector<int32_t>& columns) {
  std::vector<ColumnRun> runs;
  for (size_t x = 0; x < columns.size(); ++x) {
    if (x > 0 && columns[x] == columns[x - 1] + 1) {
      ++runs.back().count;
    } else {
      runs.push_back({.from = columns[x], .to = static_cast<int64_t>(x), .count = 1});
    }
  }
  return runs;
}

class NearestNeighbor final : public BlockwiseOperation {
 public:
  NearestNeighbor(const graph::LoweredResizeNearestNeighbor& resize, const Target& target)
      : BlockwiseOperation(
            "resize_nearest_neighbor", target,
            BlockCut::of_rows(all_rows(resize.output_extent), nanoseconds(resize), target)),
        input_(resize.input),
        output_(resize.output),
        input_extent_(resize.input_extent),
        output_extent_(resize.output_extent),
        rows_(resize.rows),
        runs_(column_runs(resize.columns)) {}

  int64_t constant_bytes() const override { return size_in_bytes(rows_) + size_in_bytes(runs_); }

 private:
  static double nanoseconds(const graph::LoweredResizeNearestNeighbor& resize) {
    constexpr double kForByte = 0.05;
    constexpr double kForPixel = 5.0;
    return static_cast<double>(all_rows(resize.output_extent)) *
           static_cast<double>(resize.output_extent.width) *
           (kForPixel + kForByte * resize.output_extent.channels);
  }

  void run_block(const Block& block, TensorMemory tensors, std::byte* /*scratch*/) const override {
    const auto* input = elements<const uint8_t>(tensors, input_);
    auto* output = elements<uint8_t>(tensors, output_);
    const int64_t channels = output_extent_.channels;
    const int64_t size = row_size(output_extent_);
    int64_t previous = -1;
    for (int64_t row = block.rows.begin; row < block.rows.end; ++row) {
      const int64_t n = row / output_extent_.height;
      const auto y = static_cast<size_t>(row % output_extent_.height);
      const int64_t from = n * input_extent_.height + rows_[y];
      uint8_t* to = output + row * size;
      if (from == previous) {
        std::memcpy(to, to - size, static_cast<size_t>(size));
        continue;
      }
      previous = from;
      for (const ColumnRun& run : runs_) {
        std::memcpy(to + run.to * channels,
                    input + from * row_size(input_extent_) + run.from * channels,
                    static_cast<size_t>(run.count * channels));
      }
    }
  }

  int32_t input_;
  int32_t output_;
  Extent4d input_extent_;
  Extent4d output_extent_;
  std::vector<int32_t> rows_;
  std::vector<ColumnRun> runs_;
};

class Bilinear final : public BlockwiseOperation {
 public:
  Bilinear(const graph::LoweredResizeBilinear& resize, const Target& target)
      : BlockwiseOperation(
            "resize_bilinear", target,
            BlockCut::of_rows(all_rows(resize.output_extent), nanoseconds(resize), target)),
        resize_(resize),
        kernels_(resize_kernels(target.isa)) {}

  int64_t constant_bytes() const override {
    return size_in_bytes(resize_.rows) + size_in_bytes(resize_.columns);
  }

 private:
  static double nanoseconds(const graph::LoweredResizeBilinear& resize) {
    constexpr double kForElement = 0.5;
    constexpr double kForPixel = 15.0;
    return static_cast<double>(all_rows(resize.output_extent)) *
           static_cast<double>(resize.output_extent.width) *
           (kForPixel + kForElement * resize.output_extent.channels);
  }

  void interpolate(const CornerPixels& corners, const Interpolation& row,
                   const Interpolation& column, uint8_t* output) const {
    const int64_t channels = resize_.output_extent.channels;
    const CornerWeights<int32_t> weights = {.first_row = row.first_weight,
                                            .second_row = row.second_weight,
                                            .first_column = column.first_weight,
                                            .second_column = column.second_weight};
    if (resize_.arithmetic == InterpolationArithmetic::kFloat32) {
      kernels_.in_float32(corners,
                          {.first_row = std::bit_cast<float>(weights.first_row),
                           .second_row = std::bit_cast<float>(weights.second_row),
                           .first_column = std::bit_cast<float>(weights.first_column),
                           .second_column = std::bit_cast<float>(weights.second_column)},
                          channels, output);
      return;
    }
    kernels_.in_fixed_point(
        corners,
        {.weights = weights,
         .bits = resize_.fraction_bits,
         .ties_away = resize_.arithmetic == InterpolationArithmetic::kFixedPointTiesAway},
        channels, output);
  }

  void run_block(const Block& block, TensorMemory tensors, std::byte* /*scratch*/) const override {
    const auto* input = elements<const uint8_t>(tensors, resize_.input);
    const Extent4d& in = resize_.input_extent;
    const Extent4d& out = resize_.output_extent;
    const int64_t channels = out.channels;
    for (int64_t row = block.rows.begin; row < block.rows.end; ++row) {
      const Interpolation& vertical = resize_.rows[static_cast<size_t>(row % out.height)];
      const uint8_t* image = input + row / out.height * in.height * row_size(in);
      const uint8_t* first = image + vertical.first * row_size(in);
      const uint8_t* second = image + vertical.second * row_size(in);
      uint8_t* output = elements<uint8_t>(tensors, resize_.output) + row * row_size(out);
      for (const Interpolation& horizontal : resize_.columns) {
        interpolate({.first_first = first + horizontal.first * channels,
                     .first_second = first + horizontal.second * channels,
                     .second_first = second + horizontal.first * channels,
                     .second_second = second + horizontal.second * channels},
                    vertical, horizontal, output);
        output += channels;
      }
    }
  }

  graph::LoweredResizeBilinear resize_;
  const ResizeKernels& kernels_;
};

}  // namespace

OperationPointer make_operation(const graph::LoweredResizeNearestNeighbor& resize,
                                const Target& target) {
  return std::make_unique<NearestNeighbor>(resize, target);
}

OperationPointer make_operation(const graph::LoweredResizeBilinear& resize, const Target& target) {
  return std::make_unique<Bilinear>(resize, target);
}

}  // namespace lockstep::backend::cpu
