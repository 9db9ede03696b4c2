#include "graph/graph.h"

namespace lockstep::graph {

std::string describe_operator(const Graph& graph, size_t operator_index) {
  const Operator& op = graph.operators[operator_index];
  std::string text = fmt::format("operator {} ({}", operator_index, printable(op.name));
  for (const int32_t output : op.outputs) {
    if (output < 0 || static_cast<size_t>(output) >= graph.tensors.size()) continue;
    text +=
        fmt::format(", output '{}'", printable(graph.tensors[static_cast<size_t>(output)].name));
    break;
  }
  return text + ")";
}

namespace {

int64_t tensor_elements(const Graph& graph, int32_t index) {
  return element_count(graph.tensors[static_cast<size_t>(index)].shape).value_or(0);
}

const Shape& input_shape(const Graph& graph, const Operator& op, size_t input) {
  return graph.tensors[static_cast<size_t>(op.inputs[input])].shape;
}

}  // namespace

int64_t multiply_accumulates(const Graph& graph, const Operator& op) {
  if (std::holds_alternative<Conv2dAttributes>(op.attributes)) {
    const Shape& weights = input_shape(graph, op, 1);
    return tensor_elements(graph, op.outputs[0]) * weights[1] * weights[2] * weights[3];
  }
  if (std::holds_alternative<DepthwiseConv2dAttributes>(op.attributes)) {
    const Shape& weights = input_shape(graph, op, 1);
    return tensor_elements(graph, op.outputs[0]) * weights[1] * weights[2];
  }
  if (std::holds_alternative<FullyConnectedAttributes>(op.attributes)) {
    return tensor_elements(graph, op.outputs[0]) * input_shape(graph, op, 1)[1];
  }
  return 0;
}

}  // namespace lockstep::graph
