// A device of which a test decides what it takes and when it fails. What it computes, the reference
// implementation computes for it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "backend/device.h"

namespace lockstep::delegate::testing {

class FakeDevice : public backend::Device {
 public:
  using Takes = std::function<bool(const graph::LoweredOperator&)>;

  // Takes everything.
  FakeDevice();
  explicit FakeDevice(Takes takes);

  const backend::DeviceDescription& description() const override { return description_; }
  Status supports(const graph::LoweredGraph& graph,
                  const graph::LoweredOperator& op) const override;
  Result<std::vector<std::string>> kernels(const graph::LoweredGraph& graph,
                                           const graph::LoweredOperator& op) const override;
  Result<std::unique_ptr<backend::Program>> compile(
      const graph::LoweredGraph& graph, const backend::CompileOptions& options = {}) override;
  Result<std::string> fingerprint(const graph::LoweredGraph& graph,
                                  const backend::CompileOptions& options = {}) const override;

  bool fails_to_compile = false;
  bool fails_to_run = false;  // of programs already compiled, too
  bool holds_runs = false;    // polling says that submitted runs go on; waiting ends them
  int compiled_programs = 0;
  backend::CompileOptions last_options;  // of compile()

  static constexpr const char* kRefusal = "the fake device does not take it";

 private:
  Takes takes_;
  backend::DeviceDescription description_;
  std::shared_ptr<backend::Device> reference_;
};

}  // namespace lockstep::delegate::testing
