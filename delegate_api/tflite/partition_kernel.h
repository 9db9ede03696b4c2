// One partition inside a TFLite host: compiled for the device whenever its input shapes change,
// moved to the host for good when the device fails. Knows nothing of the host's ABI.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/device.h"
#include "delegate_api/profile_trace.h"
#include "graph/graph.h"
#include "graph/status.h"
#include "numerics/contract.h"

namespace lockstep::delegate {

// Gives the graph's inputs new shapes, in the order of graph.inputs, all at once, and carries them
// through its operators. On failure the graph is left half changed.
Status propagate_shapes(graph::Graph& graph, std::span<const graph::Shape> input_shapes);

// Not thread-safe.
class PartitionKernel {
 public:
  // `partition` is a graph of its own (extract_subgraph). `compile`: how the device compiles it.
  // `profile`: where runs say where their time went; null: nowhere.
  PartitionKernel(graph::Graph partition, std::shared_ptr<backend::Device> device,
                  numerics::Contract contract, backend::CompileOptions compile = {},
                  std::shared_ptr<ProfileFile> profile = nullptr);

  // With the shapes that the last prepare() gave the tensors.
  const graph::Graph& graph() const { return graph_; }

  // Takes the shapes of graph().inputs and compiles unless that was already done for them. A device
  // that cannot compile is given up.
  Status prepare(std::span<const graph::Shape> input_shapes);

  // One inference: dense bytes of graph().inputs and graph().outputs. After prepare().
  Status run(std::span<const std::span<const std::byte>> inputs,
             std::span<const std::span<std::byte>> outputs);

  // Why the device was given up; empty as long as it was not.
  const std::string& device_failure() const { return device_failure_; }

  // Of the compiled program; empty before prepare().
  std::vector<backend::OperatorPlacement> placements() const;
  backend::ProgramStatistics statistics() const;

 private:
  Status compile();
  Status compile_for(backend::Device& device);
  // Compiles for the host from now on.
  Status give_up_device(const Error& error);
  Status run_program(std::span<const std::span<std::byte>> outputs);

  graph::Graph graph_;
  std::shared_ptr<backend::Device> device_;
  numerics::Contract contract_;
  backend::CompileOptions compile_options_;
  std::unique_ptr<backend::Program> program_;
  std::vector<size_t> program_inputs_;                   // positions in graph_.inputs
  std::vector<std::span<const std::byte>> used_inputs_;  // of the run at hand
  std::shared_ptr<ProfileFile> profile_;
  size_t profile_id_ = 0;
  std::string device_failure_;
};

}  // namespace lockstep::delegate
