// Arrays that begin where a vector register may be loaded from at full speed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lockstep::backend::cpu {

// A line of cache.
struct alignas(64) Line {
  std::byte bytes[64];
};

// `size` elements of T, zeros at first, aligned to a Line.
template <typename T>
class AlignedArray {
 public:
  AlignedArray() = default;
  explicit AlignedArray(size_t size)
      : lines_((size * sizeof(T) + sizeof(Line) - 1) / sizeof(Line)) {}

  T* data() { return reinterpret_cast<T*>(lines_.data()); }
  const T* data() const { return reinterpret_cast<const T*>(lines_.data()); }
  int64_t bytes() const { return static_cast<int64_t>(lines_.size() * sizeof(Line)); }

 private:
  std::vector<Line> lines_;
};

}  // namespace lockstep::backend::cpu
