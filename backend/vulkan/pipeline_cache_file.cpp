#include "backend/vulkan/pipeline_cache_file.h"

#include <unistd.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <string_view>
#include <system_error>

namespace lockstep::backend::vulkan {
namespace {

constexpr std::array<char, 8> kMagic{'L', 'O', 'C', 'K', 'S', 'T', 'E', 'P'};
constexpr uint32_t kFormatVersion = 1;
// Far above any real cache; keeps a damaged file from filling the memory.
constexpr uintmax_t kMaximumFileBytes = uintmax_t{256} << 20;

// What the file starts with; written and read only on the machine whose driver made the blob, so
// in that machine's byte order.
struct Header {
  std::array<char, 8> magic = kMagic;
  uint32_t format_version = kFormatVersion;
  uint32_t vendor_id = 0;
  uint32_t device_id = 0;
  uint32_t driver_version = 0;
  std::array<uint8_t, VK_UUID_SIZE> pipeline_cache_uuid{};
  uint64_t program_version = 0;  // of the version string
  uint64_t blob_bytes = 0;
  uint64_t blob_checksum = 0;
};
static_assert(sizeof(Header) == 64, "the header must have no padding");

// FNV-1a, 64 bits.
uint64_t checksum(std::span<const std::byte> bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const std::byte value : bytes) {
    hash = (hash ^ std::to_integer<uint64_t>(value)) * 0x100000001b3u;
  }
  return hash;
}

Header header_for(const PipelineCacheKey& key, std::span<const std::byte> blob) {
  Header header;
  header.vendor_id = key.vendor_id;
  header.device_id = key.device_id;
  header.driver_version = key.driver_version;
  header.pipeline_cache_uuid = key.pipeline_cache_uuid;
  constexpr std::string_view kVersion = LOCKSTEP_VERSION;
  header.program_version = checksum(std::as_bytes(std::span(kVersion)));
  header.blob_bytes = blob.size();
  header.blob_checksum = checksum(blob);
  return header;
}

}  // namespace

std::string pipeline_cache_file_name(const PipelineCacheKey& key) {
  const uint64_t hash = checksum(std::as_bytes(std::span(key.pipeline_cache_uuid)));
  return fmt::format("pipelines-{:04x}-{:04x}-{:08x}-{:016x}.bin", key.vendor_id, key.device_id,
                     key.driver_version, hash);
}

std::vector<std::byte> load_pipeline_cache(const std::filesystem::path& file,
                                           const PipelineCacheKey& key) {
  std::error_code problem;
  const uintmax_t file_bytes = std::filesystem::file_size(file, problem);
  if (problem || file_bytes < sizeof(Header) || file_bytes > kMaximumFileBytes) {
    return {};
  }
  std::ifstream stream(file, std::ios::binary);
  Header header;
  stream.read(reinterpret_cast<char*>(&header), sizeof header);
  std::vector<std::byte> blob(file_bytes - sizeof(Header));
  stream.read(reinterpret_cast<char*>(blob.data()), static_cast<std::streamsize>(blob.size()));
  if (!stream) {
    return {};
  }
  const Header expected = header_for(key, blob);
  if (std::memcmp(&header, &expected, sizeof header) != 0) {
    return {};
  }
  return blob;
}

Status save_pipeline_cache(const std::filesystem::path& file, const PipelineCacheKey& key,
                           std::span<const std::byte> blob) {
  static std::atomic<uint32_t> counter{0};
  std::error_code problem;
  std::filesystem::create_directories(file.parent_path(), problem);
  if (problem) {
    return make_error(ErrorCode::kNotFound, "cannot create the folder {}: {}",
                      file.parent_path().string(), problem.message());
  }
  std::filesystem::path temporary = file;
  temporary += fmt::format(".{}-{}", ::getpid(), counter.fetch_add(1));
  const Header header = header_for(key, blob);
  {
    std::ofstream stream(temporary, std::ios::binary | std::ios::trunc);
    stream.write(reinterpret_cast<const char*>(&header), sizeof header);
    stream.write(reinterpret_cast<const char*>(blob.data()),
                 static_cast<std::streamsize>(blob.size()));
    stream.close();
    if (!stream) {
      std::filesystem::remove(temporary, problem);
      return make_error(ErrorCode::kNotFound, "cannot write {}", temporary.string());
    }
  }
  std::filesystem::rename(temporary, file, problem);
  if (problem) {
    const std::string reason = problem.message();
    std::filesystem::remove(temporary, problem);
    return make_error(ErrorCode::kNotFound, "cannot replace {}: {}", file.string(), reason);
  }
  return {};
}

}  // namespace lockstep::backend::vulkan
