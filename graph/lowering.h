// Quantization parameters -> integer parameters, under a numerics contract. The only place where a
// scale is read; the formulae and their evidence are in docs/numerics.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "graph/graph.h"
#include "graph/lowered_graph.h"

namespace lockstep::graph {

// Lowers one operator of a validated graph. kUnsupported with a reason for a person ("input 'x' is
// float32; int8 or uint8 is needed") when the operator cannot be computed in integers as the
// contract's engine does.
Result<LoweredOperator> lower_operator(const Graph& graph, size_t operator_index,
                                       numerics::Contract contract);

// Lowers the given operators (ascending indices) as one graph whose inputs and outputs are `inputs`
// and `outputs`. Fails with the first operator's reason when one cannot be lowered.
Result<LoweredGraph> lower(const Graph& graph, std::span<const size_t> operator_indices,
                           std::span<const int32_t> inputs, std::span<const int32_t> outputs,
                           numerics::Contract contract);

// Lowers the whole graph.
Result<LoweredGraph> lower(const Graph& graph, numerics::Contract contract);

}  // namespace lockstep::graph
