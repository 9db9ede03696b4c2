// A lowered graph in consecutive parts of which a device computes some and the host the rest: most
// whole networks have operators (SOFTMAX, QUANTIZE) that only hosts compute.
#pragma once

#include <vector>

#include "graph/lowered_graph.h"

namespace lockstep::conformance {

struct GraphSegment {
  bool is_on_device = false;
  // Tensors keep their indices. Its inputs are graph inputs and tensors of earlier segments, its
  // outputs are what later segments or the graph's outputs need. A tensor between segments is in
  // the host's own domain.
  graph::LoweredGraph graph;
};

// In execution order; neighbouring operators of the same kind are one segment. Segments that
// nothing needs are left out. `is_on_device` has an entry for each operator.
std::vector<GraphSegment> split_graph(const graph::LoweredGraph& graph,
                                      const std::vector<bool>& is_on_device);

}  // namespace lockstep::conformance
