// Writes a Graph as a .tflite file, for tests, cases and tools that make networks of their own.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace lockstep::graph {

// Every operator must be an understood one (kUnsupported names the first opaque one otherwise).
// read_tflite(write_tflite(graph)) gives the graph back.
Result<std::vector<std::byte>> write_tflite(const Graph& graph);

// A copy of a .tflite file in which every tensor that an operator produces is a graph output, in
// the order of production: what a comparison of all tensors needs. Everything else is unchanged.
Result<std::vector<std::byte>> expose_all_tensors(std::span<const std::byte> bytes);

}  // namespace lockstep::graph
