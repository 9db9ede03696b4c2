// numpy's .npz files: zip archives of .npy files.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "graph/status.h"
#include "tools/npy.h"

namespace lockstep::tools {

struct NpzMember {
  std::string name;  // without ".npy", as numpy shows it
  NumberArray array;
};

// What all members of an archive may have together once they are unpacked.
inline constexpr size_t kMaximumNpzSize = size_t{1} << 32;

// Stored and deflated members, in the order of the archive. Refused are archives with anything that
// is no array of numbers (npy.h), with one name twice, or with more than `maximum_size` bytes.
// kUnsupported in builds without libzip.
Result<std::vector<NpzMember>> read_npz(const std::filesystem::path& path,
                                        size_t maximum_size = kMaximumNpzSize);

// Deflated, in whole or not at all, and the same bytes for the same arrays. Names must differ and
// be UTF-8 (kInvalidArgument). kUnsupported in builds without libzip.
Status write_npz(std::span<const NpzMember> members, const std::filesystem::path& path);

}  // namespace lockstep::tools
