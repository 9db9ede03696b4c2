#include "delegate_api/whole_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace lockstep::delegate {

Status write_whole_file(const std::string& path, std::string_view contents, std::string_view what) {
  const std::string temporary = path + ".partial";
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file << contents;
  file.close();
  if (!file || std::rename(temporary.c_str(), path.c_str()) != 0) {
    const std::string reason = std::strerror(errno);
    std::remove(temporary.c_str());
    return make_error(ErrorCode::kNotFound, "cannot write {} '{}': {}", what, path, reason);
  }
  return {};
}

}  // namespace lockstep::delegate
