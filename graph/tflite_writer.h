// Writes a Graph as a .tflite file, for tests, cases and tools that make networks of their own.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace lockstep::graph {

// Every operator must be an understood one (kUnsupported names the first opaque one otherwise), and
// the graph must pass validate(). Reading the file gives the graph back. An engine may ask for more
// than the format does: TFLite 2.9 refuses CONV_2D with groups or without bias, and crashes on
// DEPTHWISE_CONV_2D without bias.
Result<std::vector<std::byte>> write_tflite(const Graph& graph);

// A copy of a .tflite file in which every tensor that an operator of the first subgraph produces is
// a graph output, in the order of production: what a comparison of all tensors needs. Graph outputs
// that no operator produces follow. Everything else is unchanged, whether we understand it or not.
Result<std::vector<std::byte>> expose_all_tensors(std::span<const std::byte> bytes);

}  // namespace lockstep::graph
