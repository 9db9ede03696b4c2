// A folder of our own that is gone afterwards.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace lockstep::bench {

// Where no folder can be made, path() is one that does not exist: what is written there fails and
// says so.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code problem;
    std::string name =
        (std::filesystem::temp_directory_path(problem) / "lockstep-bench-XXXXXX").string();
    static_cast<void>(mkdtemp(name.data()));
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace lockstep::bench
