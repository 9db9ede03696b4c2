// The network that a TFLite host holds, as a Graph: the same thing that reading its file gives, but
// with the host's shapes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "delegate_api/tflite/tflite_abi.h"
#include "graph/graph.h"
#include "graph/status.h"

namespace lockstep::delegate {

struct HostGraph {
  // Tensors have the host's indices. Constants point into the host's memory (storage is null):
  // valid as long as the host's model is. Inputs are the tensors that no operator writes; outputs,
  // which the host does not tell, are those that no operator reads.
  graph::Graph graph;
  std::vector<int32_t> nodes;  // the host's number of each operator
};

// Reads the execution plan. Nodes that are unknown, already taken by another delegate, or whose
// tensors have no shape yet are opaque, with the reason; so is a node that contradicts itself.
// Fails when the host does not answer or its tensors cannot be believed.
Result<HostGraph> read_host_graph(abi::Context* context);

// A partition as a graph of its own: same tensor indices, only the partition's operators, and
// copies of the constants they read.
graph::Graph extract_subgraph(const graph::Graph& graph, std::span<const size_t> operators,
                              std::vector<int32_t> inputs, std::vector<int32_t> outputs);

// The extents, or nothing where the host does not know them yet.
std::optional<graph::Shape> host_shape(const abi::Tensor& tensor);

}  // namespace lockstep::delegate
