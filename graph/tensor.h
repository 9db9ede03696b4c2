// A tensor of the quantized network as the model file describes it.
#pragma once

#include <cstddef>
#include <cstdint>
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

// Product of the extents, or nullopt when one is negative or the product exceeds `limit`.
inline constexpr int64_t kMaximumElementCount = int64_t{1} << 31;
std::optional<int64_t> element_count(std::span<const int32_t> shape,
                                     int64_t limit = kMaximumElementCount);

std::string shape_to_string(std::span<const int32_t> shape);  // "1x224x224x3", "scalar"

// real = scale * (quantized - zero_point). Per tensor: one scale and one zero point. Per axis: one
// of each for every index of dimension `axis`. No scales: not quantized.
struct Quantization {
  std::vector<float> scales;
  std::vector<int32_t> zero_points;
  int32_t axis = 0;

  bool is_quantized() const { return !scales.empty(); }
  bool is_per_axis() const { return scales.size() > 1; }
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

}  // namespace lockstep::graph
