// Small valid networks, one for each operator and option that the graph can hold.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace lockstep::graph::testing {

// Named for what they show ("CONV_2D grouped, dilated"). 8-bit throughout, except where the
// operator is about floats. All can be written as files; weights count up from fixed values,
// nothing is random.
std::vector<Graph> sample_graphs();

// Two convolutions, a residual addition, a mean and a classifier: what a real network looks like.
Graph sample_network();

}  // namespace lockstep::graph::testing
