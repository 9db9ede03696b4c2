#include "host_ref/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace lockstep::host_ref {
namespace {

// value in units of the scale, rounded as the contract's engine does. Quotients in double for the
// engine's optimised kernels, in float32 for its reference kernel, and a product with the inverse
// for XNNPACK.
double rounded_quotient(float value, float scale, numerics::Contract contract) {
  switch (contract) {
    case numerics::Contract::kLitert:
      return std::nearbyint(value * (1.0f / scale));
    case numerics::Contract::kReference:
      return std::round(value / scale);
    case numerics::Contract::kTflite:
    case numerics::Contract::kSingle:
      break;
  }
  return std::round(double{value} / double{scale});
}

}  // namespace

void quantize(const graph::LoweredQuantize& operation, std::span<const float> input,
              std::span<int8_t> output) {
  const double zero_point = operation.zero_point;
  std::transform(input.begin(), input.end(), output.begin(), [&](float value) {
    const double quotient = rounded_quotient(value, operation.scale, operation.contract);
    const double shifted = std::isnan(quotient) ? -128.0 : quotient + zero_point;
    return static_cast<int8_t>(std::clamp(shifted, -128.0, 127.0));
  });
}

void dequantize(const graph::LoweredDequantize& operation, std::span<const int8_t> input,
                std::span<float> output) {
  std::transform(input.begin(), input.end(), output.begin(), [&](int8_t value) {
    return operation.scale * static_cast<float>(value - operation.zero_point);
  });
}

}  // namespace lockstep::host_ref
