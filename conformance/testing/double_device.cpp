#include "conformance/testing/double_device.h"

#include <csignal>
#include <utility>

#include "backend/registry.h"

namespace lockstep::conformance::testing {
namespace {

class DoubleProgram final : public backend::Program {
 public:
  DoubleProgram(DoubleDevice& device, graph::LoweredGraph graph, backend::CompileOptions options,
                std::unique_ptr<backend::Program> program)
      : device_(device),
        graph_(std::move(graph)),
        options_(std::move(options)),
        program_(std::move(program)) {}

  Status run(std::span<const std::span<const std::byte>> inputs,
             std::span<const std::span<std::byte>> outputs) override {
    if (Status status = program_->run(inputs, outputs); !status) return status;
    return device_.after_run(graph_, options_, inputs, outputs);
  }
  backend::ProgramStatistics statistics() const override { return program_->statistics(); }
  std::vector<backend::OperatorPlacement> placements() const override {
    auto placements = program_->placements();
    for (auto& placement : placements) {
      placement.variant = options_.kernel.empty() ? "double" : options_.kernel;
    }
    return placements;
  }

 private:
  DoubleDevice& device_;
  graph::LoweredGraph graph_;
  backend::CompileOptions options_;
  std::unique_ptr<backend::Program> program_;
};

}  // namespace

DoubleDevice::DoubleDevice(backend::DeviceDescription description)
    : description_(std::move(description)), reference_(backend::open_device("ref", {}).value()) {}

Status DoubleDevice::supports(const graph::LoweredGraph&, const graph::LoweredOperator&) const {
  return {};
}

Result<std::vector<std::string>> DoubleDevice::kernels(const graph::LoweredGraph& graph,
                                                       const graph::LoweredOperator& op) const {
  return supports(graph, op).map([] { return std::vector<std::string>{"double"}; });
}

Result<std::unique_ptr<backend::Program>> DoubleDevice::compile(
    const graph::LoweredGraph& graph, const backend::CompileOptions& options) {
  return reference_->compile(graph, options)
      .map([&](std::unique_ptr<backend::Program> program) -> std::unique_ptr<backend::Program> {
        return std::make_unique<DoubleProgram>(*this, graph, options, std::move(program));
      });
}

Result<std::string> DoubleDevice::fingerprint(const graph::LoweredGraph&,
                                              const backend::CompileOptions&) const {
  return std::string("double");
}

Status DoubleDevice::after_run(const graph::LoweredGraph&, const backend::CompileOptions&,
                               std::span<const std::span<const std::byte>>,
                               std::span<const std::span<std::byte>>) {
  return {};
}

void crash() {
  std::signal(SIGSEGV, SIG_DFL);
  std::raise(SIGSEGV);
}

backend::DeviceDescription describe_double(const std::string& name) {
  backend::DeviceDescription description;
  description.backend = name;
  description.name = name + " device";
  description.driver = "test";
  return description;
}

}  // namespace lockstep::conformance::testing
