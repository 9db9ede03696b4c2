// In which order an engine runs what: which operators nobody can compute, and the programs of
// device and host that compute the others.
#pragma once

#include <string>
#include <vector>

#include "delegate_api/partitioner.h"
#include "graph/graph.h"
#include "graph/status.h"
#include "numerics/contract.h"

namespace lockstep::delegate {

struct ScheduledProgram {
  bool is_on_device = false;
  Partition partition;
};

// Why each operator is computed by nobody; empty: it is computed.
std::vector<std::string> find_unavailable(const graph::Graph& graph, numerics::Contract contract);

// The partitions in their order and, between them, the operators of the host as soon as they are
// ready, so that there are as few programs as possible.
Result<std::vector<ScheduledProgram>> schedule(const graph::Graph& graph, Partitioning partitioning,
                                               const std::vector<std::string>& unavailable);

}  // namespace lockstep::delegate
