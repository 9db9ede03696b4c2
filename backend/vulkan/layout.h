// How a tensor lies in device memory. A tensor of shape [..., C] is viewed as rows of C channels.
// Each row starts at a multiple of channel_stride bytes, so that four channels share one 32-bit
// word (channel c in byte c % 4, least significant first) and wide rows can be read 16 bytes at a
// time. The bytes between C and channel_stride hold unspecified values: kernels must not let them
// reach a real channel (weights are packed with zeros there).
#pragma once

#include <cstdint>
#include <span>

namespace lockstep::backend::vulkan {

struct TensorLayout {
  int64_t rows = 1;      // product of all extents but the last
  int32_t channels = 1;  // the last extent
  int32_t channel_stride =
      4;  // bytes from one row to the next: 4 for C <= 4, else a multiple of 16

  int64_t bytes() const { return rows * channel_stride; }
  bool operator==(const TensorLayout&) const = default;
};

inline int32_t channel_stride_for(int32_t channels) {
  return channels <= 4 ? 4 : (channels + 15) / 16 * 16;
}

TensorLayout layout_of(std::span<const int32_t> shape);

}  // namespace lockstep::backend::vulkan
