// Element-wise functions of one 8-bit tensor: the executable specification.
#pragma once

#include <cstdint>
#include <span>

#include "graph/lowered_graph.h"

namespace lockstep::host_ref {

// output[i] = table[input[i] + 128]. The table has 256 entries.
void apply_table(std::span<const int8_t> table, std::span<const int8_t> input,
                 std::span<int8_t> output);

}  // namespace lockstep::host_ref
