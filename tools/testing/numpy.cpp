#include "tools/testing/numpy.h"

#include <array>
#include <cstdio>

namespace lockstep::tools::testing {
namespace {

// A Python of the user's own, or the one that Debian's python3-numpy belongs to.
constexpr std::array<const char*, 2> kInterpreters = {"python3", "/usr/bin/python3"};

std::string output_of(const std::string& command) {
  std::string output;
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return output;
  std::array<char, 4096> buffer{};
  while (const size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), count);
  }
  pclose(pipe);
  return output;
}

std::string with_numpy(const std::string& interpreter, const std::string& program) {
  return output_of(interpreter + " - 2>&1 <<'PROGRAM'\nimport numpy\n" + program + "\nPROGRAM\n");
}

std::optional<std::string> find_interpreter() {
  for (const char* interpreter : kInterpreters) {
    if (with_numpy(interpreter, "print('there')") == "there\n") return interpreter;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> run_numpy(const std::string& program) {
  static const std::optional<std::string> interpreter = find_interpreter();
  if (!interpreter) return std::nullopt;
  return with_numpy(*interpreter, program);
}

}  // namespace lockstep::tools::testing
