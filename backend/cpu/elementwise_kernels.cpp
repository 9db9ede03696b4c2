#include "backend/cpu/elementwise_kernels.h"

#include "backend/cpu/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/elementwise_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backend/cpu/bytes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::backend::cpu {
namespace HWY_NAMESPACE {

// Stores function(left, right) of vectors of bytes.
template <bool kRightRepeats, typename Function>
HWY_INLINE void compute_rows(const PairedRows& rows, const Function& function) {
  const Bytes d;
  for (int64_t row = 0; row < rows.rows; ++row) {
    const uint8_t* left = rows.left + row * rows.left_stride;
    const uint8_t* right = rows.right + row * rows.right_stride;
    const ByteVector repeated = hn::Set(d, *right);
    store_vectors(static_cast<size_t>(rows.columns), rows.output + row * rows.columns,
                  [&](size_t i) HWY_ATTR {
                    return function(hn::LoadU(d, left + i),
                                    kRightRepeats ? repeated : hn::LoadU(d, right + i));
                  });
  }
}

template <typename Function>
HWY_INLINE void compute(const PairedRows& rows, const Function& function) {
  if (rows.right_repeats) {
    compute_rows<true>(rows, function);
  } else {
    compute_rows<false>(rows, function);
  }
}

struct AffineSumOfVectors {
  HalfWordVector high;
  HalfWordVector low;
  WordVector fraction;
  int shift;
  HalfWordVector whole;
  ByteVector minimum;
  ByteVector maximum;

  explicit HWY_INLINE AffineSumOfVectors(const AffineSum& sum)
      : high(repeat_pair(sum.left_high, sum.right_high)),
        low(repeat_pair(sum.left_low, sum.right_low)),
        fraction(hn::Set(Words(), sum.fraction)),
        shift(sum.shift),
        whole(hn::Set(HalfWords(), static_cast<int16_t>(sum.whole))),
        minimum(hn::Set(Bytes(), static_cast<uint8_t>(sum.minimum))),
        maximum(hn::Set(Bytes(), static_cast<uint8_t>(sum.maximum))) {}

  // Of left and right elements side by side.
  HWY_INLINE WordVector sum(UnsignedHalfWordVector pairs) const {
    const HalfWordVector operands = hn::BitCast(HalfWords(), pairs);
    const WordVector carry = hn::ShiftRight<15>(hn::Add(pair_products(operands, low), fraction));
    const WordVector sum = hn::Add(pair_products(operands, high), carry);
#if HWY_TARGET == HWY_SSE4
    return hn::ShiftRightSame(sum, shift);  // has no shift by counts in lanes
#else
    return sum >> hn::Set(Words(), shift);
#endif
  }

  HWY_INLINE HalfWordVector sums(ByteVector pairs) const {
    return hn::SaturatedAdd(pack(sum(widen_lower(pairs)), sum(widen_upper(pairs))), whole);
  }

  HWY_INLINE ByteVector operator()(ByteVector left, ByteVector right) const {
    const Bytes d;
    const ByteVector packed =
        pack(sums(hn::InterleaveLower(d, left, right)), sums(hn::InterleaveUpper(d, left, right)));
    return hn::Min(hn::Max(packed, minimum), maximum);
  }
};

template <typename Scales>
struct ProductOfVectors {
  WordVector left_zero_point;
  WordVector right_zero_point;
  Scales scales;
  OutputBounds bounds;

  HWY_INLINE ByteVector operator()(ByteVector left, ByteVector right) const {
    const Quarters left_quarters = Quarters::of(left);
    const Quarters right_quarters = Quarters::of(right);
    Quarters results;
    for (int i = 0; i < 4; ++i) {
      const WordVector centered_left = hn::Sub(left_quarters.words[i], left_zero_point);
      const WordVector centered_right = hn::Sub(right_quarters.words[i], right_zero_point);
      const WordVector product = hn::Mul(centered_left, centered_right);
      results.words[i] = bounds.finish(scales.scale(product));
    }
    return pack(results);
  }
};

void add(const AffineSum& sum, const PairedRows& rows) { compute(rows, AffineSumOfVectors(sum)); }

template <typename Scales>
void multiply_scaled(const Product& product, const PairedRows& rows, const Scales& scales) {
  const Words d;
  compute(rows, ProductOfVectors<Scales>{.left_zero_point = hn::Set(d, product.left_zero_point),
                                         .right_zero_point = hn::Set(d, product.right_zero_point),
                                         .scales = scales,
                                         .bounds = OutputBounds::load(product.requantization)});
}

void multiply(const Product& product, const PairedRows& rows) {
  const Requantization& requantization = product.requantization;
  switch (requantization.form) {
    case ScaleForm::kFloat32:
      return multiply_scaled(product, rows, FloatScales::broadcast(requantization, 0));
    case ScaleForm::kNarrow:
      return multiply_scaled(product, rows, NarrowScales<false>::broadcast(requantization, 0));
    case ScaleForm::kNarrowTiesAway:
      return multiply_scaled(product, rows, NarrowScales<true>::broadcast(requantization, 0));
    case ScaleForm::kGeneral:
    case ScaleForm::kNone:
      break;
  }
}

constexpr ElementwiseKernels kElementwiseKernels{.add = add, .multiply = multiply};

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::backend::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::backend::cpu {

const ElementwiseKernels& elementwise_kernels(Isa isa) {
  static constexpr ForVectors<ElementwiseKernels> kKernels =
      LOCKSTEP_FOR_VECTORS(kElementwiseKernels);
  return kKernels.select(isa);
}

void look_up_pairs(const PairTable& table, const PairedRows& rows) {
  const int64_t right_step = rows.right_repeats ? 0 : 1;
  uint8_t* output = rows.output;
  for (int64_t row = 0; row < rows.rows; ++row) {
    const uint8_t* left = rows.left + row * rows.left_stride;
    const uint8_t* right = rows.right + row * rows.right_stride;
    for (int64_t column = 0; column < rows.columns; ++column) {
      *output++ = table[size_t{left[column]} * 256 + right[column * right_step]];
    }
  }
}

}  // namespace lockstep::backend::cpu
#endif
