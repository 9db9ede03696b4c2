// Which operators of a network go to a device, grouped into subgraphs, and for every operator why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "backend/device.h"
#include "graph/graph.h"
#include "graph/lowered_graph.h"
#include "graph/status.h"
#include "numerics/contract.h"

namespace lockstep::delegate {

struct PartitionOptions {
  numerics::Contract contract = numerics::Contract::kTflite;
  // Keep only the partitions with the most multiply-accumulates; 0: all.
  int32_t max_partitions = 0;
  // Partitions with fewer operators go back to the host.
  int32_t min_nodes = 1;
  // In a network that multiplies and accumulates, a partition that does not (the QUANTIZE behind a
  // host's SOFTMAX) costs a round trip to the device and saves next to nothing: it goes back to the
  // host, unless this says otherwise.
  bool keep_light_partitions = false;
  // Operator names ("CONV_2D") or tensor names of their outputs. A non-empty allow list admits only
  // what it names; the deny list always refuses what it names.
  std::vector<std::string> allow_ops;
  std::vector<std::string> deny_ops;
  // Partitions as a TFLite host forms them of the operators it is asked to replace. It runs
  // whatever is ready, by turns on either side, and the side of the plan's first operator begins:
  // where that is the device, device operators that wait for the host alone come in a second turn.
  // Forming them likewise keeps min_nodes and max_partitions true there.
  bool form_as_tflite_does = false;
};

// kInvalidArgument when a list names neither an operator this build knows, nor an operator or
// output tensor of the graph, or when a count is negative.
Status check_partition_options(const graph::Graph& graph, const PartitionOptions& options);

struct OperatorDecision {
  int32_t partition = -1;  // index into Partitioning::partitions; -1: the host keeps the operator
  std::string reason;      // why the host keeps it; empty when the device takes it
};

// Convex: no path leaves the partition and comes back, so it runs as one step.
struct Partition {
  std::vector<size_t> operators;  // ascending
  std::vector<int32_t> inputs;    // activations that come from outside
  std::vector<int32_t> outputs;   // tensors read outside or by nobody, and outputs of the graph
};

struct Partitioning {
  std::vector<Partition> partitions;        // in an order in which they and the host can run
  std::vector<OperatorDecision> decisions;  // one for each operator of the graph
};

// The operators (ascending) with the tensors at their border.
Partition make_partition(const graph::Graph& graph, std::vector<size_t> operators);

// Lowers a partition. LoweredGraph::inputs are those of Partition::inputs that an operator still
// reads once lowered (a RESHAPE no longer reads a shape tensor).
Result<graph::LoweredGraph> lower_partition(const graph::Graph& graph, const Partition& partition,
                                            numerics::Contract contract);

// The error's message without the names of the graph and of the operator at its beginning: for a
// report in which the reason stands beside both.
std::string stated_reason(const graph::Graph& graph, size_t operator_index, const Error& error);

// Supported maximal convex subgraphs of a validated graph: no two of them could be one, and their
// number is the smallest possible before the options send some back. A partition need not be
// connected. `refusals`, when not empty, has one text for each operator: where it is
// not empty, the caller refuses the operator for that reason.
Partitioning partition_graph(const graph::Graph& graph, const backend::Device& device,
                             const PartitionOptions& options,
                             std::span<const std::string> refusals = {});

}  // namespace lockstep::delegate
