#include "delegate_api/engine.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "backend/reference/reference_device.h"
#include "graph/lowering.h"

namespace lockstep::delegate {
namespace {

// What one program of the run reads and writes.
struct Step {
  Executor executor = Executor::kHost;
  Partition partition;
  std::vector<int32_t> inputs;   // tensors, in the program's order
  std::vector<int32_t> outputs;  // likewise
  std::unique_ptr<backend::Program> program;
  int64_t last_run_nanoseconds = 0;
};

// Why each operator is computed by nobody; empty: it is computed.
std::vector<std::string> find_unavailable(const graph::Graph& graph, numerics::Contract contract) {
  std::vector<bool> available(graph.tensors.size(), false);
  for (size_t index = 0; index < graph.tensors.size(); ++index) {
    available[index] = graph.tensors[index].is_constant();
  }
  for (const int32_t input : graph.inputs) {
    available[static_cast<size_t>(input)] = true;
  }
  std::vector<std::string> reasons(graph.operators.size());
  for (size_t index = 0; index < graph.operators.size(); ++index) {
    const graph::Operator& op = graph.operators[index];
    const auto missing = std::find_if(op.inputs.begin(), op.inputs.end(), [&](int32_t input) {
      return input != graph::kAbsentTensor && !available[static_cast<size_t>(input)];
    });
    if (missing != op.inputs.end()) {
      reasons[index] =
          fmt::format("its input '{}' is not available",
                      graph::printable(graph.tensors[static_cast<size_t>(*missing)].name));
    } else if (const auto lowered = graph::lower_operator(graph, index, contract); !lowered) {
      reasons[index] = stated_reason(graph, index, lowered.error());
    }
    for (const int32_t output : op.outputs) {
      if (output != graph::kAbsentTensor) {
        available[static_cast<size_t>(output)] = reasons[index].empty();
      }
    }
  }
  return reasons;
}

// The partitions in their order and, between them, the operators of the host as soon as they are
// ready, so that there are as few steps as possible.
Result<std::vector<Step>> schedule(const graph::Graph& graph, Partitioning partitioning,
                                   const std::vector<std::string>& unavailable) {
  std::vector<bool> pending(graph.tensors.size(), false);
  std::vector<size_t> waiting;  // operators of the host
  for (size_t index = 0; index < graph.operators.size(); ++index) {
    if (!unavailable[index].empty()) {
      continue;
    }
    for (const int32_t output : graph.operators[index].outputs) {
      pending[static_cast<size_t>(output)] = true;
    }
    if (partitioning.decisions[index].partition < 0) {
      waiting.push_back(index);
    }
  }
  const auto is_ready = [&](const std::vector<int32_t>& inputs) {
    return std::none_of(inputs.begin(), inputs.end(), [&](int32_t input) {
      return input != graph::kAbsentTensor && pending[static_cast<size_t>(input)];
    });
  };
  const auto mark_done = [&](size_t index) {
    for (const int32_t output : graph.operators[index].outputs) {
      pending[static_cast<size_t>(output)] = false;
    }
  };

  std::vector<Step> steps;
  for (size_t next = 0; next < partitioning.partitions.size() || !waiting.empty();) {
    std::vector<size_t> ready;
    std::erase_if(waiting, [&](size_t index) {
      const bool runs_now = is_ready(graph.operators[index].inputs);
      if (runs_now) {
        ready.push_back(index);
        mark_done(index);
      }
      return runs_now;
    });
    const bool host_moved = !ready.empty();
    if (host_moved) {
      steps.push_back({.executor = Executor::kHost,
                       .partition = make_partition(graph, std::move(ready)),
                       .inputs = {},
                       .outputs = {},
                       .program = nullptr});
    }
    if (next < partitioning.partitions.size() && is_ready(partitioning.partitions[next].inputs)) {
      for (const size_t index : partitioning.partitions[next].operators) {
        mark_done(index);
      }
      steps.push_back({.executor = Executor::kDevice,
                       .partition = std::move(partitioning.partitions[next]),
                       .inputs = {},
                       .outputs = {},
                       .program = nullptr});
      ++next;
    } else if (!host_moved) {
      return make_error(ErrorCode::kInternal, "'{}': partitions wait for each other", graph.name);
    }
  }
  return steps;
}

class ScheduledEngine : public Engine {
 public:
  ScheduledEngine(const graph::Graph& graph, std::shared_ptr<backend::Device> device,
                  const EngineOptions& options)
      : graph_(graph), device_(std::move(device)), options_(options) {}

  Status prepare();

  const graph::Graph& graph() const override { return graph_; }
  Status set_input(size_t index, std::span<const std::byte> bytes) override;
  Status run() override;
  Result<std::span<const std::byte>> output(size_t index) const override;
  Result<std::span<const std::byte>> tensor(int32_t tensor) const override;
  std::vector<OperatorReport> operators() const override;
  std::vector<StepReport> steps() const override;
  EngineStatistics statistics() const override;
  const std::vector<std::string>& problems() const override { return problems_; }

 private:
  const graph::Tensor& tensor_at(int32_t index) const {
    return graph_.tensors[static_cast<size_t>(index)];
  }
  std::span<std::byte> buffer_at(int32_t index) { return buffers_[static_cast<size_t>(index)]; }

  Status compile(Step& step, backend::Device& device);
  // Moves a step that the device failed at to host_ref.
  Status move_to_host(Step& step, const Error& error);
  Status run_program(Step& step);
  Status allocate(int32_t tensor);

  graph::Graph graph_;
  std::shared_ptr<backend::Device> device_;
  std::shared_ptr<backend::Device> host_ = backend::reference::open_device();
  EngineOptions options_;
  std::vector<std::string> unavailable_;  // by operator; empty: it is computed
  std::vector<std::string> reasons_;      // by operator: why it is not on the device
  std::vector<Step> steps_;
  std::vector<std::vector<std::byte>> buffers_;  // by tensor; empty: not kept
  std::vector<std::string> problems_;
};

Status ScheduledEngine::prepare() {
  if (const Status checked = check_partition_options(graph_, options_.partition); !checked) {
    return checked;
  }
  unavailable_ = find_unavailable(graph_, options_.partition.contract);
  Partitioning partitioning;
  if (device_) {
    partitioning = partition_graph(graph_, *device_, options_.partition, unavailable_);
  } else {
    partitioning.decisions.assign(graph_.operators.size(), {-1, "no device was given"});
  }
  for (size_t index = 0; index < graph_.operators.size(); ++index) {
    reasons_.push_back(unavailable_[index].empty() ? partitioning.decisions[index].reason
                                                   : unavailable_[index]);
  }
  auto steps = schedule(graph_, std::move(partitioning), unavailable_);
  if (!steps) {
    return tl::unexpected(steps.error());
  }
  steps_ = *std::move(steps);

  buffers_.resize(graph_.tensors.size());
  for (const int32_t input : graph_.inputs) {
    if (const Status allocated = allocate(input); !allocated) {
      return allocated;
    }
  }
  for (Step& step : steps_) {
    if (options_.keep_all_tensors) {
      step.partition.outputs.clear();
      for (const size_t index : step.partition.operators) {
        const std::vector<int32_t>& outputs = graph_.operators[index].outputs;
        step.partition.outputs.insert(step.partition.outputs.end(), outputs.begin(), outputs.end());
      }
    }
    Status compiled = compile(step, step.executor == Executor::kDevice ? *device_ : *host_);
    if (!compiled && step.executor == Executor::kDevice) {
      compiled = move_to_host(step, compiled.error());
    }
    if (!compiled) {
      return compiled;
    }
    for (const int32_t output : step.outputs) {
      if (const Status allocated = allocate(output); !allocated) {
        return allocated;
      }
    }
  }
  return {};
}

Status ScheduledEngine::allocate(int32_t tensor) {
  const graph::Tensor& described = tensor_at(tensor);
  const size_t element_size = graph::data_type_size(described.type);
  const auto count = graph::element_count(described.shape);
  if (!count) {
    return make_error(ErrorCode::kInvalidModel, "'{}': tensor '{}' has the impossible shape {}",
                      graph_.name, graph::printable(described.name),
                      graph::shape_to_string(described.shape));
  }
  buffers_[static_cast<size_t>(tensor)].resize(static_cast<size_t>(*count) * element_size);
  return {};
}

Status ScheduledEngine::compile(Step& step, backend::Device& device) {
  const auto lowered = lower_partition(graph_, step.partition, options_.partition.contract);
  if (!lowered) {
    return tl::unexpected(lowered.error());
  }
  auto program = device.compile(*lowered);
  if (!program) {
    return tl::unexpected(program.error());
  }
  step.program = *std::move(program);
  step.inputs = lowered->inputs;
  step.outputs = lowered->outputs;
  return {};
}

Status ScheduledEngine::move_to_host(Step& step, const Error& error) {
  const std::string reason =
      fmt::format("'{}' gave up: {}", device_->description().name, error.message);
  problems_.push_back(reason);
  for (const size_t index : step.partition.operators) {
    reasons_[index] = reason;
  }
  step.executor = Executor::kHost;
  return compile(step, *host_);
}

Status ScheduledEngine::set_input(size_t index, std::span<const std::byte> bytes) {
  if (index >= graph_.inputs.size()) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' has {} inputs, there is no input {}",
                      graph_.name, graph_.inputs.size(), index);
  }
  const int32_t tensor = graph_.inputs[index];
  const std::span<std::byte> buffer = buffer_at(tensor);
  if (bytes.size() != buffer.size()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "input {} of '{}' ('{}', {} {}) takes {} bytes, got {}", index, graph_.name,
                      graph::printable(tensor_at(tensor).name),
                      graph::data_type_name(tensor_at(tensor).type),
                      graph::shape_to_string(tensor_at(tensor).shape), buffer.size(), bytes.size());
  }
  if (!bytes.empty()) {
    std::memcpy(buffer.data(), bytes.data(), bytes.size());
  }
  return {};
}

Status ScheduledEngine::run_program(Step& step) {
  std::vector<std::span<const std::byte>> inputs;
  for (const int32_t input : step.inputs) {
    inputs.push_back(buffer_at(input));
  }
  std::vector<std::span<std::byte>> outputs;
  for (const int32_t output : step.outputs) {
    outputs.push_back(buffer_at(output));
  }
  return step.program->run(inputs, outputs);
}

Status ScheduledEngine::run() {
  for (Step& step : steps_) {
    const auto start = std::chrono::steady_clock::now();
    Status done = run_program(step);
    if (!done && step.executor == Executor::kDevice) {
      done = move_to_host(step, done.error()).and_then([&] { return run_program(step); });
    }
    if (!done) {
      return done;
    }
    step.last_run_nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(
                                    std::chrono::steady_clock::now() - start)
                                    .count();
  }
  return {};
}

Result<std::span<const std::byte>> ScheduledEngine::output(size_t index) const {
  if (index >= graph_.outputs.size()) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' has {} outputs, there is no output {}",
                      graph_.name, graph_.outputs.size(), index);
  }
  return tensor(graph_.outputs[index]);
}

Result<std::span<const std::byte>> ScheduledEngine::tensor(int32_t tensor) const {
  if (tensor < 0 || static_cast<size_t>(tensor) >= graph_.tensors.size()) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' has {} tensors, there is no tensor {}",
                      graph_.name, graph_.tensors.size(), tensor);
  }
  const graph::Tensor& described = tensor_at(tensor);
  if (described.is_constant()) {
    return described.data;
  }
  const std::vector<std::byte>& buffer = buffers_[static_cast<size_t>(tensor)];
  if (!buffer.empty()) {
    return std::span<const std::byte>(buffer);
  }
  for (size_t index = 0; index < graph_.operators.size(); ++index) {
    const std::vector<int32_t>& outputs = graph_.operators[index].outputs;
    if (!unavailable_[index].empty() &&
        std::find(outputs.begin(), outputs.end(), tensor) != outputs.end()) {
      return make_error(ErrorCode::kUnsupported, "'{}' is unavailable, {}: {}",
                        graph::printable(described.name), graph::describe_operator(graph_, index),
                        unavailable_[index]);
    }
  }
  if (graph::element_count(described.shape) == 0) {
    return std::span<const std::byte>();
  }
  return make_error(ErrorCode::kInvalidArgument,
                    "'{}' of '{}' was not kept; ask for all tensors when the engine is made",
                    graph::printable(described.name), graph_.name);
}

std::vector<OperatorReport> ScheduledEngine::operators() const {
  std::vector<OperatorReport> reports(graph_.operators.size());
  for (size_t index = 0; index < reports.size(); ++index) {
    const graph::Operator& op = graph_.operators[index];
    reports[index].name = op.name;
    if (!op.outputs.empty() && op.outputs.front() != graph::kAbsentTensor) {
      reports[index].output_name = tensor_at(op.outputs.front()).name;
    }
    reports[index].reason = reasons_[index];
  }
  for (size_t step = 0; step < steps_.size(); ++step) {
    for (const size_t index : steps_[step].partition.operators) {
      reports[index].executor = steps_[step].executor;
      reports[index].step = static_cast<int32_t>(step);
    }
    for (const backend::OperatorPlacement& placement : steps_[step].program->placements()) {
      reports[static_cast<size_t>(placement.source_operator)].variant = placement.variant;
    }
  }
  return reports;
}

std::vector<StepReport> ScheduledEngine::steps() const {
  std::vector<StepReport> reports;
  for (const Step& step : steps_) {
    reports.push_back({.executor = step.executor,
                       .operators = step.partition.operators,
                       .statistics = step.program->statistics(),
                       .last_run_nanoseconds = step.last_run_nanoseconds});
  }
  return reports;
}

EngineStatistics ScheduledEngine::statistics() const {
  EngineStatistics total;
  for (const Step& step : steps_) {
    const auto count = std::ssize(step.partition.operators);
    if (step.executor != Executor::kDevice) {
      total.host_operators += count;
      continue;
    }
    total.device_operators += count;
    ++total.partitions;
    const backend::ProgramStatistics program = step.program->statistics();
    total.device.dispatches += program.dispatches;
    total.device.pipelines += program.pipelines;
    total.device.constant_bytes += program.constant_bytes;
    total.device.arena_bytes += program.arena_bytes;
    total.device.arena_lower_bound += program.arena_lower_bound;
  }
  total.unavailable_operators =
      std::ssize(graph_.operators) - total.device_operators - total.host_operators;
  return total;
}

}  // namespace

std::string_view executor_name(Executor executor) {
  switch (executor) {
    case Executor::kDevice:
      return "device";
    case Executor::kHost:
      return "host";
    case Executor::kNobody:
      return "nobody";
  }
  return "unknown";
}

Result<std::unique_ptr<Engine>> Engine::create(const graph::Graph& graph,
                                               std::shared_ptr<backend::Device> device,
                                               const EngineOptions& options) {
  auto engine = std::make_unique<ScheduledEngine>(graph, std::move(device), options);
  if (const Status prepared = engine->prepare(); !prepared) {
    return tl::unexpected(prepared.error());
  }
  return engine;
}

}  // namespace lockstep::delegate
