#include "bench/device/device_memory.h"

#include <algorithm>
#include <optional>

#include "bench/device/micro_kernel.h"

namespace lockstep::bench {
namespace {

using backend::vulkan::Buffer;
using backend::vulkan::LogicalDevice;
using backend::vulkan::MemoryUse;

constexpr uint32_t kFill = 0x01020304u;
constexpr uint32_t kUnitBytes = 16;
constexpr uint32_t kLocalSize = 64;
constexpr uint32_t kReadWorkgroups = 1024;

// The largest buffer up to `bytes` that the device has room for three times over: the smaller
// ones fit into caches, which are not what is asked for.
struct Buffers {
  Buffer first;
  Buffer second;
  Buffer upload;
  Buffer download;
};

Result<Buffers> create_buffers(const LogicalDevice& device, uint64_t bytes) {
  Buffers buffers;
  const struct {
    Buffer& buffer;
    MemoryUse use;
  } wanted[] = {{buffers.first, MemoryUse::kDevice},
                {buffers.second, MemoryUse::kDevice},
                {buffers.upload, MemoryUse::kUpload},
                {buffers.download, MemoryUse::kDownload}};
  for (const auto& each : wanted) {
    auto created = Buffer::create(device, bytes, each.use, "measuring memory");
    if (!created) return tl::unexpected(created.error());
    each.buffer = std::move(*created);
  }
  return buffers;
}

constexpr const char* kUploadName = "memory/upload";
constexpr const char* kCopyName = "memory/copy";
constexpr const char* kReadName = "memory/read";
constexpr const char* kDownloadName = "memory/download";
constexpr const char* kNames[] = {kUploadName, kCopyName, kReadName, kDownloadName};

struct TimedCopy {
  std::string name;
  std::string meaning;
  double bytes = 0;  // read and written
  TimedCommands commands;
};

}  // namespace

Result<std::vector<DeviceMeasurement>> measure_memory(const LogicalDevice& device,
                                                      const DeviceBenchmarkOptions& options,
                                                      const IsWanted& is_wanted) {
  if (std::ranges::none_of(kNames, [&](const char* name) { return is_wanted(name); })) {
    return std::vector<DeviceMeasurement>{};
  }
  const VolkDeviceTable& vk = device.functions();
  constexpr uint64_t kReadBytesAtOnce = uint64_t{kUnitBytes} * kLocalSize * kReadWorkgroups;
  uint64_t bytes = std::min<uint64_t>(options.quick ? 64u << 20 : 128u << 20,
                                      device.capabilities().max_storage_buffer_range);
  bytes = std::max(bytes / kReadBytesAtOnce, uint64_t{1}) * kReadBytesAtOnce;
  auto buffers = create_buffers(device, bytes);
  while (!buffers && buffers.error().code == ErrorCode::kOutOfMemory && bytes > kReadBytesAtOnce) {
    bytes = bytes / 2 / kReadBytesAtOnce * kReadBytesAtOnce;
    buffers = create_buffers(device, bytes);
  }
  if (!buffers) return tl::unexpected(buffers.error());
  auto sums = Buffer::create(device, uint64_t{4} * kLocalSize * kReadWorkgroups,
                             MemoryUse::kDownload, "sums of memory");
  if (!sums) return tl::unexpected(sums.error());

  // Every page is there, and every word known, before anything is timed.
  const auto words = static_cast<size_t>(bytes / sizeof(uint32_t));
  std::fill_n(reinterpret_cast<uint32_t*>(buffers->upload.mapped()), words, kFill);
  if (Status status = buffers->upload.flush(device); !status) {
    return tl::unexpected(status.error());
  }
  const VkBufferCopy whole{0, 0, bytes};
  const auto copy = [&](const Buffer& from, const Buffer& to) {
    return [&vk, &from, &to, whole](VkCommandBuffer commands) {
      vk.vkCmdCopyBuffer(commands, from.get(), to.get(), 1, &whole);
    };
  };
  const auto reads = static_cast<uint32_t>(bytes / kReadBytesAtOnce);
  auto kernel =
      MicroKernel::create(device, {.module = "read_memory",
                                   .specialization = {kLocalSize},
                                   .push_constants = {reads, kLocalSize * kReadWorkgroups},
                                   .buffers = {&buffers->second, &*sums},
                                   .workgroups = {kReadWorkgroups, 1, 1}});
  if (!kernel) return tl::unexpected(kernel.error());

  // In this order each finds what the one before has made.
  const auto size = fmt::format("{} MiB", bytes >> 20);
  const auto once = static_cast<double>(bytes);
  struct Description {
    std::string name;
    std::string meaning;
    double bytes;
    TimedCommands::Record record;
  };
  const Description descriptions[] = {
      {kUploadName, "host memory to device memory, " + size, once,
       copy(buffers->upload, buffers->first)},
      {kCopyName, "device memory to device memory, read and written bytes, " + size, 2 * once,
       copy(buffers->first, buffers->second)},
      {kReadName, "device memory read by a shader, " + size, once,
       [&](VkCommandBuffer commands) { kernel->record(commands); }},
      {kDownloadName, "device memory to host memory, " + size, once,
       copy(buffers->second, buffers->download)}};
  std::vector<TimedCopy> copies;
  for (const Description& each : descriptions) {
    auto commands = TimedCommands::create(device, each.record);
    if (!commands) return tl::unexpected(commands.error());
    copies.push_back({each.name, each.meaning, each.bytes, std::move(*commands)});
    if (const auto warm = copies.back().commands.run(); !warm) return tl::unexpected(warm.error());
  }
  for (const Buffer* buffer : {&buffers->download, &*sums}) {
    if (Status status = buffer->invalidate(device); !status) return tl::unexpected(status.error());
  }
  const auto* downloaded = reinterpret_cast<const uint32_t*>(buffers->download.mapped());
  const auto* sum = reinterpret_cast<const uint32_t*>(sums->mapped());
  if (!std::all_of(downloaded, downloaded + words, [](uint32_t word) { return word == kFill; }) ||
      !std::all_of(sum, sum + kLocalSize * kReadWorkgroups,
                   [&](uint32_t each) { return each == reads * 4u * kFill; })) {
    return make_error(
        ErrorCode::kInternal,
        "'{}' copies or reads memory wrongly: {} went through it and came back changed",
        device.physical().description.name, size);
  }

  std::erase_if(copies, [&](const TimedCopy& each) { return !is_wanted(each.name); });
  std::vector<Competitor> competitors;
  for (TimedCopy& each : copies) {
    competitors.push_back({each.name, [&each]() -> Result<double> {
                             const auto time = each.commands.run();
                             if (!time) return tl::unexpected(time.error());
                             return time->best();
                           }});
  }
  const auto seconds = measure(competitors, options.measure);
  if (!seconds) return tl::unexpected(seconds.error());
  std::vector<DeviceMeasurement> measurements;
  for (size_t i = 0; i < copies.size(); ++i) {
    const TimeSummary time = summarise((*seconds)[i]);
    measurements.push_back({.name = copies[i].name,
                            .meaning = copies[i].meaning,
                            .unavailable = {},
                            .value = copies[i].bytes * 1e-9 / time.median_seconds,
                            .unit = "GB/s",
                            .time = time});
  }
  return measurements;
}

}  // namespace lockstep::bench
