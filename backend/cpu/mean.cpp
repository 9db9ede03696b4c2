// MEAN: a step function of sums.
#include <algorithm>
#include <array>

#include "backend/cpu/blockwise_operation.h"
#include "backend/cpu/mean_kernels.h"
#include "backend/cpu/operations.h"

namespace lockstep::backend::cpu {
namespace {

// About one register of bytes: what is narrower than that is summed in several columns at once.
constexpr int64_t kNarrowInner = 64;

class Mean final : public BlockwiseOperation {
 public:
  Mean(const graph::LoweredMean& mean, const Target& target)
      : BlockwiseOperation("mean", target,
                           BlockCut(mean.outer, mean.inner, nanoseconds(mean), target)),
        input_(mean.input),
        output_(mean.output),
        reduced_(mean.reduced),
        inner_(mean.inner),
        steps_(step_function(mean)),
        kernels_(mean_kernels(target.isa)) {}

  int64_t constant_bytes() const override { return sizeof(steps_); }

 private:
  static double nanoseconds(const graph::LoweredMean& mean) {
    constexpr double kForElement = 0.05;
    constexpr double kForResult = 3.0;
    const double results = static_cast<double>(mean.outer) * mean.inner;
    return results * (mean.reduced * kForElement + kForResult);
  }

  static StepFunction step_function(const graph::LoweredMean& mean) {
    // Of which no sum leaves 32 bits: lowering lets no more through.
    constexpr int32_t kLargestCount = 1 << 22;
    // Sums of bytes less 128.
    StepFunction steps{.thresholds = mean.thresholds,
                       .offset = static_cast<int32_t>(-128u * static_cast<uint32_t>(mean.reduced)),
                       .line = std::nullopt};
    if (mean.reduced <= kLargestCount) {
      steps.line = step_line(steps.thresholds, -128 * mean.reduced, 127 * mean.reduced);
    }
    return steps;
  }

  void run_block(const Block& block, TensorMemory tensors, std::byte* /*scratch*/) const override {
    const auto* input = elements<const uint8_t>(tensors, input_);
    auto* output = elements<uint8_t>(tensors, output_);
    for (int64_t row = block.rows.begin; row < block.rows.end; ++row) {
      const uint8_t* from = input + row * reduced_ * inner_;
      uint8_t* to = output + row * inner_;
      if (inner_ <= kNarrowInner / 2) {
        narrow_mean(from, to);
      } else {
        const Range columns = block.columns;
        kernels_.mean({.first = from + columns.begin,
                       .rows = reduced_,
                       .stride = inner_,
                       .columns = columns.size()},
                      steps_, to + columns.begin);
      }
    }
  }

  // Of all columns: [reduced][inner] seen as [reduced / group][group * inner], the sums of whose
  // columns are added up in turn.
  void narrow_mean(const uint8_t* input, uint8_t* output) const {
    const int64_t group = kNarrowInner / inner_;
    const ByteRows rows = {.first = input,
                           .rows = reduced_ / group,
                           .stride = group * inner_,
                           .columns = group * inner_};
    std::array<int32_t, kNarrowInner> column_sums{};
    kernels_.sum(rows, column_sums.data());
    for (int64_t i = 0; i < inner_; ++i) {
      auto sum = static_cast<uint32_t>(steps_.offset);
      for (int64_t column = i; column < rows.columns; column += inner_) {
        sum += static_cast<uint32_t>(column_sums[static_cast<size_t>(column)]);
      }
      for (int64_t r = rows.rows * group; r < reduced_; ++r) {
        sum += input[r * inner_ + i];
      }
      const auto reached = std::ranges::upper_bound(steps_.thresholds, static_cast<int32_t>(sum));
      output[i] = static_cast<uint8_t>(reached - steps_.thresholds.begin());
    }
  }

  int32_t input_;
  int32_t output_;
  int64_t reduced_;
  int64_t inner_;
  StepFunction steps_;
  const MeanKernels& kernels_;
};

}  // namespace

OperationPointer make_operation(const graph::LoweredMean& mean, const Target& target) {
  return std::make_unique<Mean>(mean, target);
}

}  // namespace lockstep::backend::cpu
