#include "backend/vulkan/host_layout.h"

#include <cstring>

namespace lockstep::backend::vulkan {
namespace {

std::byte sign_flip(graph::DataType type) {
  return type == graph::DataType::kUint8 ? std::byte{0x80} : std::byte{0};
}

void copy_row(const std::byte* source, std::byte* destination, size_t bytes, std::byte flip) {
  if (flip == std::byte{0}) {
    std::memcpy(destination, source, bytes);
    return;
  }
  for (size_t i = 0; i < bytes; ++i) {
    destination[i] = source[i] ^ flip;
  }
}

// Rows of a compile-time number of channels, so that the inner loop unrolls: images (3 channels)
// and masks (1) have many short rows.
template <size_t kChannels>
void copy_short_rows(const std::byte* source, size_t source_stride, std::byte* destination,
                     size_t destination_stride, size_t rows, std::byte flip) {
  for (size_t row = 0; row < rows; ++row) {
    for (size_t channel = 0; channel < kChannels; ++channel) {
      destination[channel] = source[channel] ^ flip;
    }
    source += source_stride;
    destination += destination_stride;
  }
}

void copy_rows(const std::byte* source, size_t source_stride, std::byte* destination,
               size_t destination_stride, size_t rows, size_t channels, std::byte flip) {
  if (source_stride == channels && destination_stride == channels) {
    copy_row(source, destination, rows * channels, flip);
    return;
  }
  switch (channels) {
    case 1:
      copy_short_rows<1>(source, source_stride, destination, destination_stride, rows, flip);
      return;
    case 2:
      copy_short_rows<2>(source, source_stride, destination, destination_stride, rows, flip);
      return;
    case 3:
      copy_short_rows<3>(source, source_stride, destination, destination_stride, rows, flip);
      return;
    default:
      for (size_t row = 0; row < rows; ++row) {
        copy_row(source + row * source_stride, destination + row * destination_stride, channels,
                 flip);
      }
  }
}

}  // namespace

void copy_to_device_layout(graph::DataType type, const TensorLayout& layout, const std::byte* dense,
                           std::byte* device) {
  const auto channels = static_cast<size_t>(layout.channels);
  copy_rows(dense, channels, device, static_cast<size_t>(layout.channel_stride),
            static_cast<size_t>(layout.rows), channels, sign_flip(type));
}

void copy_from_device_layout(graph::DataType type, const TensorLayout& layout,
                             const std::byte* device, std::byte* dense) {
  const auto channels = static_cast<size_t>(layout.channels);
  copy_rows(device, static_cast<size_t>(layout.channel_stride), dense, channels,
            static_cast<size_t>(layout.rows), channels, sign_flip(type));
}

}  // namespace lockstep::backend::vulkan
