// The driver's compiled pipelines on disk. Drivers have crashed on damaged or foreign blobs, so the
// file is checksummed and bound to the exact driver that wrote it; whatever does not fit is treated
// as absent.
#pragma once

#include <volk.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "graph/status.h"

namespace lockstep::backend::vulkan {

// The driver and device a blob belongs to.
struct PipelineCacheKey {
  uint32_t vendor_id = 0;
  uint32_t device_id = 0;
  uint32_t driver_version = 0;
  std::array<uint8_t, VK_UUID_SIZE> pipeline_cache_uuid{};
};

// A file name that differs between keys.
std::string pipeline_cache_file_name(const PipelineCacheKey& key);

// The blob, or nothing when the file is absent, damaged, or another key's or version's.
std::vector<std::byte> load_pipeline_cache(const std::filesystem::path& file,
                                           const PipelineCacheKey& key);

// Replaces the file at once (write beside it, then rename), so that other processes see the old
// contents or the new. Makes missing folders.
Status save_pipeline_cache(const std::filesystem::path& file, const PipelineCacheKey& key,
                           std::span<const std::byte> blob);

}  // namespace lockstep::backend::vulkan
