#include "delegate_api/tflite/partition_kernel.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "backend/registry.h"
#include "delegate_api/partitioner.h"

namespace lockstep::delegate {

Status propagate_shapes(graph::Graph& graph, std::span<const graph::Shape> input_shapes) {
  for (size_t index = 0; index < graph.inputs.size(); ++index) {
    graph.tensors[static_cast<size_t>(graph.inputs[index])].shape = input_shapes[index];
  }
  for (const graph::Operator& op : graph.operators) {
    auto shape = graph::infer_output_shape(graph, op);
    if (!shape) {
      return tl::unexpected(shape.error());
    }
    graph.tensors[static_cast<size_t>(op.outputs.front())].shape = *std::move(shape);
  }
  return graph::validate(graph);
}

PartitionKernel::PartitionKernel(graph::Graph partition, std::shared_ptr<backend::Device> device,
                                 numerics::Contract contract, backend::CompileOptions compile,
                                 std::shared_ptr<ProfileFile> profile)
    : graph_(std::move(partition)),
      device_(std::move(device)),
      contract_(contract),
      compile_options_(std::move(compile)),
      profile_(std::move(profile)) {
  if (profile_ == nullptr) {
    return;
  }
  compile_options_.profile = true;
  std::vector<std::string> operators;
  for (size_t index = 0; index < graph_.operators.size(); ++index) {
    operators.push_back(graph::describe_operator(graph_, index));
  }
  profile_id_ = profile_->add_program(
      fmt::format("partition of {} operators on '{}', from {}", operators.size(),
                  device_->description().name, operators.empty() ? "nothing" : operators.front()),
      std::move(operators));
}

Status PartitionKernel::prepare(std::span<const graph::Shape> input_shapes) {
  if (input_shapes.size() != graph_.inputs.size()) {
    return make_error(ErrorCode::kInternal, "a partition with {} inputs got {} shapes",
                      graph_.inputs.size(), input_shapes.size());
  }
  bool is_current = program_ != nullptr;
  for (size_t index = 0; index < input_shapes.size(); ++index) {
    is_current = is_current && input_shapes[index] ==
                                   graph_.tensors[static_cast<size_t>(graph_.inputs[index])].shape;
  }
  if (is_current) {
    return {};
  }
  program_.reset();
  return propagate_shapes(graph_, input_shapes).and_then([this] { return compile(); });
}

Status PartitionKernel::compile() {
  const Status compiled = compile_for(*device_);
  return compiled || !device_failure_.empty() ? compiled : give_up_device(compiled.error());
}

Status PartitionKernel::give_up_device(const Error& error) {
  device_failure_ = fmt::format("'{}' gave up: {}", device_->description().name, error.message);
  device_ = backend::open_host_device(0);
  return compile_for(*device_);
}

Status PartitionKernel::compile_for(backend::Device& device) {
  Partition partition;
  partition.operators.resize(graph_.operators.size());
  std::iota(partition.operators.begin(), partition.operators.end(), size_t{0});
  partition.inputs = graph_.inputs;
  partition.outputs = graph_.outputs;
  const auto lowered = lower_partition(graph_, partition, contract_);
  if (!lowered) {
    return tl::unexpected(lowered.error());
  }
  auto program = device.compile(*lowered, compile_options_);
  if (!program) {
    return tl::unexpected(program.error());
  }
  program_ = *std::move(program);
  program_inputs_.clear();
  for (const int32_t input : lowered->inputs) {
    const auto position = std::find(graph_.inputs.begin(), graph_.inputs.end(), input);
    program_inputs_.push_back(static_cast<size_t>(position - graph_.inputs.begin()));
  }
  used_inputs_.resize(program_inputs_.size());
  return {};
}

Status PartitionKernel::run(std::span<const std::span<const std::byte>> inputs,
                            std::span<const std::span<std::byte>> outputs) {
  if (program_ == nullptr || inputs.size() != graph_.inputs.size() ||
      outputs.size() != graph_.outputs.size()) {
    return make_error(ErrorCode::kInternal, "a partition was run before it was prepared");
  }
  for (size_t i = 0; i < program_inputs_.size(); ++i) {
    used_inputs_[i] = inputs[program_inputs_[i]];
  }
  const Status done = run_program(outputs);
  if (done || !device_failure_.empty()) {
    return done;
  }
  return give_up_device(done.error()).and_then([&] {
    return program_->run(used_inputs_, outputs);
  });
}

Status PartitionKernel::run_program(std::span<const std::span<std::byte>> outputs) {
  if (profile_ != nullptr && device_failure_.empty()) {
    return profile_->run(profile_id_, *program_, used_inputs_, outputs);
  }
  return program_->run(used_inputs_, outputs);
}

std::vector<backend::OperatorPlacement> PartitionKernel::placements() const {
  return program_ != nullptr ? program_->placements() : std::vector<backend::OperatorPlacement>();
}

backend::ProgramStatistics PartitionKernel::statistics() const {
  return program_ != nullptr ? program_->statistics() : backend::ProgramStatistics();
}

}  // namespace lockstep::delegate
