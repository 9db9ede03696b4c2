// Networks of a few operators, compared with host_ref.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "graph/lowered_graph.h"

namespace lockstep::backend::cpu::testing {

using Bytes = std::vector<std::byte>;

// Convolution, depthwise convolution, a sum with a constant, a reshape, a fully connected layer and
// what computes in floats: softmax, dequantization, quantization. One input 'x'; every result is an
// output.
graph::LoweredGraph small_network(numerics::Contract contract = numerics::Contract::kTflite);

// Of every graph input, reproducible.
std::vector<Bytes> random_inputs(const graph::LoweredGraph& graph, uint32_t seed);

// The graph's outputs as host_ref computes them.
std::vector<Bytes> reference_outputs(const graph::LoweredGraph& graph,
                                     const std::vector<Bytes>& inputs);

}  // namespace lockstep::backend::cpu::testing
