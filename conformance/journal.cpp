#include "conformance/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

namespace lockstep::conformance {
namespace {

using nlohmann::json;

constexpr int kFormatVersion = 1;

struct Entries {
  std::vector<RunResult> results;
  std::vector<std::string> finished_cases;
};

tl::unexpected<Error> bad_line(const std::filesystem::path& path, size_t number,
                               std::string_view problem) {
  return make_error(ErrorCode::kInvalidArgument, "journal {}, line {}: {}", path.string(), number,
                    problem);
}

Status check_first_line(const json& line, const std::filesystem::path& path,
                        const Digest& identity) {
  if (!line.is_object() || line.value("journal", json()) != kFormatVersion) {
    return bad_line(path, 1, "this is no journal of this version");
  }
  if (line.value("identity", json()) != identity.hex()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "journal {} belongs to another run: other options, cases, device or driver",
                      path.string());
  }
  return {};
}

Status add_entry(const json& line, const std::filesystem::path& path, size_t number,
                 Entries& entries) {
  if (line.is_object() && line.contains("result")) {
    auto result = run_result_from_json(line["result"]);
    if (!result) return bad_line(path, number, result.error().message);
    entries.results.push_back(std::move(*result));
    return {};
  }
  if (line.is_object() && line.contains("finished") && line["finished"].is_string()) {
    entries.finished_cases.push_back(line["finished"].get<std::string>());
    return {};
  }
  return bad_line(path, number, "neither a result nor a finished case");
}

// `text` consists of whole lines, the first of which says which run it is.
Result<Entries> parse_lines(std::string_view text, const std::filesystem::path& path,
                            const Digest& identity) {
  Entries entries;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const json line = json::parse(text.substr(0, end), nullptr, /*allow_exceptions=*/false);
    text.remove_prefix(end + 1);
    if (line.is_discarded()) return bad_line(path, number, "this is no JSON");
    const Status status = number == 1 ? check_first_line(line, path, identity)
                                      : add_entry(line, path, number, entries);
    if (!status) return tl::unexpected(status.error());
  }
  const std::set<std::string> finished(entries.finished_cases.begin(),
                                       entries.finished_cases.end());
  std::erase_if(entries.results,
                [&](const RunResult& result) { return !finished.contains(result.case_name); });
  return entries;
}

Result<std::string> read_all(std::FILE* file, const std::filesystem::path& path) {
  std::string text;
  std::rewind(file);
  char buffer[1 << 16];
  size_t read = 0;
  while ((read = std::fread(buffer, 1, sizeof(buffer), file)) > 0) text.append(buffer, read);
  if (std::ferror(file) != 0) {
    return make_error(ErrorCode::kInvalidArgument, "journal {} cannot be read", path.string());
  }
  return text;
}

}  // namespace

Result<Journal> Journal::open(const std::filesystem::path& path, const Digest& identity) {
  const auto system_error = [&path](std::string_view what) {
    return make_error(ErrorCode::kInvalidArgument, "journal {}: {}: {}", path.string(), what,
                      std::strerror(errno));
  };
  Journal journal;
  journal.path_ = path;
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor < 0) return system_error("cannot be opened");
  journal.file_.reset(::fdopen(descriptor, "a+"));
  if (!journal.file_) {
    ::close(descriptor);
    return system_error("cannot be opened");
  }
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    return system_error("another process writes it");
  }
  auto text = read_all(journal.file_.get(), path);
  if (!text) return tl::unexpected(text.error());
  const size_t whole_lines = text->rfind('\n') + 1;  // 0 where there is none
  const std::string first_line =
      json{{"journal", kFormatVersion}, {"identity", identity.hex()}}.dump();
  // A torn first line; of anything else not a byte is touched.
  if (whole_lines == 0 && !first_line.starts_with(*text)) {
    return bad_line(path, 1, "this is no journal of this version");
  }
  auto entries = parse_lines(std::string_view(*text).substr(0, whole_lines), path, identity);
  if (!entries) return tl::unexpected(entries.error());
  if (whole_lines < text->size() && ::ftruncate(descriptor, static_cast<off_t>(whole_lines)) != 0) {
    return system_error("its torn last line cannot be cut off");
  }
  journal.earlier_results_ = std::move(entries->results);
  journal.finished_cases_ = std::move(entries->finished_cases);
  if (whole_lines == 0) {
    if (Status status = journal.append_line(first_line); !status) {
      return tl::unexpected(status.error());
    }
  }
  return journal;
}

Status Journal::append_line(const std::string& line) {
  std::FILE* file = file_.get();
  if (std::fwrite(line.data(), 1, line.size(), file) != line.size() ||
      std::fputc('\n', file) == EOF || std::fflush(file) != 0) {
    return make_error(ErrorCode::kInvalidArgument, "journal {} cannot be written: {}",
                      path_.string(), std::strerror(errno));
  }
  return {};
}

Status Journal::append(const RunResult& result) {
  return append_line(
      json{{"result", to_json(result)}}.dump(-1, ' ', false, json::error_handler_t::replace));
}

Status Journal::append_finished(const std::string& case_name) {
  return append_line(
      json{{"finished", case_name}}.dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace lockstep::conformance
