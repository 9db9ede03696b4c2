// In place of npz.cpp in builds without libzip.
#include "tools/npz.h"

namespace lockstep::tools {
namespace {

tl::unexpected<Error> unavailable(const std::filesystem::path& path) {
  return make_error(ErrorCode::kUnsupported,
                    "'{}': this build has no libzip, so it knows no .npz files; .npy files it does",
                    path.string());
}

}  // namespace

Result<std::vector<NpzMember>> read_npz(const std::filesystem::path& path, size_t) {
  return unavailable(path);
}

Status write_npz(std::span<const NpzMember>, const std::filesystem::path& path) {
  return unavailable(path);
}

}  // namespace lockstep::tools
