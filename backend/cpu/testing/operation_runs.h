// Runs one operation with every instruction set, on threads or one after another, in memory that
// ends where the tensors end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "backend/cpu/operations.h"

namespace lockstep::backend::cpu::testing {

// Of the stored domain, as host_ref has them; reproducible, and rich in extremes.
std::vector<int8_t> random_values(int64_t count, uint32_t seed);

// The byte domain's.
std::vector<std::byte> to_bytes(std::span<const int8_t> stored);

using Maker = std::function<OperationPointer(const Target& target)>;

// Tensors 0, 1, ... are `inputs`, the one behind them is the output. Expects that with all
// executable instruction sets, for 1 and for 3 threads, tasks first to last, last to first and at
// once, the output is `expected`, that nothing beyond it is written and that inputs stay as they
// are.
void expect_output(const Maker& make, std::span<const std::vector<std::byte>> inputs,
                   std::span<const std::byte> expected);

// The same for tensors of stored values.
void expect_values(const Maker& make, std::span<const std::vector<int8_t>> inputs,
                   std::span<const int8_t> expected);

}  // namespace lockstep::backend::cpu::testing
