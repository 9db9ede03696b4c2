#include "backend/cpu/resize_kernels.h"

#include "backend/cpu/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/resize_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backend/cpu/bytes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::backend::cpu {
namespace HWY_NAMESPACE {

// Of bytes instead of stored values, sums are larger by 128 * 2^(2 * bits), and so is where they
// change their sign. All weights are at most 2^11: sums of columns are below 2^19, of both below
// 2^30.
class FixedPointInterpolation {
 public:
  explicit HWY_INLINE FixedPointInterpolation(const FixedPointWeights& from)
      : columns_(repeat_pair(from.weights.first_column, from.weights.second_column)),
        first_row_(hn::Set(Words(), from.weights.first_row)),
        second_row_(hn::Set(Words(), from.weights.second_row)),
        half_(hn::Set(Words(), 1 << (2 * from.bits - 1))),
        shift_(hn::Set(Words(), 2 * from.bits)),
        // Of sums below it, a tie goes down: nothing is below 0.
        zero_(hn::Set(Words(), from.ties_away ? 128 << (2 * from.bits) : 0)) {}

  // Of first and second columns' elements side by side.
  HWY_INLINE WordVector operator()(UnsignedHalfWordVector first,
                                   UnsignedHalfWordVector second) const {
    const HalfWords d;
    const WordVector first_sum = pair_products(hn::BitCast(d, first), columns_);
    const WordVector second_sum = pair_products(hn::BitCast(d, second), columns_);
    const WordVector sum =
        hn::Add(hn::Mul(first_sum, first_row_), hn::Mul(second_sum, second_row_));
    const WordVector tie_correction = hn::IfThenElseZero(sum < zero_, hn::Set(Words(), 1));
    return hn::Sub(hn::Add(sum, half_), tie_correction) >> shift_;
  }

  HWY_INLINE HalfWordVector operator()(ByteVector first, ByteVector second) const {
    return pack((*this)(widen_lower(first), widen_lower(second)),
                (*this)(widen_upper(first), widen_upper(second)));
  }

 private:
  HalfWordVector columns_;
  WordVector first_row_;
  WordVector second_row_;
  WordVector half_;
  WordVector shift_;
  WordVector zero_;
};

void in_fixed_point(const CornerPixels& corners, const FixedPointWeights& weights, int64_t channels,
                    uint8_t* output) {
  const Bytes d;
  const FixedPointInterpolation interpolate(weights);
  store_vectors(static_cast<size_t>(channels), output, [&](size_t channel) HWY_ATTR {
    const ByteVector first_first = hn::LoadU(d, corners.first_first + channel);
    const ByteVector first_second = hn::LoadU(d, corners.first_second + channel);
    const ByteVector second_first = hn::LoadU(d, corners.second_first + channel);
    const ByteVector second_second = hn::LoadU(d, corners.second_second + channel);
    return pack(interpolate(hn::InterleaveLower(d, first_first, first_second),
                            hn::InterleaveLower(d, second_first, second_second)),
                interpolate(hn::InterleaveUpper(d, first_first, first_second),
                            hn::InterleaveUpper(d, second_first, second_second)));
  });
}

// The order of operations is the engine's: each of them rounds.
void in_float32(const CornerPixels& corners, const CornerWeights<float>& weights, int64_t channels,
                uint8_t* output) {
  const Floats d;
  const FloatVector first_first = hn::Set(d, weights.first_row * weights.first_column);
  const FloatVector first_second = hn::Set(d, weights.first_row * weights.second_column);
  const FloatVector second_first = hn::Set(d, weights.second_row * weights.first_column);
  const FloatVector second_second = hn::Set(d, weights.second_row * weights.second_column);
  const FloatVector half = hn::Set(d, 0.5f);
  store_vectors(static_cast<size_t>(channels), output, [&](size_t channel) HWY_ATTR {
    const auto load = [channel](const uint8_t* corner)
                          HWY_ATTR { return Quarters::of(hn::LoadU(Bytes(), corner + channel)); };
    const Quarters pixels[4] = {load(corners.first_first), load(corners.first_second),
                                load(corners.second_first), load(corners.second_second)};
    Quarters results;
    for (int i = 0; i < 4; ++i) {
      const auto share = [&](const Quarters& pixel, FloatVector weight)
                             HWY_ATTR { return hn::Mul(hn::ConvertTo(d, pixel.words[i]), weight); };
      FloatVector sum = hn::Add(share(pixels[0], first_first), share(pixels[1], first_second));
      sum = hn::Add(sum, share(pixels[2], second_first));
      sum = hn::Add(sum, share(pixels[3], second_second));
      results.words[i] = hn::ConvertTo(Words(), hn::Add(sum, half));
    }
    return pack(results);
  });
}

constexpr ResizeKernels kResizeKernels{.in_fixed_point = in_fixed_point, .in_float32 = in_float32};

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::backend::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::backend::cpu {

const ResizeKernels& resize_kernels(Isa isa) {
  static constexpr ForVectors<ResizeKernels> kKernels = LOCKSTEP_FOR_VECTORS(kResizeKernels);
  return kKernels.select(isa);
}

}  // namespace lockstep::backend::cpu
#endif
