#include "backend/device.h"

namespace lockstep::backend {
namespace {

class FinishedRun final : public PendingRun {
 public:
  bool poll() override { return true; }
  Status wait() override { return {}; }
};

}  // namespace

std::string_view device_kind_name(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::kDiscreteGpu:
      return "discrete GPU";
    case DeviceKind::kIntegratedGpu:
      return "integrated GPU";
    case DeviceKind::kVirtualGpu:
      return "virtual GPU";
    case DeviceKind::kCpu:
      return "CPU";
    case DeviceKind::kOther:
      return "other";
  }
  return "other";
}

Result<std::unique_ptr<PendingRun>> Program::submit(
    std::span<const std::span<const std::byte>> inputs,
    std::span<const std::span<std::byte>> outputs) {
  if (Status status = run(inputs, outputs); !status) {
    return tl::unexpected(status.error());
  }
  return std::make_unique<FinishedRun>();
}

Result<RunProfile> Program::profile(std::span<const std::span<const std::byte>>,
                                    std::span<const std::span<std::byte>>) {
  return make_error(ErrorCode::kUnsupported,
                    "this program cannot say where the time of a run goes: its device cannot, or "
                    "it was not compiled for profiling");
}

Result<ProgramPlan> Device::plan(const graph::LoweredGraph&, const CompileOptions&) const {
  return make_error(ErrorCode::kUnsupported, "'{}' plans nothing in advance", description().name);
}

}  // namespace lockstep::backend
