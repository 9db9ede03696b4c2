#include "backend/vulkan/vulkan_backend.h"

#include <limits>
#include <mutex>

#include "backend/vulkan/activation_plan.h"
#include "backend/vulkan/device_context.h"
#include "backend/vulkan/fingerprint.h"
#include "backend/vulkan/fusion.h"
#include "backend/vulkan/instance.h"
#include "backend/vulkan/kernel.h"
#include "backend/vulkan/physical_device.h"
#include "backend/vulkan/program.h"
#include "backend/vulkan/program_checks.h"
#include "backend/vulkan/program_planning.h"
#include "backend/vulkan/tuning.h"

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
    if (options.tune && options.kernel.empty()) {
      const std::lock_guard lock(tuning_mutex_);
      // Windows as they will be; choices are for operators without what is computed behind them.
      const FusionRules windows_only{.takes_epilogue = [](auto&, auto&, auto&) { return false; }};
      const FusedGraph windows = options.fuse ? fuse(graph, windows_only) : unfused(graph);
      tune(*this, windows.graph, context_->tuning,
           [this](LogSeverity severity, const std::string& message) {
             context_->cache.log(severity, message);
           });
    }
    const auto selection = select(graph, options);
    if (!selection) {
      return tl::unexpected(selection.error());
    }
    return VulkanProgram::create(context_, selection->fused.graph, selection->plans, options,
                                 &selection->fused);
  }

  Result<std::string> fingerprint(const graph::LoweredGraph& graph,
                                  const CompileOptions& options) const override {
    const auto selection = select(graph, options);
    if (!selection) {
      return tl::unexpected(selection.error());
    }
    auto text = fingerprint_of(selection->fused.graph, selection->plans,
                               context_->device->capabilities(), options);
    if (text) {
      *text += describe_borders(selection->fused);
    }
    return text;
  }

  Result<ProgramPlan> plan(const graph::LoweredGraph& graph,
                           const CompileOptions& options) const override {
    const auto selection = select(graph, options);
    if (!selection) {
      return tl::unexpected(selection.error());
    }
    const PlannedGraph planned{selection->fused.graph, selection->plans, &selection->fused};
    const auto memory = plan_memory(planned, context_->device->capabilities(), options);
    if (!memory) {
      return tl::unexpected(memory.error());
    }
    return describe_program(planned, *memory, selection->chosen_by);
  }

 private:
  // `kernel`, `epilogue` and `pieces_in_place`: as in PlanContext.
  Result<KernelPlan> checked_plan(const graph::LoweredGraph& graph,
                                  const graph::LoweredOperator& op, std::string_view kernel = {},
                                  const Epilogue* epilogue = nullptr,
                                  std::span<const PieceInPlace> pieces_in_place = {}) const {
    const Capabilities& capabilities = context_->device->capabilities();
    if (Status status = check_tensors(graph, op, capabilities); !status) {
      return tl::unexpected(status.error());
    }
    auto plan = plan_operator({graph, capabilities, kernel, epilogue, pieces_in_place}, op);
    if (plan) {
      const Epilogue none;
      if (Status status =
              check_plan(*plan, op, capabilities, epilogue != nullptr ? *epilogue : none);
          !status) {
        return tl::unexpected(status.error());
      }
    }
    return plan;
  }

  // By operator of fused.graph.
  struct Selection {
    FusedGraph fused;
    std::vector<KernelPlan> plans;
    std::vector<ChosenBy> chosen_by;
  };

  // The kernel to ask for: options.kernel, or the one that was measured to be the fastest. Empty:
  // the heuristics' first.
  std::string wanted_kernel(const graph::LoweredGraph& graph, const graph::LoweredOperator& op,
                            const CompileOptions& options) const {
    if (!options.kernel.empty() || context_->tuning.is_empty()) {
      return options.kernel;
    }
    return context_->tuning.choice(operator_signature(graph, op));
  }

  FusedGraph fuse_for_device(const graph::LoweredGraph& graph,
                             const CompileOptions& options) const {
    const Capabilities& capabilities = context_->device->capabilities();
    FusionRules rules;
    rules.takes_epilogue = [&](const graph::LoweredGraph& fused, const graph::LoweredOperator& op,
                               const Epilogue& epilogue) {
      return check_tensors(fused, op, capabilities) &&
             (!epilogue.adds() || check_tensor(fused, epilogue.right, capabilities)) &&
             takes_epilogue({fused, capabilities}, op, epilogue);
    };
    // A processor looks a byte up as fast in a loop as in a dispatch. For others a dispatch takes a
    // few microseconds whatever its size, in which the host looks up about this many bytes.
    constexpr int64_t kBytesOfADispatch = 16 * 1024;
    rules.max_host_bytes = capabilities.device_class == DeviceClass::kCpuLike
                               ? std::numeric_limits<int64_t>::max()
                               : kBytesOfADispatch;
    rules.offset_alignment = placement_rules(capabilities, options).alignment;
    return fuse(graph, rules);
  }

  // The wanted kernel where that computes the operator, otherwise the heuristics' first.
  Result<Selection> select(const graph::LoweredGraph& graph, const CompileOptions& options) const {
    const ChosenBy by_wish = options.kernel.empty() ? ChosenBy::kTuning : ChosenBy::kForce;
    Selection selection;
    selection.fused = options.fuse ? fuse_for_device(graph, options) : unfused(graph);
    const graph::LoweredGraph& fused = selection.fused.graph;
    for (size_t i = 0; i < fused.operators.size(); ++i) {
      const graph::LoweredOperator& op = fused.operators[i];
      const Epilogue& ends = selection.fused.epilogues[i];
      const Epilogue* epilogue = ends.is_empty() ? nullptr : &ends;
      const std::string wanted = wanted_kernel(fused, op, options);
      const std::vector<PieceInPlace>& pieces = selection.fused.pieces_in_place[i];
      auto plan = checked_plan(fused, op, wanted, epilogue, pieces);
      if (!plan && !wanted.empty()) {
        plan = checked_plan(fused, op, {}, epilogue, pieces);
      }
      if (!plan) {
        return tl::unexpected(plan.error());
      }
      selection.chosen_by.push_back(plan->variant == wanted    ? by_wish
                                    : plan->kernels.size() < 2 ? ChosenBy::kOnlyKernel
                                                               : ChosenBy::kHeuristics);
      selection.plans.push_back(std::move(*plan));
    }
    return selection;
  }

  std::shared_ptr<DeviceContext> context_;
  DeviceDescription description_;
  std::mutex tuning_mutex_;  // two that measure at once measure each other
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
