#pragma once

#include <cfloat>
#include <cstdint>

// The real number by which an accumulator is scaled, from the scales stored in a model:
// input_scale * weight_scale / output_scale. How that product is rounded before it becomes integers
// is part of a contract too, because one unit in its last place moves results across ties.

namespace lockstep::numerics {

static_assert(FLT_EVAL_METHOD == 0, "float arithmetic must be rounded to float at every operation");

/// The width in which the integer contracts compute input_scale * weight_scale, before dividing in
/// double.
enum class ScaleProduct : std::uint8_t {
  /// Convolutions and depthwise convolutions with int8 weights, whose scales are per channel.
  kDouble,
  /// Operators whose weights have one scale: uint8 convolutions, fully connected layers.
  kFloat32,
};

/// The scale of the integer contracts (tflite, reference, single).
constexpr double effective_scale(float input_scale, float weight_scale, float output_scale,
                                 ScaleProduct product) {
  const double input_times_weight = product == ScaleProduct::kDouble
                                        ? double{input_scale} * double{weight_scale}
                                        : double{input_scale * weight_scale};
  return input_times_weight / double{output_scale};
}

/// The scale of the litert contract: a float32 product, then a float32 quotient, as XNNPACK does.
constexpr float effective_scale_float32(float input_scale, float weight_scale, float output_scale) {
  return input_scale * weight_scale / output_scale;
}

}  // namespace lockstep::numerics
