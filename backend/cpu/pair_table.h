// ADD and MUL by looking up: a function of two bytes has 65536 values. For what no formula of
// vectors computes.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/lowered_graph.h"

namespace lockstep::backend::cpu {

// The result of each pair of bytes: entry left * 256 + right.
using PairTable = std::vector<uint8_t>;

PairTable pair_table(const graph::LoweredAdd& add);
PairTable pair_table(const graph::LoweredMul& mul);

}  // namespace lockstep::backend::cpu
