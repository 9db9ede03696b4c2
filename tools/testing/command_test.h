// `lockstep` as a user meets it, for tests: a program that is started by a shell, and a folder for
// its files.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace lockstep::tools::testing {

struct Outcome {
  int exit_code = -1;  // negative: the signal that ended it
  std::string text;    // stdout and stderr
};

// `arguments` as a shell reads them; `environment`: "NAME=value ..." for this one program.
Outcome lockstep(const std::string& arguments, const std::string& environment = "");

// A test with a folder of its own, which is gone afterwards.
class CommandTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  bool exists(const std::string& name) const { return std::filesystem::exists(path(name)); }
  void write(const std::string& name, const std::vector<std::byte>& bytes) const;
  nlohmann::json read_json(const std::string& name) const;

  std::filesystem::path folder_;
};

}  // namespace lockstep::tools::testing
