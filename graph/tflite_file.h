// The bytes of a .tflite file, once they are known to be one. Internal to graph/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "graph/status.h"
#include "graph/tflite_schema_generated.h"

namespace lockstep::graph {

// Where a verified file may be read: flatbuffers loads numbers in place.
inline constexpr size_t kFileAlignment = 16;

// kUnsupported for files that are larger than a flatbuffer can be.
Status check_file_size(uintmax_t size, std::string_view name);

// Checks size, identifier, structure (every offset stays inside the file) and version. `bytes` must
// be aligned to kFileAlignment. What is returned points into `bytes`, is not null, has version 3
// and at least one subgraph; every other optional field may still be null.
Result<const schema::Model*> open_tflite(std::span<const std::byte> bytes, std::string_view name);

// The elements of a vector in the file, or none where it is absent. The verifier checks alignment
// only to 4 bytes, so they are copied out bytewise.
template <typename T>
std::vector<T> copy_vector(const flatbuffers::Vector<T>* vector) {
  static_assert(std::is_arithmetic_v<T>);
  if (vector == nullptr || vector->size() == 0) return {};
  std::vector<T> values(vector->size());
  std::memcpy(values.data(), vector->Data(), values.size() * sizeof(T));
  return values;
}

inline std::string_view text_or_empty(const flatbuffers::String* string) {
  return string == nullptr ? std::string_view{} : std::string_view(string->c_str(), string->size());
}

template <typename T>
size_t size_or_zero(const flatbuffers::Vector<T>* vector) {
  return vector == nullptr ? 0 : vector->size();
}

}  // namespace lockstep::graph
