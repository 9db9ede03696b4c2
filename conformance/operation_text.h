// What a lowered operator computes, in words and integers.
#pragma once

#include <string>

#include "graph/lowered_graph.h"

namespace lockstep::conformance {

// Markdown: the formula, then every parameter in it. Lists of many values are shortened.
std::string operation_text(const graph::LoweredGraph& graph, const graph::LoweredOperator& op);

}  // namespace lockstep::conformance
