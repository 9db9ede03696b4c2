#include "graph/tensor.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace lockstep::graph {

// Constants are read with memcpy, as the host's numbers.
static_assert(std::endian::native == std::endian::little,
              "constant tensors are little-endian in the file and in memory");

std::string_view data_type_name(DataType type) {
  switch (type) {
    case DataType::kInt8:
      return "int8";
    case DataType::kUint8:
      return "uint8";
    case DataType::kInt16:
      return "int16";
    case DataType::kInt32:
      return "int32";
    case DataType::kInt64:
      return "int64";
    case DataType::kFloat16:
      return "float16";
    case DataType::kFloat32:
      return "float32";
    case DataType::kBool:
      return "bool";
    case DataType::kOther:
      break;
  }
  return "other";
}

size_t data_type_size(DataType type) {
  switch (type) {
    case DataType::kInt8:
    case DataType::kUint8:
    case DataType::kBool:
      return 1;
    case DataType::kInt16:
    case DataType::kFloat16:
      return 2;
    case DataType::kInt32:
    case DataType::kFloat32:
      return 4;
    case DataType::kInt64:
      return 8;
    case DataType::kOther:
      break;
  }
  return 0;
}

std::optional<int64_t> element_count(std::span<const int32_t> shape, int64_t limit) {
  bool is_empty = false;
  for (const int32_t extent : shape) {
    if (extent < 0) return std::nullopt;
    is_empty = is_empty || extent == 0;
  }
  if (is_empty) return 0;
  int64_t count = 1;
  for (const int32_t extent : shape) {
    if (count > limit / extent) return std::nullopt;
    count *= extent;
  }
  return count;
}

std::string shape_to_string(std::span<const int32_t> shape) {
  if (shape.empty()) return "scalar";
  std::string text;
  for (const int32_t extent : shape.first(std::min(shape.size(), kMaximumRank))) {
    if (!text.empty()) text += 'x';
    text += std::to_string(extent);
  }
  if (shape.size() > kMaximumRank) text += "x...";
  return text;
}

std::string printable(std::string_view name) {
  constexpr size_t kMaximumLength = 100;
  std::string text(name.substr(0, kMaximumLength));
  for (char& character : text) {
    const auto code = static_cast<unsigned char>(character);
    if (code < 0x20 || code == 0x7f) character = '?';
  }
  if (name.size() > kMaximumLength) text += "...";
  return text;
}

namespace {

template <typename T>
IntegerRange range_of() {
  return {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
}

}  // namespace

std::optional<IntegerRange> integer_range(DataType type) {
  switch (type) {
    case DataType::kInt8:
      return range_of<int8_t>();
    case DataType::kUint8:
      return range_of<uint8_t>();
    case DataType::kInt16:
      return range_of<int16_t>();
    case DataType::kInt32:
      return range_of<int32_t>();
    default:
      return std::nullopt;
  }
}

}  // namespace lockstep::graph
