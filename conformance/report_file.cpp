#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>

#include "conformance/report.h"
#include "conformance/text.h"

namespace lockstep::conformance {

namespace {

using nlohmann::json;

constexpr uintmax_t kMaximumFileBytes = uintmax_t{1} << 30;

}  // namespace

Result<json> read_json_file(const std::filesystem::path& path) {
  std::error_code problem;
  const uintmax_t size = std::filesystem::file_size(path, problem);
  if (problem) {
    return make_error(ErrorCode::kNotFound, "cannot read '{}': {}", path.string(),
                      problem.message());
  }
  if (size > kMaximumFileBytes) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' has {} bytes, more than a report may",
                      path.string(), size);
  }
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) {
    return make_error(ErrorCode::kNotFound, "cannot read '{}': {}", path.string(),
                      std::strerror(errno));
  }
  try {
    return json::parse(text);
  } catch (const json::exception& exception) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' is not JSON: {}", path.string(),
                      one_line(exception.what()));
  }
}

Result<Report> read_report(const std::filesystem::path& path) {
  const Result<json> json = read_json_file(path);
  if (!json) return tl::unexpected(json.error());
  return report_from_json(*json, path.string());
}

Status write_file(const std::filesystem::path& path, std::string_view contents) {
  std::filesystem::path partial = path;
  partial += ".partial";
  std::ofstream file(partial, std::ios::binary | std::ios::trunc);
  file.write(contents.data(), static_cast<std::streamsize>(contents.size()));
  file.close();
  if (!file) {
    const std::string reason = std::strerror(errno);
    std::error_code ignored;
    std::filesystem::remove(partial, ignored);
    return make_error(ErrorCode::kInvalidArgument, "cannot write '{}': {}", partial.string(),
                      reason);
  }
  std::error_code problem;
  std::filesystem::rename(partial, path, problem);
  if (problem) {
    std::error_code ignored;
    std::filesystem::remove(partial, ignored);
    return make_error(ErrorCode::kInvalidArgument, "cannot write '{}': {}", path.string(),
                      problem.message());
  }
  return {};
}

}  // namespace lockstep::conformance
