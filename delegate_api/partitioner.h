// Which operators of a network go to a device, grouped into subgraphs, and for every operator why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "backend/device.h"
#include "graph/graph.h"
#include "numerics/contract.h"

namespace lockstep::delegate {

struct PartitionOptions {
  numerics::Contract contract = numerics::Contract::kTflite;
  // Keep only the partitions with the most multiply-accumulates; 0: all.
  int32_t max_partitions = 0;
  // Partitions with fewer operators go back to the host.
  int32_t min_nodes = 1;
  // Operator names ("CONV_2D") or tensor names of their outputs. A non-empty allow list admits only
  // what it names; the deny list always refuses what it names.
  std::vector<std::string> allow_ops;
  std::vector<std::string> deny_ops;
};

struct OperatorDecision {
  int32_t partition = -1;  // index into Partitioning::partitions; -1: the host keeps the operator
  std::string reason;      // why the host keeps it; empty when the device takes it
};

// Convex: no path leaves the partition and comes back, so it runs as one step.
struct Partition {
  std::vector<size_t> operators;  // ascending
  std::vector<int32_t> inputs;    // activations that come from outside
  std::vector<int32_t> outputs;   // tensors read outside, or outputs of the graph
};

struct Partitioning {
  std::vector<Partition> partitions;        // in an order in which they and the host can run
  std::vector<OperatorDecision> decisions;  // one for each operator of the graph
};

// Supported maximal convex subgraphs of a validated graph.
Partitioning partition_graph(const graph::Graph& graph, const backend::Device& device,
                             const PartitionOptions& options);

}  // namespace lockstep::delegate
