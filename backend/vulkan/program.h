// A compiled network: pipelines, memory and recorded commands that every run submits again. What
// happens in a run is told in program_execution.h.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "backend/device.h"
#include "backend/vulkan/device_context.h"
#include "backend/vulkan/fusion.h"
#include "backend/vulkan/kernel.h"
#include "backend/vulkan/program_execution.h"

namespace lockstep::backend::vulkan {

class VulkanProgram final : public Program {
 public:
  // `plans`: one for each of graph.operators; both passed program_checks.h. `fused`: what `graph`
  // is part of, null where nothing was fused.
  static Result<std::unique_ptr<VulkanProgram>> create(std::shared_ptr<DeviceContext> context,
                                                       const graph::LoweredGraph& graph,
                                                       std::span<const KernelPlan> plans,
                                                       const CompileOptions& options = {},
                                                       const FusedGraph* fused = nullptr);
  ~VulkanProgram() override;

  Status run(std::span<const std::span<const std::byte>> inputs,
             std::span<const std::span<std::byte>> outputs) override;
  Result<std::unique_ptr<PendingRun>> submit(
      std::span<const std::span<const std::byte>> inputs,
      std::span<const std::span<std::byte>> outputs) override;
  Result<RunProfile> profile(std::span<const std::span<const std::byte>> inputs,
                             std::span<const std::span<std::byte>> outputs) override;
  ProgramStatistics statistics() const override { return statistics_; }
  std::vector<OperatorPlacement> placements() const override { return placements_; }

 private:
  friend class ProgramBuilder;

  VulkanProgram() = default;

  std::shared_ptr<ProgramExecution> execution_ = std::make_shared<ProgramExecution>();
  ProgramStatistics statistics_;
  std::vector<OperatorPlacement> placements_;
};

}  // namespace lockstep::backend::vulkan
