#include "backend/reference/reference_device.h"

#include <algorithm>
#include <mutex>

#include "host_ref/interpreter.h"

namespace lockstep::backend::reference {
namespace {

constexpr const char* kKernel = "reference";

int64_t tensor_bytes(const graph::LoweredTensor& tensor) {
  return graph::element_count(tensor.shape).value_or(0) *
         static_cast<int64_t>(graph::data_type_size(tensor.type));
}

class ReferenceProgram final : public Program {
 public:
  explicit ReferenceProgram(host_ref::Interpreter interpreter)
      : interpreter_(std::move(interpreter)) {}

  Status run(std::span<const std::span<const std::byte>> inputs,
             std::span<const std::span<std::byte>> outputs) override {
    const graph::LoweredGraph& graph = interpreter_.graph();
    if (inputs.size() != graph.inputs.size() || outputs.size() != graph.outputs.size()) {
      return make_error(ErrorCode::kInvalidArgument,
                        "the program has {} inputs and {} outputs; {} and {} were given",
                        graph.inputs.size(), graph.outputs.size(), inputs.size(), outputs.size());
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      const auto& tensor = graph.tensors[static_cast<size_t>(graph.outputs[i])];
      if (static_cast<int64_t>(outputs[i].size()) != tensor_bytes(tensor)) {
        return make_error(ErrorCode::kInvalidArgument,
                          "output {} ('{}') has {} bytes; room for {} was given", i, tensor.name,
                          tensor_bytes(tensor), outputs[i].size());
      }
    }
    const std::lock_guard lock(mutex_);
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (Status status = interpreter_.set_input(i, inputs[i]); !status) {
        return status;
      }
    }
    if (Status status = interpreter_.run(); !status) {
      return status;
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      const auto contents = interpreter_.tensor(graph.outputs[i]);
      if (!contents) {
        return tl::unexpected(contents.error());
      }
      std::ranges::copy(*contents, outputs[i].begin());
    }
    return {};
  }

  ProgramStatistics statistics() const override {
    ProgramStatistics statistics;
    for (const graph::LoweredTensor& tensor : interpreter_.graph().tensors) {
      if (tensor.constant.empty()) {
        statistics.arena_bytes += tensor_bytes(tensor);
      }
    }
    return statistics;
  }

  std::vector<OperatorPlacement> placements() const override {
    std::vector<OperatorPlacement> placements;
    for (const graph::LoweredOperator& op : interpreter_.graph().operators) {
      placements.push_back({op.source_operator, kKernel});
    }
    return placements;
  }

 private:
  std::mutex mutex_;
  host_ref::Interpreter interpreter_;
};

class ReferenceDevice final : public Device {
 public:
  const DeviceDescription& description() const override { return description_; }

  // Whatever could be lowered can be computed here.
  Status supports(const graph::LoweredGraph&, const graph::LoweredOperator&) const override {
    return {};
  }

  Result<std::vector<std::string>> kernels(const graph::LoweredGraph&,
                                           const graph::LoweredOperator&) const override {
    return std::vector<std::string>{kKernel};
  }

  // There is no device memory to guard, and but one way to compute anything.
  Result<std::unique_ptr<Program>> compile(const graph::LoweredGraph& graph,
                                           const CompileOptions&) override {
    auto interpreter = host_ref::Interpreter::create(graph);
    if (!interpreter) {
      return tl::unexpected(interpreter.error());
    }
    return std::make_unique<ReferenceProgram>(std::move(*interpreter));
  }

  Result<std::string> fingerprint(const graph::LoweredGraph&,
                                  const CompileOptions&) const override {
    return std::string(kKernel);
  }

 private:
  DeviceDescription description_ = describe_device();
};

}  // namespace

DeviceDescription describe_device() {
  DeviceDescription description;
  description.backend = "ref";
  description.name = "Lockstep reference (host)";
  description.kind = DeviceKind::kCpu;
  description.driver = "lockstep " LOCKSTEP_VERSION;
  return description;
}

std::shared_ptr<Device> open_device() { return std::make_shared<ReferenceDevice>(); }

}  // namespace lockstep::backend::reference
