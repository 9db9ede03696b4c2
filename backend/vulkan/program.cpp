#include "backend/vulkan/program.h"

#include <utility>

namespace lockstep::backend::vulkan {
namespace {

class VulkanPendingRun final : public PendingRun {
 public:
  explicit VulkanPendingRun(std::shared_ptr<ProgramExecution> execution)
      : execution_(std::move(execution)) {}
  ~VulkanPendingRun() override {
    if (ticket_.slot != nullptr) {
      static_cast<void>(wait());
    }
  }

  Status start(std::span<const std::span<const std::byte>> inputs,
               std::span<const std::span<std::byte>> outputs) {
    return execution_->start(inputs, outputs, ticket_);
  }
  bool poll() override { return execution_->poll(ticket_); }
  Status wait() override { return execution_->wait(ticket_); }

 private:
  std::shared_ptr<ProgramExecution> execution_;
  RunTicket ticket_;
};

}  // namespace

VulkanProgram::~VulkanProgram() = default;

Status VulkanProgram::run(std::span<const std::span<const std::byte>> inputs,
                          std::span<const std::span<std::byte>> outputs) {
  RunTicket ticket;
  if (Status status = execution_->start(inputs, outputs, ticket); !status) {
    return status;
  }
  return execution_->wait(ticket);
}

Result<std::unique_ptr<PendingRun>> VulkanProgram::submit(
    std::span<const std::span<const std::byte>> inputs,
    std::span<const std::span<std::byte>> outputs) {
  auto run = std::make_unique<VulkanPendingRun>(execution_);
  if (Status status = run->start(inputs, outputs); !status) {
    return tl::unexpected(status.error());
  }
  return run;
}

Result<RunProfile> VulkanProgram::profile(std::span<const std::span<const std::byte>> inputs,
                                          std::span<const std::span<std::byte>> outputs) {
  if (!execution_->resources.profiled) {
    return Program::profile(inputs, outputs);
  }
  return execution_->profile(inputs, outputs);
}

}  // namespace lockstep::backend::vulkan
