#include "graph/appended_archive.h"

#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>

namespace lockstep::graph {
namespace {

// The parts of an archive and the numbers in them that matter here, little-endian like all of them.
constexpr uint32_t kMemberSignature = 0x04034b50;     // "PK\3\4"
constexpr uint32_t kDirectorySignature = 0x02014b50;  // "PK\1\2": an entry of the directory
constexpr size_t kDirectoryEntrySize = 46;            // followed by a name and two more texts
constexpr size_t kTextSizesAt = 28;                   // three of 16 bits
constexpr size_t kMemberPositionAt = 42;
constexpr uint32_t kEndSignature = 0x06054b50;  // "PK\5\6"
constexpr size_t kEndSize = 22;                 // followed by a comment
constexpr size_t kDiskNumbersAt = 4;            // two of 16 bits, 0 in an archive of one part
constexpr size_t kEntryCountAt = 10;
constexpr size_t kDirectorySizeAt = 12;
constexpr size_t kDirectoryPositionAt = 16;
constexpr size_t kCommentSizeAt = 20;

template <typename T>
T load(std::span<const std::byte> bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.subspan(at, sizeof(T)).data(), sizeof(T));
  return value;
}

void store(std::span<std::byte> bytes, size_t at, uint32_t value) {
  std::memcpy(bytes.subspan(at, sizeof(value)).data(), &value, sizeof(value));
}

std::optional<size_t> find_end_record(std::span<const std::byte> archive) {
  constexpr size_t kLongestComment = std::numeric_limits<uint16_t>::max();
  for (size_t behind = kEndSize; behind <= archive.size() && behind <= kEndSize + kLongestComment;
       ++behind) {
    const size_t at = archive.size() - behind;
    if (load<uint32_t>(archive, at) == kEndSignature &&
        load<uint16_t>(archive, at + kCommentSizeAt) == behind - kEndSize) {
      return at;
    }
  }
  return std::nullopt;
}

tl::unexpected<Error> damaged() {
  return make_error(ErrorCode::kUnsupported, "the archive's directory is damaged");
}

}  // namespace

Status place_archive(std::span<std::byte> archive, size_t position) {
  const auto end = find_end_record(archive);
  if (!end) return {};
  const size_t count = load<uint16_t>(archive, *end + kEntryCountAt);
  const uint32_t recorded_position = load<uint32_t>(archive, *end + kDirectoryPositionAt);
  // The last value of a type says that the number stands elsewhere.
  if (load<uint32_t>(archive, *end + kDiskNumbersAt) != 0 ||
      count == std::numeric_limits<uint16_t>::max() ||
      recorded_position == std::numeric_limits<uint32_t>::max()) {
    return make_error(ErrorCode::kUnsupported,
                      "they are a ZIP archive of several parts or of more than 4 GiB");
  }
  const size_t directory_size = load<uint32_t>(archive, *end + kDirectorySizeAt);
  if (directory_size > *end) return damaged();
  const size_t directory = *end - directory_size;
  // Both directions in one number, modulo 2^32: what positions lack to count from the archive.
  const uint32_t to_archive = static_cast<uint32_t>(directory) - recorded_position;
  const auto offset = static_cast<uint32_t>(position);

  size_t at = directory;
  for (size_t i = 0; i < count; ++i) {
    if (*end - at < kDirectoryEntrySize || load<uint32_t>(archive, at) != kDirectorySignature) {
      return damaged();
    }
    const uint32_t member = load<uint32_t>(archive, at + kMemberPositionAt) + to_archive;
    if (member >= directory || directory - member < sizeof(kMemberSignature) ||
        load<uint32_t>(archive, member) != kMemberSignature) {
      return damaged();
    }
    store(archive, at + kMemberPositionAt, member + offset);
    size_t size = kDirectoryEntrySize;
    for (size_t text = 0; text < 3; ++text) {
      size += load<uint16_t>(archive, at + kTextSizesAt + text * sizeof(uint16_t));
    }
    if (size > *end - at) return damaged();
    at += size;
  }
  if (at != *end) return damaged();
  store(archive, *end + kDirectoryPositionAt, static_cast<uint32_t>(directory) + offset);
  return {};
}

}  // namespace lockstep::graph
