#include "backend/cpu/mean_kernels.h"

#include "backend/cpu/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/mean_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backend/cpu/byte_sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::backend::cpu {
namespace HWY_NAMESPACE {

HWY_INLINE Quarters sums_of_columns(const ByteRows& rows, size_t column) {
  ByteSums sums;
  sums.add(rows.first + column, rows.rows, rows.stride);
  return sums.sums();
}

// Binary search in each lane: as many thresholds as `reached` are known not to be above the sum.
HWY_INLINE WordVector thresholds_reached(const StepFunction& steps, WordVector sum) {
  const Words d;
  WordVector reached = hn::Zero(d);
  for (int32_t step = 128; step > 0; step /= 2) {
    const WordVector last = hn::Add(reached, hn::Set(d, step - 1));
    const WordVector threshold = hn::GatherIndex(d, steps.thresholds.data(), last);
    const WordVector more = hn::IfThenZeroElse(sum < threshold, hn::Set(d, step));
    reached = hn::Add(reached, more);
  }
  return reached;
}

HWY_INLINE WordVector on_line(const StepLine& line, WordVector sum) {
  const Floats d;
  const FloatVector value =
      hn::Add(hn::Mul(hn::ConvertTo(d, sum), hn::Set(d, line.slope)), hn::Set(d, line.intercept));
  return hn::ConvertTo(Words(), hn::Min(hn::Max(value, hn::Zero(d)), hn::Set(d, 255.0f)));
}

void mean(const ByteRows& rows, const StepFunction& steps, uint8_t* output) {
  const WordVector offset = hn::Set(Words(), steps.offset);
  store_vectors(static_cast<size_t>(rows.columns), output, [&](size_t column) HWY_ATTR {
    Quarters quarters = sums_of_columns(rows, column);
    for (WordVector& words : quarters.words) {
      const WordVector sum = hn::Add(words, offset);
      words = steps.line ? on_line(*steps.line, sum) : thresholds_reached(steps, sum);
    }
    return pack(quarters);
  });
}

void sum(const ByteRows& rows, int32_t* sums) {
  // Bytes of a vector are summed in another order of its words: a quarter of each block.
  constexpr size_t kWordsInBlock = 4;
  constexpr size_t kBytesInBlock = 16;
  const auto columns = static_cast<size_t>(rows.columns);
  for (size_t column = 0; column < columns; column += kByteLanes) {
    const Quarters quarters = sums_of_columns(rows, column);
    HWY_ALIGN int32_t words[4][kLanes];
    for (size_t i = 0; i < 4; ++i) hn::Store(quarters.words[i], Words(), words[i]);
    const size_t count = std::min(columns - column, kByteLanes);
    for (size_t i = 0; i < count; ++i) {
      const size_t in_block = i % kBytesInBlock;
      sums[column + i] = words[in_block / kWordsInBlock]
                              [i / kBytesInBlock * kWordsInBlock + in_block % kWordsInBlock];
    }
  }
}

constexpr MeanKernels kMeanKernels{.mean = mean, .sum = sum};

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::backend::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::backend::cpu {

const MeanKernels& mean_kernels(Isa isa) {
  static constexpr ForVectors<MeanKernels> kKernels = LOCKSTEP_FOR_VECTORS(kMeanKernels);
  return kKernels.select(isa);
}

}  // namespace lockstep::backend::cpu
#endif
