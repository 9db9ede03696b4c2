#include "conformance/graph_segments.h"

#include <algorithm>
#include <set>

namespace lockstep::conformance {
namespace {

std::set<int32_t> produced_tensors(const graph::LoweredGraph& graph) {
  std::set<int32_t> produced;
  for (const graph::LoweredOperator& op : graph.operators) {
    produced.insert(graph::operation_output(op.operation));
  }
  return produced;
}

// Activations that the operators read and do not produce, each once.
std::set<int32_t> read_from_outside(const graph::LoweredGraph& graph) {
  const std::set<int32_t> produced = produced_tensors(graph);
  std::set<int32_t> read;
  for (const graph::LoweredOperator& op : graph.operators) {
    for (const int32_t input : graph::operation_inputs(op.operation)) {
      if (graph.tensors[static_cast<size_t>(input)].constant.empty() && !produced.contains(input)) {
        read.insert(input);
      }
    }
  }
  return read;
}

}  // namespace

std::vector<GraphSegment> split_graph(const graph::LoweredGraph& graph,
                                      const std::vector<bool>& is_on_device) {
  std::vector<GraphSegment> segments;
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    if (segments.empty() || segments.back().is_on_device != is_on_device[i]) {
      GraphSegment segment{.is_on_device = is_on_device[i], .graph = {}};
      segment.graph.name = graph.name;
      segment.graph.contract = graph.contract;
      segment.graph.tensors = graph.tensors;
      segments.push_back(std::move(segment));
    }
    segments.back().graph.operators.push_back(graph.operators[i]);
  }
  std::set<int32_t> needed_later(graph.outputs.begin(), graph.outputs.end());
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    const std::set<int32_t> inputs = read_from_outside(segment->graph);
    segment->graph.inputs.assign(inputs.begin(), inputs.end());
    for (const int32_t tensor : produced_tensors(segment->graph)) {
      if (needed_later.contains(tensor)) segment->graph.outputs.push_back(tensor);
    }
    if (!segment->graph.outputs.empty()) needed_later.insert(inputs.begin(), inputs.end());
  }
  std::erase_if(segments,
                [](const GraphSegment& segment) { return segment.graph.outputs.empty(); });
  return segments;
}

}  // namespace lockstep::conformance
