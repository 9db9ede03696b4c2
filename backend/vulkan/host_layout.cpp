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

// Rows of a compile-time number of bytes, so that the inner loop unrolls: images (3 channels)
// and masks (1) have many short rows.
template <size_t kRowBytes>
void copy_short_rows(const std::byte* source, size_t source_stride, std::byte* destination,
                     size_t destination_stride, size_t rows, std::byte flip) {
  for (size_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < kRowBytes; ++i) {
      destination[i] = source[i] ^ flip;
    }
    source += source_stride;
    destination += destination_stride;
  }
}

void copy_rows(const std::byte* source, size_t source_stride, std::byte* destination,
               size_t destination_stride, size_t rows, size_t row_bytes, std::byte flip) {
  if (source_stride == row_bytes && destination_stride == row_bytes) {
    copy_row(source, destination, rows * row_bytes, flip);
    return;
  }
  switch (row_bytes) {
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
        copy_row(source + row * source_stride, destination + row * destination_stride, row_bytes,
                 flip);
      }
  }
}

}  // namespace

void copy_to_device_layout(graph::DataType type, const TensorLayout& layout, const std::byte* dense,
                           std::byte* device) {
  const auto row_bytes = static_cast<size_t>(layout.row_bytes());
  copy_rows(dense, row_bytes, device, static_cast<size_t>(layout.channel_stride),
            static_cast<size_t>(layout.rows), row_bytes, sign_flip(type));
}

void copy_from_device_layout(graph::DataType type, const TensorLayout& layout,
                             const std::byte* device, std::byte* dense) {
  const auto row_bytes = static_cast<size_t>(layout.row_bytes());
  copy_rows(device, static_cast<size_t>(layout.channel_stride), dense, row_bytes,
            static_cast<size_t>(layout.rows), row_bytes, sign_flip(type));
}

}  // namespace lockstep::backend::vulkan
