// Dense host bytes <-> the device's layout, at the borders of a program: row padding is added or
// dropped and uint8 becomes the signed domain (q ^ 0x80) on the way, in one pass over the bytes.
#pragma once

#include <cstddef>
#include <span>

#include "backend/vulkan/layout.h"
#include "graph/tensor.h"

namespace lockstep::backend::vulkan {

// `dense` holds layout.rows * layout.row_bytes() bytes, `device` layout.bytes(). `type` is kInt8,
// kUint8 or kInt32 (whose words are copied as they are). The padding of a row is left as it is.
void copy_to_device_layout(graph::DataType type, const TensorLayout& layout, const std::byte* dense,
                           std::byte* device);

// The inverse; reads no padding.
void copy_from_device_layout(graph::DataType type, const TensorLayout& layout,
                             const std::byte* device, std::byte* dense);

// The same for 8-bit tensors of which every byte is looked up on its way, whatever its type.
void map_to_device_layout(std::span<const std::byte, 256> table, const TensorLayout& layout,
                          const std::byte* dense, std::byte* device);
void map_from_device_layout(std::span<const std::byte, 256> table, const TensorLayout& layout,
                            const std::byte* device, std::byte* dense);

}  // namespace lockstep::backend::vulkan
