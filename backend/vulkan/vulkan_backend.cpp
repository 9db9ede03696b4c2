#include "backend/vulkan/vulkan_backend.h"

#include "backend/vulkan/device_context.h"
#include "backend/vulkan/fingerprint.h"
#include "backend/vulkan/instance.h"
#include "backend/vulkan/kernel.h"
#include "backend/vulkan/physical_device.h"
#include "backend/vulkan/program.h"
#include "backend/vulkan/program_checks.h"

namespace lockstep::backend::vulkan {
namespace {

class VulkanDevice final : public Device {
 public:
  explicit VulkanDevice(std::shared_ptr<DeviceContext> context)
      : context_(std::move(context)), description_(context_->device->physical().description) {
    description_.capabilities = describe(context_->device->capabilities());
  }

  const DeviceDescription& description() const override { return description_; }

  Status supports(const graph::LoweredGraph& graph,
                  const graph::LoweredOperator& op) const override {
    const Result<KernelPlan> plan = checked_plan(graph, op);
    if (!plan) {
      return tl::unexpected(plan.error());
    }
    return {};
  }

  Result<std::vector<std::string>> kernels(const graph::LoweredGraph& graph,
                                           const graph::LoweredOperator& op) const override {
    const Result<KernelPlan> best = checked_plan(graph, op);
    if (!best) {
      return tl::unexpected(best.error());
    }
    std::vector<std::string> names{best->variant};
    for (const std::string& name : best->kernels) {
      if (name != best->variant && checked_plan(graph, op, name)) {
        names.push_back(name);
      }
    }
    return names;
  }

  Result<std::unique_ptr<Program>> compile(const graph::LoweredGraph& graph,
                                           const CompileOptions& options) override {
    const auto plans = checked_plans(graph, options);
    if (!plans) {
      return tl::unexpected(plans.error());
    }
    return VulkanProgram::create(context_, graph, *plans, options);
  }

  Result<std::string> fingerprint(const graph::LoweredGraph& graph,
                                  const CompileOptions& options) const override {
    const auto plans = checked_plans(graph, options);
    if (!plans) {
      return tl::unexpected(plans.error());
    }
    return fingerprint_of(graph, *plans, context_->device->capabilities(), options);
  }

 private:
  // `kernel`: as PlanContext::kernel.
  Result<KernelPlan> checked_plan(const graph::LoweredGraph& graph,
                                  const graph::LoweredOperator& op,
                                  std::string_view kernel = {}) const {
    const Capabilities& capabilities = context_->device->capabilities();
    if (Status status = check_tensors(graph, op, capabilities); !status) {
      return tl::unexpected(status.error());
    }
    auto plan = plan_operator({graph, capabilities, kernel}, op);
    if (plan) {
      if (Status status = check_plan(*plan, op, capabilities); !status) {
        return tl::unexpected(status.error());
      }
    }
    return plan;
  }

  // One for each operator: of options.kernel where that computes it, otherwise of the best kernel.
  Result<std::vector<KernelPlan>> checked_plans(const graph::LoweredGraph& graph,
                                                const CompileOptions& options) const {
    std::vector<KernelPlan> plans;
    for (const graph::LoweredOperator& op : graph.operators) {
      auto plan = checked_plan(graph, op, options.kernel);
      if (!plan) {
        plan = checked_plan(graph, op);
      }
      if (!plan) {
        return tl::unexpected(plan.error());
      }
      plans.push_back(std::move(*plan));
    }
    return plans;
  }

  std::shared_ptr<DeviceContext> context_;
  DeviceDescription description_;
};

}  // namespace

Result<std::vector<DeviceDescription>> list_devices() {
  const auto instance = Instance::shared();
  if (!instance) {
    return tl::unexpected(instance.error());
  }
  const auto devices = find_physical_devices(**instance);
  if (!devices) {
    return tl::unexpected(devices.error());
  }
  std::vector<DeviceDescription> descriptions;
  for (const PhysicalDevice& device : *devices) {
    descriptions.push_back(device.description);
  }
  return descriptions;
}

std::shared_ptr<const void> keep_drivers_loaded() { return Instance::shared().value_or(nullptr); }

Result<std::shared_ptr<Device>> open_device(size_t index, const DeviceOptions& options) {
  auto context = open_context(index, options);
  if (!context) {
    return tl::unexpected(context.error());
  }
  return std::make_shared<VulkanDevice>(std::move(*context));
}

}  // namespace lockstep::backend::vulkan
