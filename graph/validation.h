// The checks behind validate(), for importers that leave to the host what they do not understand.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "graph/graph.h"

namespace lockstep::graph {

// What cannot be true of a tensor whatever the rest of the network is: its extents, its data's size
// against them, its quantization. nullopt where there is nothing.
std::optional<std::string> tensor_mistake(const Tensor& tensor);

// What the structure says without looking at what operators mean: indices, one producer a tensor,
// execution order, data sizes against shapes, quantization. kInvalidModel.
Status validate_structure(const Graph& graph);

// One operator of a structurally valid graph: operands and attributes fit, and the declared output
// shape is the one its inputs give. kInvalidModel when they contradict each other, kUnsupported
// when they go beyond what we understand. An opaque operator is always valid.
Status validate_operator(const Graph& graph, size_t operator_index);

// Makes an operator opaque, with the reason, where validate_operator() says kUnsupported, or where
// it says kInvalidModel and a shape involved is known only at run time. Other errors are returned.
Status leave_unsupported_operators_opaque(Graph& graph);

}  // namespace lockstep::graph
