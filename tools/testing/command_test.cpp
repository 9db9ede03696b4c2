#include "tools/testing/command_test.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>

namespace lockstep::tools::testing {

Outcome lockstep(const std::string& arguments, const std::string& environment) {
  const std::string command = environment + " '" LOCKSTEP_PROGRAM "' " + arguments + " 2>&1";
  Outcome outcome;
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) {
    ADD_FAILURE() << "cannot start: " << command;
    return outcome;
  }
  std::array<char, 4096> buffer{};
  while (const size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    outcome.text.append(buffer.data(), count);
  }
  const int status = pclose(pipe);
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return outcome;
}

void CommandTest::SetUp() {
  folder_ = std::filesystem::path(::testing::TempDir()) /
            ("lockstep_command_test_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder_);
}

void CommandTest::TearDown() { std::filesystem::remove_all(folder_); }

void CommandTest::write(const std::string& name, const std::vector<std::byte>& bytes) const {
  std::ofstream file(folder_ / name, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

nlohmann::json CommandTest::read_json(const std::string& name) const {
  std::ifstream file(path(name));
  return nlohmann::json::parse(file);
}

}  // namespace lockstep::tools::testing
