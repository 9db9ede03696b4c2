#include "backend/cpu/pool_kernels.h"

#include "backend/cpu/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/pool_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backend/cpu/byte_sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::backend::cpu {
namespace HWY_NAMESPACE {

struct BoundsOfVectors {
  ByteVector minimum;
  ByteVector maximum;

  explicit HWY_INLINE BoundsOfVectors(PoolBounds bounds)
      : minimum(hn::Set(Bytes(), bounds.minimum)), maximum(hn::Set(Bytes(), bounds.maximum)) {}

  HWY_INLINE ByteVector clamp(ByteVector bytes) const {
    return hn::Min(hn::Max(bytes, minimum), maximum);
  }
};

void maximum(const PoolWindow& window, int64_t channels, PoolBounds bounds, uint8_t* output) {
  const Bytes d;
  const BoundsOfVectors bounds_of_vectors(bounds);
  store_vectors(static_cast<size_t>(channels), output, [&](size_t channel) HWY_ATTR {
    ByteVector largest = hn::Zero(d);
    for (int64_t row = 0; row < window.rows; ++row) {
      const uint8_t* tap = window.first + row * window.row_stride + channel;
      for (int64_t column = 0; column < window.columns; ++column, tap += window.column_stride) {
        largest = hn::Max(largest, hn::LoadU(d, tap));
      }
    }
    return bounds_of_vectors.clamp(largest);
  });
}

// sum / count to the nearest integer, ties away from zero. Precondition: |sum| <= 255 * count,
// count <= 2^22.
class RoundedDivision {
 public:
  explicit HWY_INLINE RoundedDivision(int32_t count)
      : count_(hn::Set(Words(), count)),
        half_(hn::Set(Words(), count / 2)),
        inverse_(hn::Set(Floats(), 1.0f / static_cast<float>(count))) {}

  HWY_INLINE WordVector operator()(WordVector sum) const {
    const Words d;
    const WordVector dividend = hn::Add(hn::Abs(sum), half_);
    // Three roundings of float32 leave the quotient, at most 256, less than 1/2 from the true one:
    // cut off, it is the right one or a neighbour, and the remainder tells which.
    const FloatVector estimate = hn::Mul(hn::ConvertTo(Floats(), dividend), inverse_);
    const WordVector quotient = hn::ConvertTo(d, estimate);
    const WordVector remainder = hn::Sub(dividend, hn::Mul(quotient, count_));
    const WordVector one = hn::Set(d, 1);
    const WordVector too_small = hn::IfThenZeroElse(remainder < count_, one);
    const WordVector too_large = hn::IfThenElseZero(remainder < hn::Zero(d), one);
    const WordVector magnitude = hn::Sub(hn::Add(quotient, too_small), too_large);
    return hn::IfThenElse(sum < hn::Zero(d), hn::Neg(magnitude), magnitude);
  }

 private:
  WordVector count_;
  WordVector half_;
  FloatVector inverse_;
};

void average(const PoolWindow& window, int32_t zero, int64_t channels, PoolBounds bounds,
             uint8_t* output) {
  const Words d;
  const auto count = static_cast<int32_t>(window.rows * window.columns);
  const RoundedDivision divide(count);
  const BoundsOfVectors bounds_of_vectors(bounds);
  const WordVector offset = hn::Set(d, count * zero);
  const WordVector zeros = hn::Set(d, zero);
  store_vectors(static_cast<size_t>(channels), output, [&](size_t channel) HWY_ATTR {
    ByteSums sums;
    for (int64_t row = 0; row < window.rows; ++row) {
      sums.add(window.first + row * window.row_stride + channel, window.columns,
               window.column_stride);
    }
    Quarters quarters = sums.sums();
    for (WordVector& words : quarters.words) {
      words = hn::Add(divide(hn::Sub(words, offset)), zeros);
    }
    return bounds_of_vectors.clamp(pack(quarters));
  });
}

constexpr PoolKernels kPoolKernels{.maximum = maximum, .average = average};

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::backend::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::backend::cpu {

const PoolKernels& pool_kernels(Isa isa) {
  static constexpr ForVectors<PoolKernels> kKernels = LOCKSTEP_FOR_VECTORS(kPoolKernels);
  return kKernels.select(isa);
}

}  // namespace lockstep::backend::cpu
#endif
