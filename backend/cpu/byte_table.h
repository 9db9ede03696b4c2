// Tables of stored values as tables of bytes.
#pragma once

#include <cstdint>
#include <span>

#include "backend/cpu/operation.h"
#include "backend/cpu/table_kernels.h"

namespace lockstep::backend::cpu {

// `stored`: 256 entries, indexed by stored value + 128, which is the byte.
inline ByteToByte byte_table(std::span<const int8_t> stored) {
  ByteToByte table{};
  for (size_t byte = 0; byte < table.size(); ++byte) {
    table[byte] = to_byte(stored[byte]);
  }
  return table;
}

}  // namespace lockstep::backend::cpu
