#include "backend/cache_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <system_error>
#include <thread>

namespace lockstep::backend {
namespace {

namespace fs = std::filesystem;

constexpr std::array<char, 8> kMagic{'L', 'O', 'C', 'K', 'S', 'T', 'E', 'P'};
constexpr uint32_t kFormatVersion = 2;
// Far above any real cache; keeps a damaged file from filling the memory.
constexpr size_t kMaximumFileBytes = size_t{256} << 20;
constexpr std::chrono::milliseconds kLockPatience{1000};
constexpr std::chrono::milliseconds kLockRetry{2};
constexpr const char* kLockName = "lock";

struct Header {
  std::array<char, 8> magic = kMagic;
  uint32_t format_version = kFormatVersion;
  uint32_t key_bytes = 0;
  uint64_t payload_bytes = 0;
  uint64_t checksum = 0;
};
static_assert(sizeof(Header) == 32, "the header must have no padding");

std::string key_text(const CacheKey& key) {
  return fmt::format("{}\n{}\n{}", key.kind, key.device, key.build);
}

uint64_t checksum_of(std::string_view key, std::span<const std::byte> payload) {
  return fnv1a(payload, fnv1a(std::as_bytes(std::span(key))));
}

tl::unexpected<Error> cannot(std::string_view what, const fs::path& path, std::string_view reason) {
  return make_error(ErrorCode::kNotFound, "cannot {} {}: {}", what, path.string(), reason);
}

std::string system_message() { return std::generic_category().message(errno); }

// An advisory lock on a folder, given back when it goes or when its process ends.
class FolderLock {
 public:
  FolderLock() = default;
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock() {
    if (descriptor_ >= 0) {
      ::close(descriptor_);
    }
  }

  Status acquire(const fs::path& folder) {
    const fs::path file = folder / kLockName;
    descriptor_ = ::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    if (descriptor_ < 0) {
      return cannot("open", file, system_message());
    }
    const auto deadline = std::chrono::steady_clock::now() + kLockPatience;
    while (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) {
        return cannot("lock", file, system_message());
      }
      if (std::chrono::steady_clock::now() > deadline) {
        return cannot("lock", file, "another process keeps it locked");
      }
      std::this_thread::sleep_for(kLockRetry);
    }
    return {};
  }

 private:
  int descriptor_ = -1;
};

// Writes beside the file, then renames.
Status replace_file(const fs::path& file, const CacheKey& key, std::span<const std::byte> payload) {
  static std::atomic<uint32_t> counter{0};
  const std::string text = key_text(key);
  Header header;
  header.key_bytes = static_cast<uint32_t>(text.size());
  header.payload_bytes = payload.size();
  header.checksum = checksum_of(text, payload);
  fs::path temporary = file;
  temporary += fmt::format(".{}-{}", ::getpid(), counter.fetch_add(1));
  std::error_code problem;
  {
    std::ofstream stream(temporary, std::ios::binary | std::ios::trunc);
    stream.write(reinterpret_cast<const char*>(&header), sizeof header);
    stream.write(text.data(), static_cast<std::streamsize>(text.size()));
    stream.write(reinterpret_cast<const char*>(payload.data()),
                 static_cast<std::streamsize>(payload.size()));
    stream.close();
    if (!stream) {
      fs::remove(temporary, problem);
      return cannot("write", temporary, "is the disk full?");
    }
  }
  fs::rename(temporary, file, problem);
  if (problem) {
    const std::string reason = problem.message();
    fs::remove(temporary, problem);
    return cannot("replace", file, reason);
  }
  return {};
}

}  // namespace

uint64_t fnv1a(std::span<const std::byte> bytes, uint64_t hash) {
  for (const std::byte value : bytes) {
    hash = (hash ^ std::to_integer<uint64_t>(value)) * 0x100000001b3u;
  }
  return hash;
}

std::string default_cache_folder() {
  const auto absolute = [](const char* name) {
    const char* const value = std::getenv(name);
    const fs::path path = value == nullptr ? "" : value;
    return path.is_absolute() ? path : fs::path();
  };
  if (const fs::path caches = absolute("XDG_CACHE_HOME"); !caches.empty()) {
    return (caches / "lockstep").string();
  }
  const fs::path home = absolute("HOME");
  return home.empty() ? std::string() : (home / ".cache" / "lockstep").string();
}

fs::path cache_file_path(const fs::path& folder, const CacheKey& key) {
  const uint64_t hash = fnv1a(std::as_bytes(std::span<const char>(key.device)));
  return folder / fmt::format("{}-{:016x}.bin", key.kind, hash);
}

std::vector<std::byte> load_cache_file(const fs::path& folder, const CacheKey& key) {
  const fs::path file = cache_file_path(folder, key);
  const std::string text = key_text(key);
  // Of the file that is open, not of its name: that may be another file by now.
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  const auto end = stream ? static_cast<std::streamoff>(stream.tellg()) : std::streamoff{-1};
  const size_t file_bytes = end < 0 ? 0 : static_cast<size_t>(end);
  if (file_bytes < sizeof(Header) + text.size() || file_bytes > kMaximumFileBytes) {
    return {};
  }
  stream.seekg(0);
  Header header;
  std::string found_text(text.size(), '\0');
  std::vector<std::byte> payload(file_bytes - sizeof(Header) - text.size());
  stream.read(reinterpret_cast<char*>(&header), sizeof header);
  stream.read(found_text.data(), static_cast<std::streamsize>(found_text.size()));
  stream.read(reinterpret_cast<char*>(payload.data()),
              static_cast<std::streamsize>(payload.size()));
  const bool is_ours = stream && header.magic == kMagic &&
                       header.format_version == kFormatVersion && header.key_bytes == text.size() &&
                       found_text == text && header.payload_bytes == payload.size() &&
                       header.checksum == checksum_of(text, payload);
  return is_ours ? payload : std::vector<std::byte>();
}

Status update_cache_file(const fs::path& folder, const CacheKey& key, const MergeCache& merge) {
  std::error_code problem;
  fs::create_directories(folder, problem);
  if (problem) {
    return cannot("create the folder", folder, problem.message());
  }
  FolderLock lock;
  if (Status status = lock.acquire(folder); !status) {
    return status;
  }
  const std::vector<std::byte> existing = load_cache_file(folder, key);
  const std::vector<std::byte> merged = merge(existing);
  if (std::ranges::equal(merged, existing)) {
    return {};
  }
  return replace_file(cache_file_path(folder, key), key, merged);
}

}  // namespace lockstep::backend
