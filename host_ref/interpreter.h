// Runs a lowered graph on the host, one readable function after another. What every fast executor
// is compared with; it keeps all tensors, so that the first difference can be found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "graph/lowered_graph.h"
#include "graph/status.h"

namespace lockstep::host_ref {

// Whether every operator reads a graph input, a constant or an earlier operator's output of the
// right type and size: kInvalidArgument, naming the operator, where one does not.
Status check_graph(const graph::LoweredGraph& graph);

// Not thread-safe; several interpreters may share one graph.
class Interpreter {
 public:
  // Allocates all tensors. Fails as check_graph() does, or with kOutOfMemory.
  static Result<Interpreter> create(std::shared_ptr<const graph::LoweredGraph> graph);
  static Result<Interpreter> create(graph::LoweredGraph graph);

  const graph::LoweredGraph& graph() const { return *graph_; }

  // The dense bytes of graph().inputs[input_index] as the host sees them (uint8 stays uint8). Kept
  // until set again; an input never set holds the stored value 0.
  Status set_input(size_t input_index, std::span<const std::byte> host_bytes);

  // One inference.
  Status run();

  // Contents of any tensor (index as in graph().tensors) as the host sees them. Empty for a tensor
  // that no operator of this graph touches.
  Result<std::vector<std::byte>> tensor(int32_t tensor_index) const;

  // The same in the stored domain: what an operator's function was given or has made.
  std::span<const std::byte> stored_tensor(int32_t tensor_index) const {
    return tensors_[static_cast<size_t>(tensor_index)];
  }

 private:
  explicit Interpreter(std::shared_ptr<const graph::LoweredGraph> graph)
      : graph_(std::move(graph)) {}

  std::shared_ptr<const graph::LoweredGraph> graph_;
  std::vector<std::vector<std::byte>> tensors_;  // stored domain, by tensor index
};

}  // namespace lockstep::host_ref
