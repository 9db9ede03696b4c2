#include "delegate_api/engine.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "delegate_api/engine_core.h"

namespace lockstep::delegate {
namespace {

// A run goes from step to step whenever somebody polls or waits.
class SubmittedRun final : public EngineRun {
 public:
  SubmittedRun(std::shared_ptr<EngineCore> core, std::span<const std::span<std::byte>> outputs)
      : core_(std::move(core)),
        tensors_(core_->take_tensors()),
        outputs_(outputs.begin(), outputs.end()) {}

  ~SubmittedRun() override {
    static_cast<void>(wait());
    core_->give_back(std::move(tensors_));
  }

  Status start(std::span<const std::span<const std::byte>> inputs) {
    const std::lock_guard lock(mutex_);
    for (size_t i = 0; i < inputs.size(); ++i) {
      const int32_t tensor = core_->graph().inputs[i];
      std::ranges::copy(inputs[i], tensors_->buffers[static_cast<size_t>(tensor)].begin());
    }
    advance(/*waits=*/false);
    return is_over_ ? status_ : Status{};
  }

  bool poll() override {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) {
      return false;  // somebody takes care of it
    }
    advance(/*waits=*/false);
    return is_over_;
  }

  Status wait() override {
    const std::lock_guard lock(mutex_);
    advance(/*waits=*/true);
    return status_;
  }

 private:
  void advance(bool waits) {
    while (!is_over_) {
      if (step_ == core_->step_count()) {
        finish(copy_outputs());
      } else if (!started_.run) {
        start_step();
      } else if (waits || started_.run->poll()) {
        end_step(core_->end_step(step_, started_, *tensors_));
      } else {
        return;
      }
    }
  }

  void start_step() {
    auto started = core_->start_step(step_, *tensors_);
    if (!started) {
      finish(tl::unexpected(started.error()));
      return;
    }
    started_ = *std::move(started);
    if (!started_.run) {
      ++step_;
    }
  }

  void end_step(Status status) {
    if (status) {
      ++step_;
    } else {
      finish(std::move(status));
    }
  }

  Status copy_outputs() const {
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (outputs_[i].empty()) {
        continue;
      }
      const auto contents = core_->tensor(*tensors_, core_->graph().outputs[i]);
      if (!contents) {
        return tl::unexpected(contents.error());
      }
      std::ranges::copy(*contents, outputs_[i].begin());
    }
    return {};
  }

  void finish(Status status) {
    status_ = std::move(status);
    is_over_ = true;
  }

  const std::shared_ptr<EngineCore> core_;
  std::mutex mutex_;  // guards what follows
  std::unique_ptr<RunTensors> tensors_;
  std::vector<std::span<std::byte>> outputs_;
  size_t step_ = 0;
  EngineCore::StartedStep started_;  // of step_; null: that is to be started
  bool is_over_ = false;
  Status status_;
};

class ScheduledEngine final : public Engine {
 public:
  explicit ScheduledEngine(std::shared_ptr<EngineCore> core)
      : core_(std::move(core)), tensors_(core_->take_tensors()) {}

  const graph::Graph& graph() const override { return core_->graph(); }
  Status set_input(size_t index, std::span<const std::byte> bytes) override;
  Result<std::span<std::byte>> input_memory(size_t index) override;
  Result<std::unique_ptr<EngineRun>> submit(std::span<const std::span<const std::byte>> inputs,
                                            std::span<const std::span<std::byte>> outputs) override;
  Status run() override;
  Result<std::span<const std::byte>> output(size_t index) const override;
  Result<std::span<const std::byte>> tensor(int32_t tensor) const override {
    return core_->tensor(*tensors_, tensor);
  }
  std::vector<OperatorReport> operators() const override { return core_->operators(); }
  std::vector<StepReport> steps() const override { return core_->steps(); }
  EngineStatistics statistics() const override { return core_->statistics(); }
  std::vector<std::string> problems() const override { return core_->problems(); }

 private:
  const graph::Tensor& tensor_at(int32_t index) const {
    return graph().tensors[static_cast<size_t>(index)];
  }
  Status check_input(size_t index, size_t bytes) const;
  Status check_output(size_t index, size_t bytes) const;

  std::shared_ptr<EngineCore> core_;
  std::unique_ptr<RunTensors> tensors_;  // of run()
};

Result<std::span<std::byte>> ScheduledEngine::input_memory(size_t index) {
  if (index >= graph().inputs.size()) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' has {} inputs, there is no input {}",
                      graph().name, graph().inputs.size(), index);
  }
  return std::span(tensors_->buffers[static_cast<size_t>(graph().inputs[index])]);
}

Status ScheduledEngine::check_input(size_t index, size_t bytes) const {
  const int32_t tensor = graph().inputs[index];
  if (bytes != core_->byte_size(tensor)) {
    return make_error(
        ErrorCode::kInvalidArgument, "input {} of '{}' ('{}', {} {}) takes {} bytes, got {}", index,
        graph().name, graph::printable(tensor_at(tensor).name),
        graph::data_type_name(tensor_at(tensor).type),
        graph::shape_to_string(tensor_at(tensor).shape), core_->byte_size(tensor), bytes);
  }
  return {};
}

Status ScheduledEngine::set_input(size_t index, std::span<const std::byte> bytes) {
  const auto memory = input_memory(index);
  if (!memory) {
    return tl::unexpected(memory.error());
  }
  if (Status checked = check_input(index, bytes.size()); !checked) {
    return checked;
  }
  if (!bytes.empty()) {
    std::memcpy(memory->data(), bytes.data(), bytes.size());
  }
  return {};
}

Status ScheduledEngine::check_output(size_t index, size_t bytes) const {
  const int32_t tensor = graph().outputs[index];
  if (bytes == 0) {
    return {};
  }
  // Whether anybody computes it.
  if (const auto contents = core_->tensor(*tensors_, tensor); !contents) {
    return tl::unexpected(contents.error());
  }
  if (bytes != core_->byte_size(tensor)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "output {} of '{}' ('{}') has {} bytes; room for {} was given", index,
                      graph().name, graph::printable(tensor_at(tensor).name),
                      core_->byte_size(tensor), bytes);
  }
  return {};
}

Result<std::unique_ptr<EngineRun>> ScheduledEngine::submit(
    std::span<const std::span<const std::byte>> inputs,
    std::span<const std::span<std::byte>> outputs) {
  if (inputs.size() != graph().inputs.size() || outputs.size() != graph().outputs.size()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' has {} inputs and {} outputs; {} and {} were given", graph().name,
                      graph().inputs.size(), graph().outputs.size(), inputs.size(), outputs.size());
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (Status checked = check_input(i, inputs[i].size()); !checked) {
      return tl::unexpected(checked.error());
    }
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (Status checked = check_output(i, outputs[i].size()); !checked) {
      return tl::unexpected(checked.error());
    }
  }
  auto run = std::make_unique<SubmittedRun>(core_, outputs);
  if (Status started = run->start(inputs); !started) {
    return tl::unexpected(started.error());
  }
  return run;
}

Status ScheduledEngine::run() {
  for (size_t step = 0; step < core_->step_count(); ++step) {
    if (Status done = core_->run_step(step, *tensors_); !done) {
      return done;
    }
  }
  return {};
}

Result<std::span<const std::byte>> ScheduledEngine::output(size_t index) const {
  if (index >= graph().outputs.size()) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' has {} outputs, there is no output {}",
                      graph().name, graph().outputs.size(), index);
  }
  return tensor(graph().outputs[index]);
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
  auto core = std::make_shared<EngineCore>(graph, std::move(device), options);
  if (const Status prepared = core->prepare(); !prepared) {
    return tl::unexpected(prepared.error());
  }
  return std::make_unique<ScheduledEngine>(std::move(core));
}

}  // namespace lockstep::delegate
