#include "backend/vulkan/vulkan_backend.h"

#include "backend/vulkan/device_context.h"
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

  Result<std::unique_ptr<Program>> compile(const graph::LoweredGraph& graph) override {
    std::vector<KernelPlan> plans;
    for (const graph::LoweredOperator& op : graph.operators) {
      auto plan = checked_plan(graph, op);
      if (!plan) {
        return tl::unexpected(plan.error());
      }
      plans.push_back(std::move(*plan));
    }
    return VulkanProgram::create(context_, graph, plans);
  }

 private:
  Result<KernelPlan> checked_plan(const graph::LoweredGraph& graph,
                                  const graph::LoweredOperator& op) const {
    const Capabilities& capabilities = context_->device->capabilities();
    if (Status status = check_tensors(graph, op, capabilities); !status) {
      return tl::unexpected(status.error());
    }
    auto plan = plan_operator({graph, capabilities}, op);
    if (plan) {
      if (Status status = check_plan(*plan, op, capabilities); !status) {
        return tl::unexpected(status.error());
      }
    }
    return plan;
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
