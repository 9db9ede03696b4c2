#include "tools/installation.h"

#include <cstdlib>
#include <initializer_list>

namespace lockstep::tools {
namespace {

// The folder above the one the running program is in: build/ or the installation's prefix.
std::filesystem::path prefix() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::filesystem::path() : program.parent_path().parent_path();
}

bool is_there(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

}  // namespace

Result<std::filesystem::path> find_plugin(const std::filesystem::path& given) {
  std::filesystem::path path = given;
  if (path.empty()) {
    path = prefix() / "lib" / "liblockstep_tflite.so";
    const auto installed = prefix() / LOCKSTEP_INSTALL_LIBRARY_FOLDER / "liblockstep_tflite.so";
    if (!is_there(path) && is_there(installed)) path = installed;
  }
  if (is_there(path)) return path;
  return make_error(ErrorCode::kNotFound,
                    "there is no delegate plugin at '{}'; name it with --plugin", path.string());
}

Result<std::filesystem::path> find_tflite(const std::filesystem::path& given) {
  std::filesystem::path path = given;
  if (path.empty()) {
    const char* variable = std::getenv("LOCKSTEP_TFLITE_LIBRARY");
    path = variable != nullptr && *variable != '\0'
               ? std::filesystem::path(variable)
               : prefix() / "third_party" / "tflite-2.9" / "lib" / "libtensorflowlite_c.so";
  }
  if (is_there(path)) return path;
  return make_error(ErrorCode::kNotFound,
                    "there is no TensorFlow Lite library at '{}'; scripts/fetch.sh brings one, or "
                    "name yours with --tflite or LOCKSTEP_TFLITE_LIBRARY",
                    path.string());
}

}  // namespace lockstep::tools
