// A device for tests that computes with host_ref and misbehaves where a test overrides it.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "backend/device.h"

namespace lockstep::conformance::testing {

class DoubleDevice : public backend::Device {
 public:
  explicit DoubleDevice(backend::DeviceDescription description);

  const backend::DeviceDescription& description() const override { return description_; }
  Status supports(const graph::LoweredGraph& graph,
                  const graph::LoweredOperator& op) const override;
  // "double".
  Result<std::vector<std::string>> kernels(const graph::LoweredGraph& graph,
                                           const graph::LoweredOperator& op) const override;
  Result<std::unique_ptr<backend::Program>> compile(
      const graph::LoweredGraph& graph, const backend::CompileOptions& options) override;
  // The same for every graph and option.
  Result<std::string> fingerprint(const graph::LoweredGraph& graph,
                                  const backend::CompileOptions& options) const override;

  // Called after every run of every program with what it computed.
  virtual Status after_run(const graph::LoweredGraph& graph, const backend::CompileOptions& options,
                           std::span<const std::span<const std::byte>> inputs,
                           std::span<const std::span<std::byte>> outputs);

 private:
  backend::DeviceDescription description_;
  std::shared_ptr<backend::Device> reference_;
};

// Ends the process by SIGSEGV as a driver's mistake would, also where a sanitizer handles that
// signal.
void crash();

// "NAME device" of a backend of that name.
backend::DeviceDescription describe_double(const std::string& name);

}  // namespace lockstep::conformance::testing
