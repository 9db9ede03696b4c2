#include "backend/vulkan/host_layout.h"

#include <cstring>

namespace lockstep::backend::vulkan {
namespace {

// What happens to a byte on its way.
struct SignFlip {
  std::byte flip;  // 0: nothing

  explicit SignFlip(graph::DataType type)
      : flip(type == graph::DataType::kUint8 ? std::byte{0x80} : std::byte{0}) {}
  std::byte operator()(std::byte value) const { return value ^ flip; }
  bool is_copy() const { return flip == std::byte{0}; }
};
struct Lookup {
  const std::byte* table;

  std::byte operator()(std::byte value) const { return table[std::to_integer<size_t>(value)]; }
  static bool is_copy() { return false; }
};

template <typename Map>
void copy_row(const std::byte* source, std::byte* destination, size_t bytes, Map map) {
  if (map.is_copy()) {
    std::memcpy(destination, source, bytes);
    return;
  }
  for (size_t i = 0; i < bytes; ++i) {
    destination[i] = map(source[i]);
  }
}

// Rows of a compile-time number of bytes, so that the inner loop unrolls: images (3 channels)
// and masks (1) have many short rows.
template <size_t kRowBytes, typename Map>
void copy_short_rows(const std::byte* source, size_t source_stride, std::byte* destination,
                     size_t destination_stride, size_t rows, Map map) {
  for (size_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < kRowBytes; ++i) {
      destination[i] = map(source[i]);
    }
    source += source_stride;
    destination += destination_stride;
  }
}

template <typename Map>
void copy_rows(const std::byte* source, size_t source_stride, std::byte* destination,
               size_t destination_stride, size_t rows, size_t row_bytes, Map map) {
  if (source_stride == row_bytes && destination_stride == row_bytes) {
    copy_row(source, destination, rows * row_bytes, map);
    return;
  }
  switch (row_bytes) {
    case 1:
      copy_short_rows<1>(source, source_stride, destination, destination_stride, rows, map);
      return;
    case 2:
      copy_short_rows<2>(source, source_stride, destination, destination_stride, rows, map);
      return;
    case 3:
      copy_short_rows<3>(source, source_stride, destination, destination_stride, rows, map);
      return;
    default:
      for (size_t row = 0; row < rows; ++row) {
        copy_row(source + row * source_stride, destination + row * destination_stride, row_bytes,
                 map);
      }
  }
}

template <typename Map>
void to_device(Map map, const TensorLayout& layout, const std::byte* dense, std::byte* device) {
  const auto row_bytes = static_cast<size_t>(layout.row_bytes());
  copy_rows(dense, row_bytes, device, static_cast<size_t>(layout.channel_stride),
            static_cast<size_t>(layout.rows), row_bytes, map);
}

template <typename Map>
void from_device(Map map, const TensorLayout& layout, const std::byte* device, std::byte* dense) {
  const auto row_bytes = static_cast<size_t>(layout.row_bytes());
  copy_rows(device, static_cast<size_t>(layout.channel_stride), dense, row_bytes,
            static_cast<size_t>(layout.rows), row_bytes, map);
}

}  // namespace

void copy_to_device_layout(graph::DataType type, const TensorLayout& layout, const std::byte* dense,
                           std::byte* device) {
  to_device(SignFlip(type), layout, dense, device);
}

void copy_from_device_layout(graph::DataType type, const TensorLayout& layout,
                             const std::byte* device, std::byte* dense) {
  from_device(SignFlip(type), layout, device, dense);
}

void map_to_device_layout(std::span<const std::byte, 256> table, const TensorLayout& layout,
                          const std::byte* dense, std::byte* device) {
  to_device(Lookup{table.data()}, layout, dense, device);
}

void map_from_device_layout(std::span<const std::byte, 256> table, const TensorLayout& layout,
                            const std::byte* device, std::byte* dense) {
  from_device(Lookup{table.data()}, layout, device, dense);
}

}  // namespace lockstep::backend::vulkan
