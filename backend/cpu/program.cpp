#include "backend/cpu/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <new>
#include <optional>
#include <utility>
#include <variant>

#include "backend/cpu/aligned_memory.h"
#include "backend/cpu/integer_division.h"
#include "backend/cpu/memory_plan.h"
#include "backend/cpu/operations.h"
#include "backend/cpu/round_to_nearest.h"

namespace lockstep::backend::cpu {
namespace {

using Clock = std::chrono::steady_clock;
using graph::DataType;
using graph::LoweredGraph;

// What guards and their surroundings hold: see CompileOptions::guard_memory.
constexpr auto kGuard = static_cast<std::byte>(0xc9);

double microseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

// From a host's bytes to the byte domain or back: int8 changes by 128, which flips the sign bit.
void convert_bytes(DataType type, const std::byte* from, size_t bytes, std::byte* to) {
  if (type == DataType::kInt8) {
    std::transform(from, from + bytes, to, [](std::byte value) { return value ^ std::byte{0x80}; });
  } else if (bytes > 0) {
    std::memcpy(to, from, bytes);
  }
}

// What a constant operand takes, with its slack.
int64_t constant_bytes(const graph::LoweredTensor& tensor) {
  const auto bytes = static_cast<int64_t>(tensor.constant.size()) + kReadSlack;
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// A constant operand: 8-bit ones are in the stored domain.
void convert_constant(const graph::LoweredTensor& tensor, std::byte* to) {
  const bool is_8_bit = tensor.type == DataType::kInt8 || tensor.type == DataType::kUint8;
  convert_bytes(is_8_bit ? DataType::kInt8 : tensor.type, tensor.constant.data(),
                tensor.constant.size(), to);
}

// What one run works on.
struct Context {
  AlignedArray<std::byte> arena;
  AlignedArray<std::byte> scratch;  // scratch_stride bytes for each worker
  std::vector<std::byte*> tensors;  // by tensor
};

constexpr const char* kInPlace = "in place";

// Whether its output is its input under another name.
bool is_in_place(const graph::LoweredOperator& op, const MemoryPlan& plan) {
  return std::holds_alternative<graph::LoweredReshape>(op.operation) &&
         !plan.is_root(graph::operation_output(op.operation));
}

class CpuProgram final : public Program {
 public:
  CpuProgram(const LoweredGraph& graph, std::shared_ptr<ThreadPool> pool,
             const CompileOptions& options)
      : name_(graph.name),
        pool_(std::move(pool)),
        options_(options),
        plan_(plan_memory(graph, options.guard_memory)) {
    options_.runs_in_flight = std::max(options_.runs_in_flight, 1);
    for (const auto* list : {&graph.inputs, &graph.outputs}) {
      auto& borders = list == &graph.inputs ? inputs_ : outputs_;
      for (const int32_t tensor : *list) {
        const graph::LoweredTensor& described = graph.tensors[static_cast<size_t>(tensor)];
        borders.push_back({tensor, described.type, plan_.bytes[static_cast<size_t>(tensor)],
                           graph::printable(described.name)});
      }
    }
    constants_.resize(graph.tensors.size());
    for (size_t i = 0; i < graph.tensors.size(); ++i) {
      const graph::LoweredTensor& tensor = graph.tensors[i];
      if (tensor.constant.empty()) continue;
      constants_[i] = AlignedArray<std::byte>(static_cast<size_t>(constant_bytes(tensor)));
      convert_constant(tensor, constants_[i].data());
      statistics_.constant_bytes += constants_[i].bytes();
    }
    statistics_.arena_bytes = plan_.arena_bytes;
    statistics_.arena_lower_bound = plan_.arena_lower_bound;
  }

  Status prepare(const LoweredGraph& graph, const Target& target) {
    for (const Border& output : outputs_) {
      const auto tensor = static_cast<size_t>(output.tensor);
      if (plan_.offsets[tensor] < 0 && constants_[tensor].bytes() == 0) {
        return make_error(ErrorCode::kInvalidArgument, "{}: nothing fills its output '{}'", name_,
                          output.name);
      }
    }
    for (const graph::LoweredOperator& op : graph.operators) {
      Step step;
      step.source_operator = op.source_operator;
      const int32_t output = graph::operation_output(op.operation);
      if (is_in_place(op, plan_)) {
        step.variant = kInPlace;
      } else {
        auto operation = prepare_operation(graph, op, target);
        if (!operation) return tl::unexpected(operation.error());
        step.operation = *std::move(operation);
        step.variant = step.operation->variant();
        statistics_.constant_bytes += step.operation->constant_bytes();
        ++statistics_.dispatches;
        if (step.operation->tasks() > 1) parallel_tasks_ += step.operation->tasks();
        scratch_stride_ = std::max(scratch_stride_, step.operation->scratch_bytes());
      }
      for (const int32_t input : graph::operation_inputs(op.operation)) {
        step.bytes_read += plan_.bytes[static_cast<size_t>(input)];
      }
      step.bytes_read += step.operation ? step.operation->constant_bytes() : 0;
      step.bytes_written = plan_.bytes[static_cast<size_t>(output)];
      steps_.push_back(std::move(step));
    }
    // Workers do not share a line.
    scratch_stride_ = round_up(scratch_stride_, kAlignment);
    try {
      contexts_.push_back(make_context());
    } catch (const std::bad_alloc&) {
      return make_error(ErrorCode::kOutOfMemory,
                        "{}: its activations, {} bytes, do not fit in memory", name_,
                        plan_.arena_bytes);
    }
    made_contexts_ = 1;
    return {};
  }

  Status run(std::span<const std::span<const std::byte>> inputs,
             std::span<const std::span<std::byte>> outputs) override {
    return run_all(inputs, outputs, nullptr);
  }

  Result<RunProfile> profile(std::span<const std::span<const std::byte>> inputs,
                             std::span<const std::span<std::byte>> outputs) override {
    if (!options_.profile) {
      return make_error(ErrorCode::kUnsupported, "{}: was not compiled for profiles", name_);
    }
    RunProfile profile;
    profile.clock = RunProfile::Clock::kHost;
    if (Status status = run_all(inputs, outputs, &profile); !status) {
      return tl::unexpected(status.error());
    }
    return profile;
  }

  ProgramStatistics statistics() const override { return statistics_; }

  std::vector<OperatorPlacement> placements() const override {
    std::vector<OperatorPlacement> placements;
    for (const Step& step : steps_) placements.push_back({step.source_operator, step.variant});
    return placements;
  }

 private:
  struct Border {
    int32_t tensor;
    DataType type;
    int64_t bytes;
    std::string name;
  };
  struct Step {
    int32_t source_operator = 0;
    std::unique_ptr<Operation> operation;  // null: its output is its input under another name
    std::string variant;
    int64_t bytes_read = 0;
    int64_t bytes_written = 0;
  };

  std::unique_ptr<Context> make_context() {
    auto context = std::make_unique<Context>();
    context->arena = AlignedArray<std::byte>(static_cast<size_t>(plan_.arena_bytes));
    context->scratch = AlignedArray<std::byte>(
        static_cast<size_t>(scratch_stride_ * pool_->threads() + kReadSlack));
    for (size_t i = 0; i < plan_.offsets.size(); ++i) {
      if (constants_[i].bytes() > 0) {
        context->tensors.push_back(constants_[i].data());
      } else {
        context->tensors.push_back(plan_.offsets[i] < 0 ? nullptr
                                                        : context->arena.data() + plan_.offsets[i]);
      }
    }
    if (options_.guard_memory) {
      std::fill_n(context->arena.data(), plan_.arena_bytes, std::byte{options_.fill});
      for_each_guard([&](size_t, int64_t begin, int64_t end) {
        std::fill(context->arena.data() + begin, context->arena.data() + end, kGuard);
      });
    }
    return context;
  }

  // visit(tensor, begin, end) for what lies behind each tensor of the arena, up to the next one.
  template <typename Visit>
  void for_each_guard(const Visit& visit) const {
    for (size_t i = 0; i < plan_.offsets.size(); ++i) {
      if (plan_.offsets[i] < 0 || !plan_.is_root(static_cast<int32_t>(i))) continue;
      const int64_t begin = plan_.offsets[i] + plan_.bytes[i];
      visit(i, begin, begin + kReadSlack);
    }
  }

  Status check_guards(const Context& context) const {
    Status status;
    for_each_guard([&](size_t tensor, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end && status; ++i) {
        if (context.arena.data()[i] != kGuard) {
          status = make_error(ErrorCode::kInternal,
                              "{}: a kernel wrote byte {} behind the end of tensor {}", name_,
                              i - begin, tensor);
        }
      }
    });
    return status;
  }

  Status check_sizes(std::span<const std::span<const std::byte>> inputs,
                     std::span<const std::span<std::byte>> outputs) const {
    if (inputs.size() != inputs_.size() || outputs.size() != outputs_.size()) {
      return make_error(ErrorCode::kInvalidArgument,
                        "{}: the program has {} inputs and {} outputs; {} and {} were given", name_,
                        inputs_.size(), outputs_.size(), inputs.size(), outputs.size());
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (static_cast<int64_t>(inputs[i].size()) != inputs_[i].bytes) {
        return make_error(ErrorCode::kInvalidArgument,
                          "{}: input {} ('{}') has {} bytes; {} were given", name_, i,
                          inputs_[i].name, inputs_[i].bytes, inputs[i].size());
      }
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (static_cast<int64_t>(outputs[i].size()) != outputs_[i].bytes) {
        return make_error(ErrorCode::kInvalidArgument,
                          "{}: output {} ('{}') has {} bytes; room for {} was given", name_, i,
                          outputs_[i].name, outputs_[i].bytes, outputs[i].size());
      }
    }
    return {};
  }

  // Waits where runs_in_flight contexts are in use.
  Result<std::unique_ptr<Context>> take_context() {
    std::unique_lock lock(mutex_);
    returned_.wait(lock,
                   [&] { return !contexts_.empty() || made_contexts_ < options_.runs_in_flight; });
    if (contexts_.empty()) {
      try {
        auto context = make_context();
        ++made_contexts_;
        return context;
      } catch (const std::bad_alloc&) {
        return make_error(ErrorCode::kOutOfMemory,
                          "{}: the activations of one more run do not fit in memory", name_);
      }
    }
    auto context = std::move(contexts_.back());
    contexts_.pop_back();
    return context;
  }

  void give_back(std::unique_ptr<Context> context) {
    {
      const std::lock_guard lock(mutex_);
      contexts_.push_back(std::move(context));
    }
    returned_.notify_one();
  }

  Status run_all(std::span<const std::span<const std::byte>> inputs,
                 std::span<const std::span<std::byte>> outputs, RunProfile* profile) {
    if (Status status = check_sizes(inputs, outputs); !status) return status;
    auto taken = take_context();
    if (!taken) return tl::unexpected(taken.error());
    std::unique_ptr<Context> context = *std::move(taken);
    const RoundToNearest round_to_nearest;
    const Clock::time_point start = Clock::now();
    for (size_t i = 0; i < inputs.size(); ++i) {
      convert_bytes(inputs_[i].type, inputs[i].data(), inputs[i].size(),
                    context->tensors[static_cast<size_t>(inputs_[i].tensor)]);
    }
    const Clock::time_point begin = Clock::now();
    run_steps(*context, begin, profile);
    const Clock::time_point end = Clock::now();
    for (size_t i = 0; i < outputs.size(); ++i) {
      convert_output(*context, i, outputs[i]);
    }
    if (profile != nullptr) {
      const double read_at = microseconds(end - start);
      profile->host_us = microseconds(Clock::now() - start);
      profile->host = {{"write inputs", 0, microseconds(begin - start)},
                       {"compute", microseconds(begin - start), read_at},
                       {"read outputs", read_at, profile->host_us}};
    }
    Status status;
    if (options_.guard_memory) status = check_guards(*context);
    give_back(std::move(context));
    return status;
  }

  void convert_output(const Context& context, size_t index, std::span<std::byte> output) const {
    const Border& border = outputs_[index];
    convert_bytes(border.type, context.tensors[static_cast<size_t>(border.tensor)], output.size(),
                  output.data());
  }

  void run_steps(Context& context, Clock::time_point begin, RunProfile* profile) const {
    // A small network is over before threads that sleep are awake, and waking them would be most of
    // its time; those that are still awake from the last run help for nothing.
    constexpr int64_t kTasksWorthWaking = 100;
    std::optional<ThreadPool::Lease> lease;
    if (parallel_tasks_ > 0) lease.emplace(*pool_, parallel_tasks_ >= kTasksWorthWaking);
    for (size_t i = 0; i < steps_.size(); ++i) {
      const Step& step = steps_[i];
      if (!step.operation) continue;
      const Clock::time_point step_begin = profile != nullptr ? Clock::now() : Clock::time_point();
      const int64_t tasks = step.operation->tasks();
      const auto run_task = [&](int64_t task, int32_t worker) {
        step.operation->run(options_.reverse_unordered ? tasks - 1 - task : task, context.tensors,
                            context.scratch.data() + worker * scratch_stride_);
      };
      if (lease) {
        lease->run(tasks, run_task);
      } else {
        run_task(0, 0);
      }
      if (profile != nullptr) {
        profile->dispatches.push_back({.operator_index = static_cast<int32_t>(i),
                                       .source_operator = step.source_operator,
                                       .kernel = step.variant,
                                       .begin_us = microseconds(step_begin - begin),
                                       .end_us = microseconds(Clock::now() - begin),
                                       .bytes_read = step.bytes_read,
                                       .bytes_written = step.bytes_written,
                                       .workgroups = {static_cast<uint32_t>(tasks), 1, 1}});
      }
    }
  }

  const std::string name_;
  const std::shared_ptr<ThreadPool> pool_;
  CompileOptions options_;
  const MemoryPlan plan_;
  std::vector<Border> inputs_;
  std::vector<Border> outputs_;
  std::vector<AlignedArray<std::byte>> constants_;  // by tensor; empty: it is none
  std::vector<Step> steps_;
  int64_t scratch_stride_ = 0;
  int64_t parallel_tasks_ = 0;  // of steps with several
  ProgramStatistics statistics_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Context>> contexts_;  // that no run uses
  int32_t made_contexts_ = 0;
};

}  // namespace

Result<std::unique_ptr<Program>> make_program(const LoweredGraph& graph, const Target& target,
                                              std::shared_ptr<ThreadPool> pool,
                                              const CompileOptions& options) {
  try {
    auto program = std::make_unique<CpuProgram>(graph, std::move(pool), options);
    if (Status status = program->prepare(graph, target); !status) {
      return tl::unexpected(status.error());
    }
    return program;
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kOutOfMemory, "{}: its constants do not fit in memory",
                      graph.name);
  }
}

Result<ProgramPlan> plan_program(const LoweredGraph& graph, const Target& target,
                                 const CompileOptions& options) {
  const MemoryPlan memory = plan_memory(graph, options.guard_memory);
  ProgramPlan plan;
  for (const graph::LoweredOperator& op : graph.operators) {
    PlannedOperator planned{.source_operator = op.source_operator, .kernel = kInPlace};
    if (!is_in_place(op, memory)) {
      const auto operation = prepare_operation(graph, op, target);
      if (!operation) return tl::unexpected(operation.error());
      planned.kernel = (*operation)->variant();
      planned.dispatches = 1;
      planned.constant_bytes = (*operation)->constant_bytes();
    }
    plan.constant_bytes += planned.constant_bytes;
    plan.operators.push_back(std::move(planned));
  }
  for (size_t i = 0; i < memory.offsets.size(); ++i) {
    if (memory.offsets[i] < 0 || !memory.is_root(static_cast<int32_t>(i))) continue;
    PlannedTensor tensor{.tensors = {},
                         .memory = PlannedTensor::Memory::kArena,
                         .offset = memory.offsets[i],
                         .bytes = memory.bytes[i],
                         .first = memory.first_steps[i],
                         .last = memory.last_steps[i]};
    for (size_t other = 0; other < memory.roots.size(); ++other) {
      if (memory.roots[other] == static_cast<int32_t>(i)) {
        tensor.tensors.push_back(static_cast<int32_t>(other));
      }
    }
    plan.tensors.push_back(std::move(tensor));
  }
  std::ranges::sort(plan.tensors, {}, &PlannedTensor::offset);
  int64_t constants_end = 0;
  for (size_t i = 0; i < graph.tensors.size(); ++i) {
    if (graph.tensors[i].constant.empty()) continue;
    plan.tensors.push_back({.tensors = {static_cast<int32_t>(i)},
                            .memory = PlannedTensor::Memory::kConstants,
                            .offset = constants_end,
                            .bytes = memory.bytes[i]});
    constants_end += constant_bytes(graph.tensors[i]);
  }
  plan.constant_bytes += constants_end;
  plan.arena_bytes = memory.arena_bytes;
  plan.arena_lower_bound = memory.arena_lower_bound;
  return plan;
}

Result<std::string> describe_program(const LoweredGraph& graph, const Target& target,
                                     const CompileOptions& options) {
  const auto plan = plan_program(graph, target, options);
  if (!plan) return tl::unexpected(plan.error());
  std::string text = fmt::format("{} threads, arena {} bytes\n", target.threads, plan->arena_bytes);
  for (const PlannedOperator& op : plan->operators) {
    text += fmt::format("{} {}: {} bytes\n", op.source_operator, op.kernel, op.constant_bytes);
  }
  for (const PlannedTensor& tensor : plan->tensors) {
    text += fmt::format("{} at {}\n", tensor.tensors.front(), tensor.offset);
  }
  return text;
}

}  // namespace lockstep::backend::cpu
