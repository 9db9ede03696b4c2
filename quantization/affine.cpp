#include "quantization/affine.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "numerics/float16.h"

namespace lockstep::quantization {
namespace {

constexpr graph::IntegerRange kInt32 = {.minimum = std::numeric_limits<int32_t>::min(),
                                        .maximum = std::numeric_limits<int32_t>::max()};

// The elements of a tensor, cut along an axis: `outer` times, for every index, `inner` neighbours.
struct AxisCut {
  size_t outer = 1;
  size_t indices = 1;
  size_t inner = 1;
};

AxisCut cut_along(std::span<const int32_t> shape, size_t axis) {
  AxisCut cut;
  for (size_t i = 0; i < shape.size(); ++i) {
    (i < axis ? cut.outer : i == axis ? cut.indices : cut.inner) *= static_cast<size_t>(shape[i]);
  }
  return cut;
}

// Calls visit(index, first, count) for all runs of `count` neighbours with the same index of the
// axis, in order.
template <typename Visit>
void for_each_run(const AxisCut& cut, Visit&& visit) {
  size_t first = 0;
  for (size_t outer = 0; outer < cut.outer; ++outer) {
    for (size_t index = 0; index < cut.indices; ++index, first += cut.inner) {
      visit(index, first, cut.inner);
    }
  }
}

float largest_magnitude_of(std::span<const float> values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

void quantize_run(std::span<const float> weights, float scale, int8_t* values) {
  constexpr graph::IntegerRange kRange = {.minimum = -kLargestWeight, .maximum = kLargestWeight};
  for (size_t i = 0; i < weights.size(); ++i) {
    values[i] = static_cast<int8_t>(quantize(weights[i], {.scale = scale}, kRange));
  }
}

// How the elements of a tensor are cut into runs of one scale, or why they are not.
Result<AxisCut> quantized_runs(const graph::Tensor& tensor, size_t elements) {
  const auto expected = graph::element_count(tensor.shape);
  if (!expected || static_cast<size_t>(*expected) != elements) {
    return make_error(ErrorCode::kInvalidArgument, "tensor '{}' is {}, but {} elements were given",
                      graph::printable(tensor.name), graph::shape_to_string(tensor.shape),
                      elements);
  }
  const graph::Quantization& quantization = tensor.quantization;
  if (!quantization.is_per_axis()) return AxisCut{.inner = elements};
  const auto axis = static_cast<size_t>(quantization.axis);
  if (quantization.axis < 0 || axis >= tensor.shape.size() ||
      static_cast<size_t>(tensor.shape[axis]) != quantization.scales.size() ||
      quantization.zero_points.size() != quantization.scales.size()) {
    return make_error(ErrorCode::kInvalidArgument, "tensor '{}' of {} has {} scales along axis {}",
                      graph::printable(tensor.name), graph::shape_to_string(tensor.shape),
                      quantization.scales.size(), quantization.axis);
  }
  return cut_along(tensor.shape, axis);
}

Affine affine_at(const graph::Quantization& quantization, size_t index) {
  if (!quantization.is_quantized()) return {};
  return {.scale = quantization.scales[index], .zero_point = quantization.zero_points[index]};
}

template <typename T>
Result<std::vector<float>> real_values_of(const graph::Tensor& tensor,
                                          std::span<const std::byte> bytes) {
  const size_t elements = bytes.size() / sizeof(T);
  const auto runs = quantized_runs(tensor, elements);
  if (!runs) return tl::unexpected(runs.error());
  std::vector<float> values(elements);
  for_each_run(*runs, [&](size_t index, size_t first, size_t count) {
    const Affine affine = affine_at(tensor.quantization, index);
    for (size_t i = first; i < first + count; ++i) {
      T quantized;
      std::memcpy(&quantized, bytes.data() + i * sizeof(T), sizeof(T));
      values[i] = affine.scale * static_cast<float>(int64_t{quantized} - affine.zero_point);
    }
  });
  return values;
}

template <typename T>
Result<std::vector<std::byte>> integer_bytes(const graph::Tensor& tensor,
                                             std::span<const float> values) {
  const auto runs = quantized_runs(tensor, values.size());
  if (!runs) return tl::unexpected(runs.error());
  constexpr graph::IntegerRange kRange = {.minimum = std::numeric_limits<T>::min(),
                                          .maximum = std::numeric_limits<T>::max()};
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  for_each_run(*runs, [&](size_t index, size_t first, size_t count) {
    const Affine affine = affine_at(tensor.quantization, index);
    for (size_t i = first; i < first + count; ++i) {
      const auto quantized = static_cast<T>(quantize(values[i], affine, kRange));
      std::memcpy(bytes.data() + i * sizeof(T), &quantized, sizeof(T));
    }
  });
  return bytes;
}

tl::unexpected<Error> not_converted(const graph::Tensor& tensor) {
  return make_error(ErrorCode::kUnsupported,
                    "tensor '{}': type {} is not converted to or from real numbers",
                    graph::printable(tensor.name), graph::data_type_name(tensor.type));
}

}  // namespace

TensorRange united(TensorRange a, TensorRange b) {
  return {.minimum = std::min(a.minimum, b.minimum), .maximum = std::max(a.maximum, b.maximum)};
}

TensorRange widened(TensorRange range) {
  const TensorRange result = {.minimum = std::min(range.minimum, 0.0f),
                              .maximum = std::max(range.maximum, 0.0f)};
  return result.minimum < result.maximum ? result : TensorRange{.minimum = 0, .maximum = 1};
}

Affine affine_of(TensorRange range, graph::IntegerRange integers) {
  const TensorRange real = widened(range);
  const double width = double{real.maximum} - double{real.minimum};
  const auto steps = static_cast<double>(integers.maximum - integers.minimum);
  const float scale = std::max(static_cast<float>(width / steps), kSmallestScale);
  const double zero_point =
      std::round(static_cast<double>(integers.minimum) - double{real.minimum} / double{scale});
  return {.scale = scale,
          .zero_point =
              static_cast<int32_t>(std::clamp(zero_point, static_cast<double>(integers.minimum),
                                              static_cast<double>(integers.maximum)))};
}

TensorRange range_of(Affine affine, graph::IntegerRange integers) {
  return {.minimum = dequantize(static_cast<int32_t>(integers.minimum), affine),
          .maximum = dequantize(static_cast<int32_t>(integers.maximum), affine)};
}

int32_t quantize(float real, Affine affine, graph::IntegerRange integers) {
  if (std::isnan(real)) return affine.zero_point;
  const double quantized = std::round(double{real} / double{affine.scale}) + affine.zero_point;
  return static_cast<int32_t>(std::clamp(quantized, static_cast<double>(integers.minimum),
                                         static_cast<double>(integers.maximum)));
}

float dequantize(int32_t quantized, Affine affine) {
  return affine.scale * static_cast<float>(int64_t{quantized} - affine.zero_point);
}

float symmetric_scale(float largest_magnitude) {
  if (!(largest_magnitude > 0)) return 1.0f / kLargestWeight;
  return std::max(largest_magnitude / kLargestWeight, kSmallestScale);
}

SymmetricWeights quantize_symmetric(std::span<const float> weights) {
  SymmetricWeights result;
  result.values.resize(weights.size());
  result.scales = {symmetric_scale(largest_magnitude_of(weights))};
  quantize_run(weights, result.scales[0], result.values.data());
  return result;
}

std::vector<float> largest_magnitudes(std::span<const float> weights,
                                      std::span<const int32_t> shape, size_t axis) {
  const AxisCut cut = cut_along(shape, axis);
  std::vector<float> magnitudes(cut.indices, 0.0f);
  for_each_run(cut, [&](size_t index, size_t first, size_t count) {
    magnitudes[index] =
        std::max(magnitudes[index], largest_magnitude_of(weights.subspan(first, count)));
  });
  return magnitudes;
}

std::vector<int8_t> quantize_with_scales(std::span<const float> weights,
                                         std::span<const int32_t> shape, size_t axis,
                                         std::span<const float> scales) {
  std::vector<int8_t> values(weights.size());
  for_each_run(cut_along(shape, axis), [&](size_t index, size_t first, size_t count) {
    quantize_run(weights.subspan(first, count), scales[index], values.data() + first);
  });
  return values;
}

SymmetricWeights quantize_symmetric_per_axis(std::span<const float> weights,
                                             std::span<const int32_t> shape, size_t axis) {
  SymmetricWeights result;
  for (const float magnitude : largest_magnitudes(weights, shape, axis)) {
    result.scales.push_back(symmetric_scale(magnitude));
  }
  result.values = quantize_with_scales(weights, shape, axis, result.scales);
  return result;
}

QuantizedBias quantize_bias(std::span<const float> bias, float input_scale,
                            std::span<const float> weight_scales) {
  QuantizedBias result;
  for (const float weight_scale : weight_scales) {
    result.scales.push_back(input_scale * weight_scale);
  }
  for (size_t i = 0; i < bias.size(); ++i) {
    const float scale = result.scales[result.scales.size() == 1 ? 0 : i];
    result.values.push_back(quantize(bias[i], {.scale = scale}, kInt32));
  }
  return result;
}

Result<std::vector<float>> real_values(const graph::Tensor& tensor,
                                       std::span<const std::byte> bytes) {
  switch (tensor.type) {
    case graph::DataType::kInt8:
      return real_values_of<int8_t>(tensor, bytes);
    case graph::DataType::kUint8:
    case graph::DataType::kBool:
      return real_values_of<uint8_t>(tensor, bytes);
    case graph::DataType::kInt16:
      return real_values_of<int16_t>(tensor, bytes);
    case graph::DataType::kInt32:
      return real_values_of<int32_t>(tensor, bytes);
    case graph::DataType::kInt64:
      return real_values_of<int64_t>(tensor, bytes);
    case graph::DataType::kFloat16: {
      std::vector<float> values(bytes.size() / sizeof(uint16_t));
      for (size_t i = 0; i < values.size(); ++i) {
        uint16_t bits = 0;
        std::memcpy(&bits, bytes.data() + i * sizeof(bits), sizeof(bits));
        values[i] = numerics::float16_to_float(bits);
      }
      return values;
    }
    case graph::DataType::kFloat32: {
      std::vector<float> values(bytes.size() / sizeof(float));
      if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
      return values;
    }
    case graph::DataType::kOther:
      break;
  }
  return not_converted(tensor);
}

Result<std::vector<std::byte>> tensor_bytes(const graph::Tensor& tensor,
                                            std::span<const float> values) {
  switch (tensor.type) {
    case graph::DataType::kInt8:
      return integer_bytes<int8_t>(tensor, values);
    case graph::DataType::kUint8:
      return integer_bytes<uint8_t>(tensor, values);
    case graph::DataType::kInt16:
      return integer_bytes<int16_t>(tensor, values);
    case graph::DataType::kInt32:
      return integer_bytes<int32_t>(tensor, values);
    case graph::DataType::kFloat32: {
      const auto bytes = std::as_bytes(values);
      return std::vector<std::byte>(bytes.begin(), bytes.end());
    }
    default:
      break;
  }
  return not_converted(tensor);
}

}  // namespace lockstep::quantization
