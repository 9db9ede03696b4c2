#include "backend/cpu/quantize_kernels.h"

#include "backend/cpu/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/quantize_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backend/cpu/requantization-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::backend::cpu {
namespace HWY_NAMESPACE {

// Numbers are bounded before they are rounded. As the bounds are integers, that changes nothing
// (see numerics::requantize), and no conversion overflows.
template <typename D>
struct QuotientBounds {
  hn::Vec<D> minimum;
  hn::Vec<D> maximum;

  explicit HWY_INLINE QuotientBounds(int32_t zero_point)
      : minimum(hn::Set(D(), static_cast<hn::TFromD<D>>(-zero_point))),
        maximum(hn::Set(D(), static_cast<hn::TFromD<D>>(255 - zero_point))) {}

  // NaN gives the minimum.
  HWY_INLINE hn::Vec<D> clamp(hn::Vec<D> quotients) const {
    const hn::Vec<D> numbers = hn::IfThenElse(quotients == quotients, quotients, minimum);
    return hn::Min(hn::Max(numbers, minimum), maximum);
  }
};

// The nearest integers, ties away from zero, as floating-point numbers. Precondition: |value| is
// at most 2^20. What cutting off takes away is exact.
template <typename D>
HWY_INLINE hn::Vec<D> round_away(D d, hn::Vec<D> value) {
  const hn::Vec<D> whole = hn::Trunc(value);
  const auto rounds_away = hn::Abs(hn::Sub(value, whole)) >= hn::Set(d, hn::TFromD<D>{0.5});
  const hn::Vec<D> one = hn::CopySign(hn::Set(d, hn::TFromD<D>{1}), value);
  return hn::Add(whole, hn::IfThenElseZero(rounds_away, one));
}

// output[i] = words_of(input[i]), of vectors.
template <typename WordsOf>
HWY_INLINE void store_quantized(const float* input, size_t count, uint8_t* output,
                                WordsOf words_of) {
  const Floats d;
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    store_bytes(words_of(hn::LoadU(d, input + i)), output + i);
  }
  if (i < count) {
    store_some_bytes(words_of(hn::LoadU(d, input + i)), count - i, output + i);
  }
}

void quantize_in_double(const float* input, size_t count, float scale, int32_t zero_point,
                        uint8_t* output) {
  const hn::Rebind<float, hn::ScalableTag<double>> half_floats;
  const hn::Rebind<int32_t, hn::ScalableTag<double>> half_words;
  const hn::ScalableTag<double> d;
  const auto divisor = hn::Set(d, double{scale});
  const QuotientBounds<hn::ScalableTag<double>> bounds(zero_point);
  const auto quantize_half = [&](hn::Vec<decltype(half_floats)> values) HWY_ATTR {
    const auto quotients = hn::Div(hn::PromoteTo(d, values), divisor);
    return hn::DemoteTo(half_words, round_away(d, bounds.clamp(quotients)));
  };
  const WordVector zero = hn::Set(Words(), zero_point);
  store_quantized(input, count, output, [&](FloatVector values) HWY_ATTR {
    const auto lower = quantize_half(hn::LowerHalf(half_floats, values));
    const auto upper = quantize_half(hn::UpperHalf(half_floats, values));
    return hn::Add(hn::Combine(Words(), upper, lower), zero);
  });
}

void quantize_in_float(const float* input, size_t count, float scale, int32_t zero_point,
                       uint8_t* output) {
  const Floats d;
  const FloatVector divisor = hn::Set(d, scale);
  const QuotientBounds<Floats> bounds(zero_point);
  const WordVector zero = hn::Set(Words(), zero_point);
  store_quantized(input, count, output, [&](FloatVector values) HWY_ATTR {
    const FloatVector quotients = bounds.clamp(hn::Div(values, divisor));
    return hn::Add(hn::ConvertTo(Words(), round_away(d, quotients)), zero);
  });
}

void quantize_by_inverse(const float* input, size_t count, float inverse, int32_t zero_point,
                         uint8_t* output) {
  const FloatVector factor = hn::Set(Floats(), inverse);
  const QuotientBounds<Floats> bounds(zero_point);
  const WordVector zero = hn::Set(Words(), zero_point);
  store_quantized(input, count, output, [&](FloatVector values) HWY_ATTR {
    return hn::Add(round_to_even(bounds.clamp(hn::Mul(values, factor))), zero);
  });
}

void dequantize(const uint8_t* input, size_t count, float scale, int32_t zero_point,
                float* output) {
  const Floats d;
  const hn::Rebind<uint8_t, Words> bytes;
  const FloatVector factor = hn::Set(d, scale);
  const WordVector zero = hn::Set(Words(), zero_point);
  const auto values_at = [&](size_t i) HWY_ATTR {
    const WordVector words = hn::PromoteTo(Words(), hn::LoadU(bytes, input + i));
    return hn::Mul(factor, hn::ConvertTo(d, hn::Sub(words, zero)));
  };
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    hn::StoreU(values_at(i), d, output + i);
  }
  if (i < count) {
    HWY_ALIGN float last[kLanes];
    hn::Store(values_at(i), d, last);
    std::copy_n(last, count - i, output + i);
  }
}

constexpr QuantizeKernels kQuantizeKernels{.quantize_in_double = quantize_in_double,
                                           .quantize_in_float = quantize_in_float,
                                           .quantize_by_inverse = quantize_by_inverse,
                                           .dequantize = dequantize};

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::backend::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::backend::cpu {

const QuantizeKernels& quantize_kernels(Isa isa) {
  static constexpr ForVectors<QuantizeKernels> kKernels = LOCKSTEP_FOR_VECTORS(kQuantizeKernels);
  return kKernels.select(isa);
}

}  // namespace lockstep::backend::cpu
#endif
