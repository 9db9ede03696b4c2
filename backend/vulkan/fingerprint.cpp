#include "backend/vulkan/fingerprint.h"

#include <fmt/ranges.h>

#include <iterator>

#include "backend/vulkan/activation_plan.h"

namespace lockstep::backend::vulkan {
namespace {

// FNV-1a, 64 bits.
uint64_t checksum(std::span<const std::byte> bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const std::byte value : bytes) {
    hash = (hash ^ std::to_integer<uint64_t>(value)) * 0x100000001b3u;
  }
  return hash;
}

std::string_view view_name(Binding::View view) {
  switch (view) {
    case Binding::View::kTexelUnits:
      return " as texels of 16 bytes";
    case Binding::View::kTexelWords:
      return " as texels of 4 bytes";
    case Binding::View::kStorage:
      break;
  }
  return "";
}

std::string describe_binding(const KernelPlan& plan, const ActivationPlan& activations,
                             const Binding& binding) {
  const auto index = static_cast<size_t>(binding.index);
  if (binding.kind == Binding::Kind::kConstant) {
    const std::vector<std::byte>& constant = plan.constants[index];
    return fmt::format("constant {}:{:016x}{}", constant.size(), checksum(constant),
                       view_name(binding.view));
  }
  const TensorPlace& place = activations.places[index];
  return fmt::format("tensor {} in memory {} at {}+{}{}", place.root,
                     static_cast<int>(place.memory), place.offset, place.bytes,
                     view_name(binding.view));
}

}  // namespace

Result<std::string> fingerprint_of(const graph::LoweredGraph& graph,
                                   std::span<const KernelPlan> plans,
                                   const Capabilities& capabilities,
                                   const CompileOptions& options) {
  const auto activations = plan_activations(graph, plans, placement_rules(capabilities, options));
  if (!activations) {
    return tl::unexpected(activations.error());
  }
  std::string text = fmt::format(
      "{}, subgroups of {}, guard {}, fill {}, reversed {}\n",
      capabilities.unified_memory ? "mapped" : "staged", capabilities.required_subgroup_size,
      options.guard_memory, options.guard_memory ? options.fill : 0, options.reverse_unordered);
  if (options.split_everywhere) {
    text += "in as many pieces as possible\n";
  }
  for (const KernelPlan& plan : plans) {
    for (const Dispatch& dispatch : plan.dispatches) {
      fmt::format_to(std::back_inserter(text), "{} <{}> ({}) [{}]", dispatch.shader,
                     fmt::join(dispatch.specialization, " "),
                     fmt::join(dispatch.push_constants, " "), fmt::join(dispatch.workgroups, " "));
      for (const Binding& input : dispatch.inputs) {
        text += ", " + describe_binding(plan, *activations, input);
      }
      text += " -> " + describe_binding(plan, *activations, dispatch.output) + "\n";
    }
  }
  return text;
}

}  // namespace lockstep::backend::vulkan
