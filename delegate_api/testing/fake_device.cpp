#include "delegate_api/testing/fake_device.h"

#include <utility>

#include "backend/reference/reference_device.h"

namespace lockstep::delegate::testing {
namespace {

// Runs when somebody waits for it, or polls and may.
class FakePendingRun final : public backend::PendingRun {
 public:
  FakePendingRun(const FakeDevice& device, backend::Program& program,
                 std::span<const std::span<const std::byte>> inputs,
                 std::span<const std::span<std::byte>> outputs)
      : device_(device), program_(program), outputs_(outputs.begin(), outputs.end()) {
    for (const std::span<const std::byte> input : inputs) {
      inputs_.emplace_back(input.begin(), input.end());
    }
  }
  ~FakePendingRun() override { static_cast<void>(wait()); }

  bool poll() override {
    if (!is_over_ && device_.holds_runs) {
      return false;
    }
    static_cast<void>(wait());
    return true;
  }

  Status wait() override {
    if (!is_over_) {
      is_over_ = true;
      const std::vector<std::span<const std::byte>> inputs(inputs_.begin(), inputs_.end());
      status_ = program_.run(inputs, outputs_);
    }
    return status_;
  }

 private:
  const FakeDevice& device_;
  backend::Program& program_;
  std::vector<std::vector<std::byte>> inputs_;
  std::vector<std::span<std::byte>> outputs_;
  bool is_over_ = false;
  Status status_;
};

class FakeProgram : public backend::Program {
 public:
  FakeProgram(const FakeDevice& device, std::unique_ptr<backend::Program> program)
      : device_(device), program_(std::move(program)) {}

  Status run(std::span<const std::span<const std::byte>> inputs,
             std::span<const std::span<std::byte>> outputs) override {
    if (device_.fails_to_run) {
      return make_error(ErrorCode::kDeviceLost, "the fake device was lost");
    }
    return program_->run(inputs, outputs);
  }

  Result<std::unique_ptr<backend::PendingRun>> submit(
      std::span<const std::span<const std::byte>> inputs,
      std::span<const std::span<std::byte>> outputs) override {
    return std::make_unique<FakePendingRun>(device_, *this, inputs, outputs);
  }

  backend::ProgramStatistics statistics() const override {
    backend::ProgramStatistics statistics;
    statistics.dispatches = static_cast<int64_t>(program_->placements().size());
    return statistics;
  }

  std::vector<backend::OperatorPlacement> placements() const override {
    auto placements = program_->placements();
    for (backend::OperatorPlacement& placement : placements) {
      placement.variant = "fake";
    }
    return placements;
  }

 private:
  const FakeDevice& device_;
  std::unique_ptr<backend::Program> program_;
};

}  // namespace

FakeDevice::FakeDevice() : FakeDevice([](const graph::LoweredOperator&) { return true; }) {}

FakeDevice::FakeDevice(Takes takes)
    : takes_(std::move(takes)), reference_(backend::reference::open_device()) {
  description_.backend = "fake";
  description_.name = "fake device";
}

Status FakeDevice::supports(const graph::LoweredGraph& /*graph*/,
                            const graph::LoweredOperator& op) const {
  if (!takes_(op)) {
    return make_error(ErrorCode::kUnsupported, "{}", kRefusal);
  }
  return {};
}

Result<std::vector<std::string>> FakeDevice::kernels(const graph::LoweredGraph& graph,
                                                     const graph::LoweredOperator& op) const {
  return supports(graph, op).map([] { return std::vector<std::string>{"fake"}; });
}

Result<std::string> FakeDevice::fingerprint(const graph::LoweredGraph& graph,
                                            const backend::CompileOptions& options) const {
  return reference_->fingerprint(graph, options);
}

Result<std::unique_ptr<backend::Program>> FakeDevice::compile(
    const graph::LoweredGraph& graph, const backend::CompileOptions& options) {
  if (fails_to_compile) {
    return make_error(ErrorCode::kOutOfMemory, "the fake device has no memory");
  }
  ++compiled_programs;
  last_options = options;
  return reference_->compile(graph, options)
      .map([this](std::unique_ptr<backend::Program> program) -> std::unique_ptr<backend::Program> {
        return std::make_unique<FakeProgram>(*this, std::move(program));
      });
}

}  // namespace lockstep::delegate::testing
