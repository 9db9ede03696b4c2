// Single elements of dense tensors as integers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "graph/tensor.h"

namespace lockstep::conformance {

// Integers as they are; other types as the integer of their bits. Types of 1, 2, 4 or 8 bytes.
int64_t element_value(graph::DataType type, std::span<const std::byte> bytes, int64_t index);

// The reverse: `value` modulo the type's size.
void set_element_value(graph::DataType type, std::span<std::byte> bytes, int64_t index,
                       int64_t value);

// Whether element_value() is the number itself.
bool is_integer(graph::DataType type);

}  // namespace lockstep::conformance
