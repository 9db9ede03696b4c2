#include "bench/device/stepped_kernel.h"

#include <algorithm>

namespace lockstep::bench {
namespace {

// Enough for a processor's threads.
constexpr uint32_t kFewestWorkgroups = 16;
// Four sums of 1,024 products in forms that add 4 a step: as one sum they would be no float32.
constexpr uint32_t kFewestSteps = 1024;
constexpr uint32_t kMostSteps = 32'768;

}  // namespace

Status calibrate(const backend::vulkan::LogicalDevice& device, uint32_t most_workgroups,
                 double target_seconds, SteppedKernel& kernel) {
  kernel.workgroups = std::min(kFewestWorkgroups, most_workgroups);
  kernel.steps = kFewestSteps;
  for (;;) {
    kernel.kernel->set_workgroups(kernel.workgroups);
    kernel.kernel->set_steps(kernel.steps);
    auto commands = TimedCommands::create(
        device, [&](VkCommandBuffer buffer) { kernel.kernel->record(buffer); });
    if (!commands) return tl::unexpected(commands.error());
    kernel.commands = std::make_unique<TimedCommands>(std::move(*commands));
    // Twice: the first run may compile.
    Result<SubmissionTime> time = kernel.commands->run();
    if (time) time = kernel.commands->run();
    if (!time) return tl::unexpected(time.error());
    if (time->best() >= target_seconds) return {};
    if (kernel.workgroups * 2 <= most_workgroups) {
      kernel.workgroups *= 2;
    } else if (kernel.steps * 2 <= kMostSteps) {
      kernel.steps *= 2;
    } else {
      return {};
    }
  }
}

}  // namespace lockstep::bench
