// Files that save time at the next start and may be lost at any moment: the driver's compiled
// pipelines, measured choices of kernels. A file belongs to one kind of contents, one device with
// one driver, and one build of this project; whatever is damaged, or belongs to somebody else, is
// treated as absent and replaced (drivers have crashed on damaged or foreign pipeline caches).
//
//   magic "LOCKSTEP" | format version u32 | bytes of key u32 | bytes of payload u64
//   | checksum of key and payload u64 | key | payload
// in the byte order of the machine that writes and reads it.
//
// Several processes and threads may use one folder at once: files are replaced whole, and
// update_cache_file() lets one of them at a time read, merge and write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/status.h"

namespace lockstep::backend {

struct CacheKey {
  std::string kind;    // "pipelines"; letters only
  std::string device;  // device, driver and its version, UUIDs: any text
  std::string build;  // what else the contents depend on, of ours. Not part of the file's name: the
                      // next build takes over the file.
};

// $XDG_CACHE_HOME/lockstep, or ~/.cache/lockstep where that is unset or no absolute path; empty
// where there is no home either.
std::string default_cache_folder();

std::filesystem::path cache_file_path(const std::filesystem::path& folder, const CacheKey& key);

// The payload, or nothing when the file is absent, damaged or not `key`'s.
std::vector<std::byte> load_cache_file(const std::filesystem::path& folder, const CacheKey& key);

// From what the file holds (nothing: no good file is there) to what it shall hold.
using MergeCache = std::function<std::vector<std::byte>(std::span<const std::byte> existing)>;

// Replaces the file by what `merge` makes of it; does not touch it where that is what it holds
// already. Nobody else updates a file of the folder meanwhile, and readers see the old contents or
// the new. Makes missing folders. An error says what cannot be written, or that somebody else keeps
// the folder locked for more than a second; nothing is lost then but time.
Status update_cache_file(const std::filesystem::path& folder, const CacheKey& key,
                         const MergeCache& merge);

// FNV-1a, 64 bits.
uint64_t fnv1a(std::span<const std::byte> bytes, uint64_t hash = 0xcbf29ce484222325u);

}  // namespace lockstep::backend
