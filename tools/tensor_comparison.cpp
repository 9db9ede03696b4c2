#include "tools/tensor_comparison.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace lockstep::tools {
namespace {

template <typename T>
double value_at(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return static_cast<double>(value);
}

double value_of(graph::DataType type, const std::byte* bytes) {
  switch (type) {
    case graph::DataType::kInt8:
      return value_at<int8_t>(bytes);
    case graph::DataType::kInt16:
      return value_at<int16_t>(bytes);
    case graph::DataType::kInt32:
      return value_at<int32_t>(bytes);
    case graph::DataType::kInt64:
      return value_at<int64_t>(bytes);
    case graph::DataType::kFloat32:
      return value_at<float>(bytes);
    case graph::DataType::kFloat16:  // its bits: a distance in units in the last place
      return value_at<uint16_t>(bytes);
    case graph::DataType::kUint8:
    case graph::DataType::kBool:
    case graph::DataType::kOther:
      break;
  }
  return value_at<uint8_t>(bytes);
}

}  // namespace

Result<TensorComparison> compare_tensors(graph::DataType type, std::span<const std::byte> expected,
                                         std::span<const std::byte> actual) {
  if (expected.size() != actual.size()) {
    return make_error(ErrorCode::kInvalidArgument, "{} bytes against {}", expected.size(),
                      actual.size());
  }
  const size_t size = std::max<size_t>(1, graph::data_type_size(type));
  TensorComparison result;
  result.elements = static_cast<int64_t>(expected.size() / size);
  if (std::equal(expected.begin(), expected.end(), actual.begin())) return result;
  for (size_t i = 0; i + size <= expected.size(); i += size) {
    if (std::memcmp(expected.data() + i, actual.data() + i, size) == 0) continue;
    if (result.differing++ == 0) result.first_differing = static_cast<int64_t>(i / size);
    const double difference =
        std::abs(value_of(type, expected.data() + i) - value_of(type, actual.data() + i));
    result.largest_difference =
        std::max(result.largest_difference,
                 std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference);
  }
  return result;
}

}  // namespace lockstep::tools
