// Looking bytes up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "backend/cpu/isa.h"

namespace lockstep::backend::cpu {

// From byte to byte.
using ByteToByte = std::array<uint8_t, 256>;

struct TableKernels {
  // output[i] = table[input[i]].
  void (*look_up)(const ByteToByte& table, const uint8_t* input, size_t count, uint8_t* output);
};

const TableKernels& table_kernels(Isa isa);

}  // namespace lockstep::backend::cpu
