// GraphBuilder for tests: what cannot be built throws std::logic_error, which GoogleTest reports.
#pragma once

#include <stdexcept>
#include <utility>
#include <vector>

#include "graph/graph_builder.h"

namespace lockstep::graph::testing {

using graph::per_axis;
using graph::per_tensor;

class GraphBuilder : public graph::GraphBuilder {
 public:
  using graph::GraphBuilder::GraphBuilder;

  Graph build(std::vector<int32_t> outputs) const {
    Result<Graph> graph = graph::GraphBuilder::build(std::move(outputs));
    if (!graph) throw std::logic_error(graph.error().message);
    return std::move(*graph);
  }
};

}  // namespace lockstep::graph::testing
