#include "conformance/tensor_values.h"

#include <cstring>

namespace lockstep::conformance {
namespace {

template <typename T>
int64_t value_at(std::span<const std::byte> bytes, int64_t index) {
  T value;
  std::memcpy(&value, bytes.data() + static_cast<size_t>(index) * sizeof(T), sizeof(T));
  return static_cast<int64_t>(value);
}

template <typename T>
void set_value(std::span<std::byte> bytes, int64_t index, int64_t value) {
  const auto narrow = static_cast<T>(value);
  std::memcpy(bytes.data() + static_cast<size_t>(index) * sizeof(T), &narrow, sizeof(T));
}

}  // namespace

int64_t element_value(graph::DataType type, std::span<const std::byte> bytes, int64_t index) {
  switch (graph::data_type_size(type)) {
    case 1:
      return type == graph::DataType::kInt8 ? value_at<int8_t>(bytes, index)
                                            : value_at<uint8_t>(bytes, index);
    case 2:
      return value_at<int16_t>(bytes, index);
    case 4:
      return value_at<int32_t>(bytes, index);
    default:
      return value_at<int64_t>(bytes, index);
  }
}

void set_element_value(graph::DataType type, std::span<std::byte> bytes, int64_t index,
                       int64_t value) {
  switch (graph::data_type_size(type)) {
    case 1:
      return set_value<uint8_t>(bytes, index, value);
    case 2:
      return set_value<uint16_t>(bytes, index, value);
    case 4:
      return set_value<uint32_t>(bytes, index, value);
    default:
      return set_value<uint64_t>(bytes, index, value);
  }
}

bool is_integer(graph::DataType type) {
  switch (type) {
    case graph::DataType::kInt8:
    case graph::DataType::kUint8:
    case graph::DataType::kInt16:
    case graph::DataType::kInt32:
    case graph::DataType::kInt64:
      return true;
    default:
      return false;
  }
}

}  // namespace lockstep::conformance
