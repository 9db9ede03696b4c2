// How a tensor lies in device memory. A tensor of shape [..., C] is viewed as rows of C channels.
// Each row starts at a multiple of channel_stride bytes, so that four channels share one 32-bit
// word (channel c in byte c % 4, least significant first) and wide rows can be read 16 bytes at a
// time. The bytes between C and channel_stride hold unspecified values: kernels must not let them
// reach a real channel (weights are packed with zeros there).
//
// int32 tensors (accumulators) lie alike with a word for every byte: all their offsets are four
// times those of the 8-bit tensor of the same shape, so the kernels that write both number them
// once.
#pragma once

#include <cstdint>
#include <span>

#include "graph/lowered_graph.h"

namespace lockstep::backend::vulkan {

struct TensorLayout {
  int64_t rows = 1;      // product of all extents but the last
  int32_t channels = 1;  // the last extent
  // Bytes from one row to the next: of 8-bit tensors 4 for C <= 4, else a multiple of 16.
  int64_t channel_stride = 4;
  int32_t element_bytes = 1;

  int64_t bytes() const { return rows * channel_stride; }
  int64_t row_bytes() const { return int64_t{channels} * element_bytes; }
  // Rows follow one another without padding: the bytes are those of the dense tensor.
  bool is_dense() const { return row_bytes() == channel_stride; }
  bool operator==(const TensorLayout&) const = default;
};

// Of a tensor with elements of 8 bits.
inline int64_t channel_stride_for(int32_t channels) {
  return channels <= 4 ? 4 : (int64_t{channels} + 15) / 16 * 16;
}

// Of an 8-bit tensor of that shape.
TensorLayout layout_of(std::span<const int32_t> shape);

// Of a tensor of any type that lives on the device: int8, uint8 or int32.
TensorLayout layout_of(const graph::LoweredTensor& tensor);

// Whether the same elements in the same order are the same bytes: equal rows, or no padding at all.
bool lie_alike(const TensorLayout& a, const TensorLayout& b);

// Shaders read 16 bytes at a time, so whole units are allocated and bound.
inline constexpr int64_t kBindingUnit = 16;
constexpr int64_t bound_bytes(int64_t bytes) {
  return (bytes + kBindingUnit - 1) / kBindingUnit * kBindingUnit;
}

}  // namespace lockstep::backend::vulkan
