#include "conformance/generators/operand_contents.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace lockstep::conformance {
namespace {

constexpr float kActivationScale = 1.0f / 16.0f;

struct Bounds {
  int32_t minimum;
  int32_t maximum;
};

// What the activation lets through, in sixteenths.
Bounds bounds_of(graph::Activation activation) {
  switch (activation) {
    case graph::Activation::kRelu:
      return {0, 127};
    case graph::Activation::kRelu6:
      return {0, 96};
    case graph::Activation::kReluN1To1:
      return {-16, 16};
    default:
      return {-128, 127};
  }
}

}  // namespace

size_t element_count_of(const graph::Shape& shape) {
  return static_cast<size_t>(graph::element_count(shape).value_or(0));
}

Bytes every_byte(size_t count, uint32_t step) {
  Bytes bytes(count);
  for (size_t i = 0; i < count; ++i) {
    bytes[i] = static_cast<std::byte>((i * step + i / 256) & 0xff);
  }
  return bytes;
}

Bytes counting_bytes(size_t count) {
  Bytes bytes(count);
  for (size_t i = 0; i < count; ++i) {
    bytes[i] = static_cast<std::byte>(i & 0xff);
  }
  return bytes;
}

std::byte stored_byte(graph::DataType type, int32_t signed_value) {
  const int32_t offset = type == graph::DataType::kUint8 ? 128 : 0;
  return static_cast<std::byte>((signed_value + offset) & 0xff);
}

Bytes stored_bytes(graph::DataType type, const std::vector<int32_t>& signed_values) {
  Bytes bytes;
  for (const int32_t value : signed_values) {
    bytes.push_back(stored_byte(type, value));
  }
  return bytes;
}

graph::Quantization signed_quantization(graph::DataType type, float scale,
                                        int32_t signed_zero_point) {
  const int32_t offset = type == graph::DataType::kUint8 ? 128 : 0;
  return graph::per_tensor(scale, signed_zero_point + offset);
}

Bytes activation_contents(graph::DataType type, graph::Activation activation, ClippedShare share,
                          size_t count) {
  const Bounds bounds = bounds_of(activation);
  std::vector<int32_t> candidates;
  for (int32_t value = -128; value <= 127; ++value) {
    const bool is_inside = value >= bounds.minimum && value <= bounds.maximum;
    if (share == ClippedShare::kSome || is_inside == (share == ClippedShare::kNothing)) {
      candidates.push_back(value);
    }
  }
  Bytes bytes(count);
  for (size_t i = 0; i < count; ++i) {
    // 89 is prime to every number of candidates, so all of them occur.
    bytes[i] = stored_byte(type, candidates[i * 89 % candidates.size()]);
  }
  return bytes;
}

graph::Quantization activation_quantization(graph::DataType type) {
  return signed_quantization(type, kActivationScale, 0);
}

std::vector<std::string> clipping_names() {
  std::vector<std::string> names;
  for (const graph::Activation activation : kFusedActivations) {
    for (const std::string_view share : {"nothing", "some", "all"}) {
      names.push_back(fmt::format("{} clips {}", activation_name(activation), share));
    }
  }
  return names;
}

std::vector<std::string> tail_names() {
  std::vector<std::string> names;
  for (const int32_t tail : kChannelTails) {
    names.push_back(std::to_string(tail));
  }
  return names;
}

}  // namespace lockstep::conformance
