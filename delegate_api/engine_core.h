// What an engine and its submitted runs share: the programs in their order, memory for the tensors
// between them, and the move from a device that fails to the host.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "backend/device.h"
#include "backend/registry.h"
#include "delegate_api/engine.h"
#include "delegate_api/partitioner.h"
#include "delegate_api/profile_trace.h"
#include "graph/graph.h"
#include "graph/status.h"

namespace lockstep::delegate {

// The tensors of one run that cross the border of a program.
struct RunTensors {
  std::vector<std::vector<std::byte>> buffers;  // by tensor; empty: not kept
  // Of each step, in its program's order.
  struct Borders {
    std::vector<std::span<const std::byte>> inputs;
    std::vector<std::span<std::byte>> outputs;
  };
  std::vector<Borders> steps;
};

// Thread-safe where not said otherwise, once prepared.
class EngineCore {
 public:
  EngineCore(const graph::Graph& graph, std::shared_ptr<backend::Device> device,
             const EngineOptions& options)
      : graph_(graph),
        device_(std::move(device)),
        host_(backend::open_host_device(options.host_threads)),
        options_(options) {}

  // Before anything else; not thread-safe.
  Status prepare();

  const graph::Graph& graph() const { return graph_; }
  size_t step_count() const { return steps_.size(); }
  // Bytes of a network input or output.
  size_t byte_size(int32_t tensor) const;

  // Inputs are zeros. Reused where some were given back.
  std::unique_ptr<RunTensors> take_tensors();
  void give_back(std::unique_ptr<RunTensors> tensors);

  // Any tensor of a run, as Engine::tensor().
  Result<std::span<const std::byte>> tensor(const RunTensors& tensors, int32_t index) const;

  // Runs one step and waits for it, on the host when the device fails.
  Status run_step(size_t step, RunTensors& tensors);

  // Starts one step, where it is a device's, without waiting. Null: it was run, as by run_step().
  struct StartedStep {
    std::shared_ptr<backend::Program> program;
    std::unique_ptr<backend::PendingRun> run;  // goes before its program
  };
  Result<StartedStep> start_step(size_t step, RunTensors& tensors);
  // Ends a step that was started; runs it on the host when the device failed.
  Status end_step(size_t step, StartedStep& started, RunTensors& tensors);

  // As the engine's; `last_run` in steps() counts run_step() only.
  std::vector<OperatorReport> operators() const;
  std::vector<StepReport> steps() const;
  EngineStatistics statistics() const;
  std::vector<std::string> problems() const;

 private:
  struct Step {
    Executor executor = Executor::kHost;
    Partition partition;
    std::vector<int32_t> inputs;   // tensors, in the program's order
    std::vector<int32_t> outputs;  // likewise
    std::shared_ptr<backend::Program> program;
    size_t profile_id = 0;
    int64_t last_run_nanoseconds = 0;
  };
  // A step's program as it is at the moment.
  struct Current {
    std::shared_ptr<backend::Program> program;
    bool is_on_device = false;
  };

  const graph::Tensor& tensor_at(int32_t index) const {
    return graph_.tensors[static_cast<size_t>(index)];
  }
  Current current(size_t step) const;
  Status compile(Step& step, backend::Device& device);
  // Moves a step whose program failed to the host, unless that was done already.
  Status move_to_host(size_t step, const backend::Program* failed, const Error& error);
  Status run_program(size_t step, const Current& current, RunTensors& tensors);
  Status recover(size_t step, const Current& failed, const Error& error, RunTensors& tensors);
  Status check_sizes() const;
  std::string profile_name(size_t step) const;
  std::vector<std::string> operator_names() const;

  const graph::Graph graph_;
  const std::shared_ptr<backend::Device> device_;
  const std::shared_ptr<backend::Device> host_;
  const EngineOptions options_;
  std::vector<std::string> unavailable_;  // by operator; empty: it is computed
  std::unique_ptr<ProfileFile> profile_;  // null unless asked for

  mutable std::mutex mutex_;          // guards what follows
  std::vector<std::string> reasons_;  // by operator: why it is not on the device
  std::vector<Step> steps_;           // their number, partitions and borders never change
  std::vector<std::string> problems_;
  std::vector<std::unique_ptr<RunTensors>> spare_tensors_;
};

}  // namespace lockstep::delegate
