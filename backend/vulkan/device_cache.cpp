#include "backend/vulkan/device_cache.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "backend/vulkan/build_identity.h"

namespace lockstep::backend::vulkan {

DeviceCache::DeviceCache(const PhysicalDevice& device, const DeviceOptions& options)
    : folder_(options.cache_dir),
      device_(fmt::format("{} {} vendor {:#x} device {:#x} driver {:#x} cache {:02x} uuids {} {}",
                          device.description.name, device.description.driver,
                          device.description.vendor_id, device.description.device_id,
                          device.description.driver_version,
                          fmt::join(device.pipeline_cache_uuid, ""), device.description.device_uuid,
                          device.description.driver_uuid)),
      log_(options.log) {}

CacheKey DeviceCache::key_for(std::string_view kind, std::string_view detail) const {
  return {std::string(kind), fmt::format("{} {}", device_, detail), std::string(build_identity())};
}

std::vector<std::byte> DeviceCache::load(std::string_view kind, std::string_view detail) const {
  return is_enabled() ? load_cache_file(folder_, key_for(kind, detail)) : std::vector<std::byte>();
}

void DeviceCache::update(std::string_view kind, std::string_view detail, const MergeCache& merge) {
  if (!is_enabled()) {
    return;
  }
  const Status status = update_cache_file(folder_, key_for(kind, detail), merge);
  if (status) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(has_warned_, true)) {
      return;
    }
  }
  log(LogSeverity::kWarning, "nothing is kept for the next start: " + status.error().message);
}

void DeviceCache::log(LogSeverity severity, const std::string& message) const {
  if (log_) {
    log_(severity, message);
  }
}

}  // namespace lockstep::backend::vulkan
