// What is kept on disk for one device: DeviceOptions::cache_dir, with the device's key.
#pragma once

#include <cstddef>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "backend/cache_file.h"
#include "backend/device.h"
#include "backend/vulkan/physical_device.h"

namespace lockstep::backend::vulkan {

// Thread-safe.
class DeviceCache {
 public:
  // Keys are made of vendor, device, driver version and UUIDs, and of build_identity().
  DeviceCache(const PhysicalDevice& device, const DeviceOptions& options);
  DeviceCache(const DeviceCache&) = delete;
  DeviceCache& operator=(const DeviceCache&) = delete;

  bool is_enabled() const { return !folder_.empty(); }

  // Nothing where there is no folder, or no good file in it. `detail`: what the contents depend on
  // besides the device.
  std::vector<std::byte> load(std::string_view kind, std::string_view detail = {}) const;

  // See update_cache_file(). Where that fails, the log gets a warning, once: a cache that cannot be
  // written costs time at the next start and nothing else.
  void update(std::string_view kind, std::string_view detail, const MergeCache& merge);

  void log(LogSeverity severity, const std::string& message) const;

 private:
  CacheKey key_for(std::string_view kind, std::string_view detail) const;

  std::filesystem::path folder_;
  std::string device_;
  Log log_;
  std::mutex mutex_;
  bool has_warned_ = false;
};

}  // namespace lockstep::backend::vulkan
