// What every kernel family does alike: constant blocks, push constants, sizes of dispatches.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "backend/vulkan/kernel.h"

namespace lockstep::backend::vulkan {

inline constexpr int32_t kWordBytes = 4;   // channels of a word
inline constexpr int32_t kUnitBytes = 16;  // channels of a uvec4

template <std::integral T>
constexpr T divide_up(T value, T divisor) {
  return (value + divisor - 1) / divisor;
}

// Words of a row that hold channels.
constexpr uint32_t row_words(const TensorLayout& layout) {
  return static_cast<uint32_t>(divide_up(layout.channels, kWordBytes));
}

// From the start of a row to the next, in words.
constexpr uint32_t stride_words(const TensorLayout& layout) {
  return static_cast<uint32_t>(layout.channel_stride / kWordBytes);
}

// A word of four equal bytes.
constexpr uint32_t replicate(int32_t value) {
  return static_cast<uint32_t>(value & 0xff) * 0x01010101u;
}

// A push constant block, in the order of the shader's declaration; every number one word, negative
// ones in two's complement.
template <typename... Numbers>
std::vector<uint32_t> push_constants(Numbers... numbers) {
  return {static_cast<uint32_t>(numbers)...};
}

// Appends a constant block to the plan.
template <typename Element>
Binding add_constant(KernelPlan& plan, std::span<const Element> contents) {
  const auto bytes = std::as_bytes(contents);
  plan.constants.emplace_back(bytes.begin(), bytes.end());
  return {Binding::Kind::kConstant, static_cast<int32_t>(plan.constants.size() - 1)};
}

inline Binding tensor_binding(int32_t tensor) { return {Binding::Kind::kTensor, tensor}; }

// The table of copy_rows_table and copy_bytes_table: one word for each of the 256 entries.
Binding add_table(KernelPlan& plan, std::span<const int8_t> table);

// Fills in how many workgroups `invocations` need, and their size as specialization constant 0.
// Workgroups fill x first and go on in y, as invocation.glsl numbers them. kUnsupported when that
// exceeds the device.
Status size_dispatch(const Capabilities& capabilities, uint64_t invocations, Dispatch& dispatch);

}  // namespace lockstep::backend::vulkan
