#include "delegate_api/engine_core.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "delegate_api/engine_schedule.h"

namespace lockstep::delegate {

Status EngineCore::prepare() {
  if (const Status checked = check_partition_options(graph_, options_.partition); !checked) {
    return checked;
  }
  if (!options_.profile.empty()) {
    auto profile = ProfileFile::create(options_.profile);
    if (!profile) {
      return tl::unexpected(profile.error());
    }
    profile_ = *std::move(profile);
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
  auto scheduled = schedule(graph_, std::move(partitioning), unavailable_);
  if (!scheduled) {
    return tl::unexpected(scheduled.error());
  }
  for (ScheduledProgram& program : *scheduled) {
    Step& step = steps_.emplace_back();
    step.executor = program.is_on_device ? Executor::kDevice : Executor::kHost;
    step.partition = std::move(program.partition);
    if (options_.keep_all_tensors) {
      step.partition.outputs.clear();
      for (const size_t index : step.partition.operators) {
        const std::vector<int32_t>& outputs = graph_.operators[index].outputs;
        step.partition.outputs.insert(step.partition.outputs.end(), outputs.begin(), outputs.end());
      }
    }
    Status compiled = compile(step, program.is_on_device ? *device_ : *host_);
    if (!compiled && program.is_on_device) {
      compiled = move_to_host(steps_.size() - 1, nullptr, compiled.error());
    }
    if (!compiled) {
      return compiled;
    }
    if (profile_ && step.executor == Executor::kDevice) {
      step.profile_id = profile_->add_program(profile_name(steps_.size() - 1), operator_names());
    }
  }
  return check_sizes();
}

std::string EngineCore::profile_name(size_t step) const {
  return fmt::format("'{}' step {} on '{}'", graph::printable(graph_.name), step,
                     device_->description().name);
}

std::vector<std::string> EngineCore::operator_names() const {
  std::vector<std::string> names;
  for (size_t index = 0; index < graph_.operators.size(); ++index) {
    names.push_back(graph::describe_operator(graph_, index));
  }
  return names;
}

// Every tensor that runs need memory for has a size.
Status EngineCore::check_sizes() const {
  const auto check = [&](int32_t tensor) -> Status {
    if (graph::element_count(tensor_at(tensor).shape)) {
      return {};
    }
    return make_error(ErrorCode::kInvalidModel, "'{}': tensor '{}' has the impossible shape {}",
                      graph_.name, graph::printable(tensor_at(tensor).name),
                      graph::shape_to_string(tensor_at(tensor).shape));
  };
  for (const int32_t input : graph_.inputs) {
    if (Status checked = check(input); !checked) {
      return checked;
    }
  }
  for (const Step& step : steps_) {
    for (const int32_t output : step.outputs) {
      if (Status checked = check(output); !checked) {
        return checked;
      }
    }
  }
  return {};
}

size_t EngineCore::byte_size(int32_t tensor) const {
  const graph::Tensor& described = tensor_at(tensor);
  return static_cast<size_t>(graph::element_count(described.shape).value_or(0)) *
         graph::data_type_size(described.type);
}

std::unique_ptr<RunTensors> EngineCore::take_tensors() {
  {
    const std::lock_guard lock(mutex_);
    if (!spare_tensors_.empty()) {
      auto tensors = std::move(spare_tensors_.back());
      spare_tensors_.pop_back();
      return tensors;
    }
  }
  auto tensors = std::make_unique<RunTensors>();
  tensors->buffers.resize(graph_.tensors.size());
  const auto buffer = [&](int32_t tensor) -> std::vector<std::byte>& {
    return tensors->buffers[static_cast<size_t>(tensor)];
  };
  for (const int32_t input : graph_.inputs) {
    buffer(input).resize(byte_size(input));
  }
  for (const Step& step : steps_) {
    for (const int32_t output : step.outputs) {
      buffer(output).resize(byte_size(output));
    }
  }
  for (const Step& step : steps_) {
    RunTensors::Borders& borders = tensors->steps.emplace_back();
    for (const int32_t input : step.inputs) {
      borders.inputs.emplace_back(buffer(input));
    }
    for (const int32_t output : step.outputs) {
      borders.outputs.emplace_back(buffer(output));
    }
  }
  return tensors;
}

void EngineCore::give_back(std::unique_ptr<RunTensors> tensors) {
  const std::lock_guard lock(mutex_);
  spare_tensors_.push_back(std::move(tensors));
}

Status EngineCore::compile(Step& step, backend::Device& device) {
  const auto lowered = lower_partition(graph_, step.partition, options_.partition.contract);
  if (!lowered) {
    return tl::unexpected(lowered.error());
  }
  backend::CompileOptions options = options_.compile;
  options.profile |= profile_ != nullptr;
  auto program = device.compile(*lowered, options);
  if (!program) {
    return tl::unexpected(program.error());
  }
  step.program = *std::move(program);
  if (step.outputs.empty()) {  // whatever the device, it is the same program
    step.inputs = lowered->inputs;
    step.outputs = lowered->outputs;
  }
  return {};
}

Status EngineCore::move_to_host(size_t index, const backend::Program* failed, const Error& error) {
  const std::lock_guard lock(mutex_);
  Step& step = steps_[index];
  if (step.program.get() != failed) {
    return {};
  }
  const std::string reason =
      fmt::format("'{}' gave up: {}", device_->description().name, error.message);
  problems_.push_back(reason);
  for (const size_t op : step.partition.operators) {
    reasons_[op] = reason;
  }
  step.executor = Executor::kHost;
  return compile(step, *host_);
}

EngineCore::Current EngineCore::current(size_t step) const {
  const std::lock_guard lock(mutex_);
  return {steps_[step].program, steps_[step].executor == Executor::kDevice};
}

Status EngineCore::run_program(size_t step, const Current& current, RunTensors& tensors) {
  RunTensors::Borders& borders = tensors.steps[step];
  if (profile_ && current.is_on_device) {
    return profile_->run(steps_[step].profile_id, *current.program, borders.inputs,
                         borders.outputs);
  }
  return current.program->run(borders.inputs, borders.outputs);
}

Status EngineCore::recover(size_t step, const Current& failed, const Error& error,
                           RunTensors& tensors) {
  if (!failed.is_on_device) {
    return tl::unexpected(error);
  }
  return move_to_host(step, failed.program.get(), error).and_then([&] {
    return run_program(step, current(step), tensors);
  });
}

Status EngineCore::run_step(size_t step, RunTensors& tensors) {
  const auto start = std::chrono::steady_clock::now();
  const Current program = current(step);
  Status done = run_program(step, program, tensors);
  if (!done) {
    done = recover(step, program, done.error(), tensors);
  }
  const auto elapsed = std::chrono::steady_clock::now() - start;
  const std::lock_guard lock(mutex_);
  steps_[step].last_run_nanoseconds =
      std::chrono::duration_cast<std::chrono::nanoseconds>(elapsed).count();
  return done;
}

Result<EngineCore::StartedStep> EngineCore::start_step(size_t step, RunTensors& tensors) {
  const Current program = current(step);
  StartedStep started;
  RunTensors::Borders& borders = tensors.steps[step];
  if (program.is_on_device) {
    auto run = program.program->submit(borders.inputs, borders.outputs);
    if (run) {
      started.program = program.program;
      started.run = *std::move(run);
      return started;
    }
    if (Status done = recover(step, program, run.error(), tensors); !done) {
      return tl::unexpected(done.error());
    }
    return started;
  }
  if (Status done = program.program->run(borders.inputs, borders.outputs); !done) {
    return tl::unexpected(done.error());
  }
  return started;
}

Status EngineCore::end_step(size_t step, StartedStep& started, RunTensors& tensors) {
  const Status done = started.run->wait();
  const Current program{std::exchange(started, {}).program, true};
  return done ? done : recover(step, program, done.error(), tensors);
}

Result<std::span<const std::byte>> EngineCore::tensor(const RunTensors& tensors,
                                                      int32_t tensor) const {
  if (tensor < 0 || static_cast<size_t>(tensor) >= graph_.tensors.size()) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' has {} tensors, there is no tensor {}",
                      graph_.name, graph_.tensors.size(), tensor);
  }
  const graph::Tensor& described = tensor_at(tensor);
  if (described.is_constant()) {
    return described.data;
  }
  const std::vector<std::byte>& buffer = tensors.buffers[static_cast<size_t>(tensor)];
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

std::vector<OperatorReport> EngineCore::operators() const {
  const std::lock_guard lock(mutex_);
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

std::vector<StepReport> EngineCore::steps() const {
  const std::lock_guard lock(mutex_);
  std::vector<StepReport> reports;
  for (const Step& step : steps_) {
    reports.push_back({.executor = step.executor,
                       .operators = step.partition.operators,
                       .statistics = step.program->statistics(),
                       .last_run_nanoseconds = step.last_run_nanoseconds});
  }
  return reports;
}

EngineStatistics EngineCore::statistics() const {
  const std::lock_guard lock(mutex_);
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

std::vector<std::string> EngineCore::problems() const {
  const std::lock_guard lock(mutex_);
  return problems_;
}

}  // namespace lockstep::delegate
