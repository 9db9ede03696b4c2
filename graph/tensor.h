// A tensor of the quantized network as the model file describes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::graph {

// kOther stands for the element types that only opaque operators use (string, complex, ...).
enum class DataType : uint8_t {
  kInt8,
  kUint8,
  kInt16,
  kInt32,
  kInt64,
  kFloat16,
  kFloat32,
  kBool,
  kOther,
};

std::string_view data_type_name(DataType type);  // "int8", "uint8", ...

// Bytes of one element; 0 for kOther.
size_t data_type_size(DataType type);

// Extents, outermost first: NHWC for images, [rows, columns] for matrices. Empty for a scalar.
using Shape = std::vector<int32_t>;

// More dimensions than any operator has a use for. A file of a few megabytes can give every tensor
// a million of extent 1, which would cost time and memory with every operator and message.
inline constexpr size_t kMaximumRank = 32;

// Product of the extents, or nullopt when one is negative or the product exceeds `limit`. Whatever
// neighbouring dimensions of a valid tensor are merged, their extent fits int32.
inline constexpr int64_t kMaximumElementCount = std::numeric_limits<int32_t>::max();
std::optional<int64_t> element_count(std::span<const int32_t> shape,
                                     int64_t limit = kMaximumElementCount);

// "1x224x224x3", "scalar"; "..." stands for the extents behind the first kMaximumRank.
std::string shape_to_string(std::span<const int32_t> shape);

// A name from a file as messages show it: at most 100 bytes, control characters replaced by '?'.
std::string printable(std::string_view name);

// Largest and smallest value of an integer type of at most 32 bits, which is also the range of its
// zero points; nullopt for the others.
struct IntegerRange {
  int64_t minimum;
  int64_t maximum;
};
std::optional<IntegerRange> integer_range(DataType type);

// real = scale * (quantized - zero_point). Per tensor: one scale and one zero point. Per axis: one
// of each for every index of dimension `axis`. No scales: not quantized.
struct Quantization {
  std::vector<float> scales;
  std::vector<int32_t> zero_points;
  int32_t axis = 0;

  bool is_quantized() const { return !scales.empty(); }
  bool is_per_axis() const { return scales.size() > 1; }

  bool operator==(const Quantization&) const = default;
};

struct Tensor {
  std::string name;
  DataType type = DataType::kFloat32;
  Shape shape;
  // As the file gives it: -1 marks an extent that may be resized. Empty when nothing is dynamic.
  Shape shape_signature;
  Quantization quantization;
  // Constant contents, dense, little-endian; empty for activations. Owned by Graph::storage.
  std::span<const std::byte> data;
  // Weights stored in the format's sparse encoding: kept as bytes we do not interpret.
  bool is_sparse = false;
  // State that survives from run to run (recurrent networks).
  bool is_variable = false;

  bool is_constant() const { return !data.empty(); }
};

// The contents of a constant as numbers of its own type. Empty when T is not the tensor's type or
// its size is no multiple of T's. Makes a copy: a file's bytes need not be aligned for T.
template <typename T>
std::vector<T> constant_values(const Tensor& tensor);

// The DataType of a C++ number.
template <typename T>
constexpr DataType data_type_of();

template <>
constexpr DataType data_type_of<int8_t>() {
  return DataType::kInt8;
}
template <>
constexpr DataType data_type_of<uint8_t>() {
  return DataType::kUint8;
}
template <>
constexpr DataType data_type_of<int16_t>() {
  return DataType::kInt16;
}
template <>
constexpr DataType data_type_of<int32_t>() {
  return DataType::kInt32;
}
template <>
constexpr DataType data_type_of<int64_t>() {
  return DataType::kInt64;
}
template <>
constexpr DataType data_type_of<float>() {
  return DataType::kFloat32;
}

template <typename T>
std::vector<T> constant_values(const Tensor& tensor) {
  if (tensor.type != data_type_of<T>() || tensor.is_sparse || tensor.data.size() % sizeof(T) != 0) {
    return {};
  }
  std::vector<T> values(tensor.data.size() / sizeof(T));
  if (!values.empty()) {
    std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
  }
  return values;
}

}  // namespace lockstep::graph
