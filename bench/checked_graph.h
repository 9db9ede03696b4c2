// A lowered graph of one input and one output with what every device must make of it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "bench/timed_program.h"
#include "graph/graph.h"
#include "graph/lowered_graph.h"
#include "graph/status.h"

namespace lockstep::bench {

struct CheckedGraph {
  graph::LoweredGraph graph;
  std::vector<std::byte> input;     // random, the same for the same size
  std::vector<std::byte> expected;  // what host_ref makes of it

  // Lowered for the contract tflite.
  static Result<CheckedGraph> create(const graph::Graph& graph);

  // Compiles it with one kernel (empty: the device's choice), runs it once and compares: kInternal,
  // with the first difference, where the result is wrong.
  Result<TimedProgram> compile(backend::Device& device, const std::string& kernel,
                               TimedProgram::What what) const;
};

}  // namespace lockstep::bench
