// The affine scheme of TFLite's int8 specification, and how a range becomes one:
//   real = scale * (quantized - zero_point)
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "graph/status.h"
#include "graph/tensor.h"

namespace lockstep::quantization {

// The real values that a tensor has been seen with, or those kept of them. Both ends are finite.
struct TensorRange {
  float minimum = 0;
  float maximum = 0;

  bool operator==(const TensorRange&) const = default;
};

// By tensor index of the float network's first subgraph.
using Ranges = std::map<int32_t, TensorRange>;

struct Affine {
  float scale = 1;
  int32_t zero_point = 0;

  bool operator==(const Affine&) const = default;
};

// Scales are at least this, so that the product of two, which a bias has, is a normal float32.
inline constexpr float kSmallestScale = 0x1p-60f;

// What the quantized values of an int8 tensor lie in.
inline constexpr graph::IntegerRange kInt8Range{.minimum = -128, .maximum = 127};

// The smallest range that holds both.
TensorRange united(TensorRange a, TensorRange b);

// The smallest range around `range` that can be quantized. It holds zero, which paddings and ReLU
// need exactly; where zero is all there is, it is [0, 1].
TensorRange widened(TensorRange range);

// With [minimum, maximum] the widened range and [lowest, highest] the integers:
//   scale      = max((maximum - minimum) / (highest - lowest), kSmallestScale)
//   zero_point = clamp(round(lowest - minimum / scale), lowest, highest)
// Zero is exactly representable; an end of the range may be moved by half a scale. Ties go away
// from zero.
Affine affine_of(TensorRange range, graph::IntegerRange integers);

// The real values from the lowest to the highest integer.
TensorRange range_of(Affine affine, graph::IntegerRange integers);

//   clamp(round(real / scale) + zero_point, lowest, highest)
// with the quotient in double and ties away from zero, as TFLite's QUANTIZE. NaN gives the zero
// point: whoever must not take it for zero looks for it before.
int32_t quantize(float real, Affine affine, graph::IntegerRange integers);

//   scale * (quantized - zero_point), in float32
float dequantize(int32_t quantized, Affine affine);

// Symmetric weights: integers in [-127, 127], zero point 0,
//   scale = max(max |w| / 127, kSmallestScale)     (1 / 127 where all weights are zero)
inline constexpr int32_t kLargestWeight = 127;
float symmetric_scale(float largest_magnitude);

struct SymmetricWeights {
  std::vector<int8_t> values;
  std::vector<float> scales;  // one, or one for every index of an axis
};
SymmetricWeights quantize_symmetric(std::span<const float> weights);
// One scale for every index of dimension `axis`. Preconditions: the shape has this dimension and as
// many elements as there are weights.
SymmetricWeights quantize_symmetric_per_axis(std::span<const float> weights,
                                             std::span<const int32_t> shape, size_t axis);

// The two halves of that, for whoever needs other scales: the largest magnitude for every index of
// the axis, and the integers of given scales.
std::vector<float> largest_magnitudes(std::span<const float> weights,
                                      std::span<const int32_t> shape, size_t axis);
std::vector<int8_t> quantize_with_scales(std::span<const float> weights,
                                         std::span<const int32_t> shape, size_t axis,
                                         std::span<const float> scales);

// The bias of a convolution or fully connected layer: int32 with zero point 0, where
//   scale[i] = input_scale * weight_scales[i], in float32, as TFLite demands
//   value[i] = round(bias[i] / scale[i]), ties away from zero
// saturated to int32: a weight scale below |bias| / (input_scale * 2^31) is too small for its bias.
// Precondition: one weight scale, or one for each element of the bias.
struct QuantizedBias {
  std::vector<int32_t> values;
  std::vector<float> scales;  // as many as there are weight scales
};
QuantizedBias quantize_bias(std::span<const float> bias, float input_scale,
                            std::span<const float> weight_scales);

// The real values of a tensor's bytes: those of float32 and float16 as they are, integers by their
// quantization, per tensor or per axis; integers that are not quantized stand for themselves, and
// so do booleans. kUnsupported for other types, kInvalidArgument where bytes, shape and
// quantization do not belong together.
Result<std::vector<float>> real_values(const graph::Tensor& tensor,
                                       std::span<const std::byte> bytes);

// The way back. Integers that are not quantized take the rounded value.
Result<std::vector<std::byte>> tensor_bytes(const graph::Tensor& tensor,
                                            std::span<const float> values);

}  // namespace lockstep::quantization
