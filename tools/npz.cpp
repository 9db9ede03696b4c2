#include "tools/npz.h"

#include <zip.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string_view>

#include "delegate_api/whole_file.h"

namespace lockstep::tools {
namespace {

constexpr std::string_view kSuffix = ".npy";
constexpr size_t kChunk = size_t{1} << 20;
// The first day a zip file can name, 1980-01-01 00:00, as numpy writes it.
constexpr zip_uint16_t kDosTime = 0;
constexpr zip_uint16_t kDosDate = (1 << 5) | 1;

struct ArchiveCloser {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
using Archive = std::unique_ptr<zip_t, ArchiveCloser>;

struct MemberCloser {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using MemberFile = std::unique_ptr<zip_file_t, MemberCloser>;

struct SourceReleaser {
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
using Source = std::unique_ptr<zip_source_t, SourceReleaser>;

std::string message_of(int error_code) {
  zip_error_t error;
  zip_error_init_with_code(&error, error_code);
  std::string message = zip_error_strerror(&error);
  zip_error_fini(&error);
  return message;
}

// What the archive says of one member, all of it checked.
struct MemberEntry {
  std::string name;  // with ".npy"
  size_t size = 0;   // unpacked
};

Result<MemberEntry> read_entry(zip_t* archive, zip_uint64_t index, const std::string& path) {
  zip_stat_t entry;
  zip_stat_init(&entry);
  constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE;
  if (zip_stat_index(archive, index, 0, &entry) != 0 || (entry.valid & kNeeded) != kNeeded) {
    return make_error(ErrorCode::kInvalidArgument, "'{}': damaged: member {} has no name or size",
                      path, index);
  }
  MemberEntry member{.name = entry.name, .size = static_cast<size_t>(entry.size)};
  if (!member.name.ends_with(kSuffix)) {
    return make_error(ErrorCode::kUnsupported, "'{}': '{}' in it is no .npy file", path,
                      graph::printable(member.name));
  }
  return member;
}

// Never more than the entry promised, whatever the compressed bytes expand to.
Result<std::vector<std::byte>> unpack(zip_t* archive, zip_uint64_t index, const MemberEntry& entry,
                                      const std::string& label) {
  const MemberFile file(zip_fopen_index(archive, index, 0));
  if (!file) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' cannot be unpacked: {}", label,
                      zip_strerror(archive));
  }
  std::vector<std::byte> bytes;
  size_t filled = 0;
  while (filled < entry.size) {
    // Grown as it is filled: a promise alone costs no memory.
    bytes.resize(std::min(entry.size, filled + kChunk));
    const zip_int64_t count = zip_fread(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (count <= 0) break;
    filled += static_cast<size_t>(count);
  }
  // The checksum is looked at where the end is met.
  std::byte further{};
  if (filled < entry.size || zip_fread(file.get(), &further, 1) != 0) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}': damaged: it is not the {} bytes that the archive promises", label,
                      entry.size);
  }
  return bytes;
}

Status add_member(zip_t* archive, const std::string& name, std::span<const std::byte> bytes) {
  Source source(zip_source_buffer(archive, bytes.data(), bytes.size(), 0));
  if (!source) return make_error(ErrorCode::kOutOfMemory, "{}", zip_strerror(archive));
  const zip_int64_t index = zip_file_add(archive, name.c_str(), source.get(), ZIP_FL_ENC_UTF_8);
  if (index < 0) return make_error(ErrorCode::kInvalidArgument, "{}", zip_strerror(archive));
  static_cast<void>(source.release());  // it is the archive's now
  const auto member = static_cast<zip_uint64_t>(index);
  if (zip_set_file_compression(archive, member, ZIP_CM_DEFLATE, 0) != 0 ||
      zip_file_set_dostime(archive, member, kDosTime, kDosDate, 0) != 0) {
    return make_error(ErrorCode::kInternal, "{}", zip_strerror(archive));
  }
  return {};
}

// All bytes of a source that an archive was written to.
Result<std::string> contents_of(zip_source_t* source) {
  zip_stat_t entry;
  if (zip_source_stat(source, &entry) != 0 || zip_source_open(source) != 0) {
    return make_error(ErrorCode::kInternal, "{}", zip_error_strerror(zip_source_error(source)));
  }
  std::string contents(static_cast<size_t>(entry.size), '\0');
  const zip_int64_t count = zip_source_read(source, contents.data(), contents.size());
  zip_source_close(source);
  if (count < 0 || static_cast<size_t>(count) != contents.size()) {
    return make_error(ErrorCode::kInternal, "the archive in memory is cut off");
  }
  return contents;
}

// The archive as it will lie in the file.
Result<std::string> archive_of(std::span<const NpzMember> members) {
  if (members.empty()) return make_error(ErrorCode::kInvalidArgument, "there are no arrays");
  zip_error_t error;
  zip_error_init(&error);
  const Source target(zip_source_buffer_create(nullptr, 0, 0, &error));
  Archive archive(target ? zip_open_from_source(target.get(), ZIP_TRUNCATE, &error) : nullptr);
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  if (!archive) return make_error(ErrorCode::kOutOfMemory, "{}", reason);
  zip_source_keep(target.get());  // once for the archive, once for us

  std::vector<std::vector<std::byte>> files;  // must outlive the archive's closing
  files.reserve(members.size());
  for (const NpzMember& member : members) {
    files.push_back(npy_bytes(member.array));
    if (Status added = add_member(archive.get(), member.name + std::string(kSuffix), files.back());
        !added) {
      return make_error(added.error().code, "member '{}': {}", graph::printable(member.name),
                        added.error().message);
    }
  }
  if (zip_close(archive.get()) != 0) {
    return make_error(ErrorCode::kInternal, "{}", zip_strerror(archive.get()));
  }
  static_cast<void>(archive.release());  // closing freed it
  return contents_of(target.get());
}

}  // namespace

Result<std::vector<NpzMember>> read_npz(const std::filesystem::path& path, size_t maximum_size) {
  const std::string file = path.string();
  int error = 0;
  const Archive archive(zip_open(file.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &error));
  if (!archive) {
    return make_error(ErrorCode::kInvalidArgument, "cannot read '{}': {}", file, message_of(error));
  }
  std::vector<NpzMember> members;
  std::set<std::string> names;
  size_t total_size = 0;
  const auto count = static_cast<zip_uint64_t>(zip_get_num_entries(archive.get(), 0));
  for (zip_uint64_t index = 0; index < count; ++index) {
    auto entry = read_entry(archive.get(), index, file);
    if (!entry) return tl::unexpected(entry.error());
    if (!names.insert(entry->name).second) {
      return make_error(ErrorCode::kInvalidArgument, "'{}' holds '{}' twice", file,
                        graph::printable(entry->name));
    }
    if (entry->size > maximum_size - total_size) {
      return make_error(ErrorCode::kUnsupported, "'{}' unpacks to more than {} bytes", file,
                        maximum_size);
    }
    total_size += entry->size;
    const std::string label = fmt::format("{}[{}]", file, graph::printable(entry->name));
    const auto bytes = unpack(archive.get(), index, *entry, label);
    if (!bytes) return tl::unexpected(bytes.error());
    auto array = parse_npy(*bytes, label);
    if (!array) return tl::unexpected(array.error());
    entry->name.resize(entry->name.size() - kSuffix.size());
    members.push_back({.name = std::move(entry->name), .array = std::move(*array)});
  }
  return members;
}

Status write_npz(std::span<const NpzMember> members, const std::filesystem::path& path) {
  const auto archive = archive_of(members);
  if (!archive) {
    return make_error(archive.error().code, "cannot write '{}': {}", path.string(),
                      archive.error().message);
  }
  return delegate::write_whole_file(path.string(), *archive, "the arrays");
}

}  // namespace lockstep::tools
