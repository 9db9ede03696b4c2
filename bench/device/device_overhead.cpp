#include "bench/device/device_overhead.h"

#include <algorithm>
#include <random>

#include "bench/device/micro_kernel.h"

namespace lockstep::bench {
namespace {

using backend::vulkan::Buffer;
using backend::vulkan::LogicalDevice;
using backend::vulkan::MemoryUse;

constexpr uint32_t kLocalSize = 64;
constexpr uint32_t kDispatches = 256;

// Seconds from nothing to the first result of a pipeline that no cache has seen. Some drivers
// compile when it is created, others at its first dispatch.
Result<double> compile_once(const LogicalDevice& device, std::string_view module,
                            const Buffer& seeds, const Buffer& sums) {
  const uint32_t salt = std::random_device()();
  auto kernel = MicroKernel::create(device, {.module = module,
                                             .specialization = {kLocalSize, salt},
                                             .push_constants = {1, salt},
                                             .buffers = {&seeds, &sums},
                                             .workgroups = {1, 1, 1}});
  if (!kernel) return tl::unexpected(kernel.error());
  auto commands =
      TimedCommands::create(device, [&](VkCommandBuffer buffer) { kernel->record(buffer); });
  if (!commands) return tl::unexpected(commands.error());
  const auto first = commands->run();
  if (!first) return tl::unexpected(first.error());
  const auto second = commands->run();
  if (!second) return tl::unexpected(second.error());
  return kernel->creation_seconds() + std::max(first->host_seconds - second->host_seconds, 0.0);
}

}  // namespace

Result<std::vector<DeviceMeasurement>> measure_overhead(const LogicalDevice& device,
                                                        const DeviceBenchmarkOptions& options,
                                                        const IsWanted& is_wanted) {
  auto units = Buffer::create(device, 1024, MemoryUse::kUpload, "nothing in particular");
  if (!units) return tl::unexpected(units.error());
  auto sums = Buffer::create(device, 4 * kLocalSize, MemoryUse::kDownload, "nothing in particular");
  if (!sums) return tl::unexpected(sums.error());
  auto kernel = MicroKernel::create(device, {.module = "read_memory",
                                             .specialization = {kLocalSize},
                                             .push_constants = {0, 0},
                                             .buffers = {&*units, &*sums},
                                             .workgroups = {1, 1, 1}});
  if (!kernel) return tl::unexpected(kernel.error());

  struct Timed {
    std::string name;
    std::string meaning;
    TimedCommands::Record record;
    bool by_host = false;
    double share = 1;  // of the measured time
  };
  const std::vector<Timed> all = {
      {"overhead/submission", "an empty command buffer, submitted and waited for",
       [](VkCommandBuffer) {}, true},
      {"overhead/dispatch", fmt::format("one of {} dispatches of one workgroup", kDispatches),
       [&](VkCommandBuffer commands) {
         for (uint32_t i = 0; i < kDispatches; ++i) kernel->record(commands);
       },
       false, 1.0 / kDispatches},
      {"overhead/dispatch and barrier",
       fmt::format("one of {} dispatches that wait for each other", kDispatches),
       [&](VkCommandBuffer commands) {
         for (uint32_t i = 0; i < kDispatches; ++i) {
           kernel->record(commands);
           record_barrier(device, commands);
         }
       },
       false, 1.0 / kDispatches}};
  std::vector<const Timed*> wanted;
  std::vector<TimedCommands> commands;
  for (const Timed& each : all) {
    if (!is_wanted(each.name)) continue;
    auto created = TimedCommands::create(device, each.record);
    if (!created) return tl::unexpected(created.error());
    if (const auto warm = created->run(); !warm) return tl::unexpected(warm.error());
    wanted.push_back(&each);
    commands.push_back(std::move(*created));
  }
  std::vector<Competitor> competitors;
  for (size_t i = 0; i < wanted.size(); ++i) {
    competitors.push_back({wanted[i]->name, [&, i]() -> Result<double> {
                             const auto time = commands[i].run();
                             if (!time) return tl::unexpected(time.error());
                             return wanted[i]->share *
                                    (wanted[i]->by_host ? time->host_seconds : time->best());
                           }});
  }
  const auto seconds = measure(competitors, options.measure);
  if (!seconds) return tl::unexpected(seconds.error());
  std::vector<DeviceMeasurement> measurements;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const TimeSummary time = summarise((*seconds)[i]);
    measurements.push_back({.name = wanted[i]->name,
                            .meaning = wanted[i]->meaning,
                            .unavailable = {},
                            .value = time.median_seconds * 1e6,
                            .unit = "us",
                            .time = time});
  }

  if (const std::string name = "compile/pipeline"; is_wanted(name)) {
    std::vector<double> times;
    for (int i = 0; i < (options.quick ? 1 : 5); ++i) {
      const auto time = compile_once(device, "multiply_add_shifts", *units, *sums);
      if (!time) return tl::unexpected(time.error());
      times.push_back(*time);
    }
    const TimeSummary time = summarise(times);
    measurements.push_back({.name = name,
                            .meaning = "a kernel of some 150 instructions, new to every cache, up "
                                       "to its first dispatch",
                            .unavailable = {},
                            .value = time.median_seconds * 1e3,
                            .unit = "ms",
                            .time = time});
  }
  return measurements;
}

}  // namespace lockstep::bench
