#include "delegate_api/whole_file.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace lockstep::delegate {
namespace {

namespace fs = std::filesystem;

class WholeFile : public ::testing::Test {
 protected:
  WholeFile() { fs::create_directories(folder_); }
  ~WholeFile() override { fs::remove_all(folder_); }
  static std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  fs::path folder_ = fs::temp_directory_path() / fmt::format("lockstep_whole_file_{}", ::getpid());
};

TEST_F(WholeFile, ReplacesWhatWasThereAndLeavesNothingElse) {
  const fs::path path = folder_ / "report.json";
  ASSERT_TRUE(write_whole_file(path.string(), "long contents", "the report"));
  ASSERT_TRUE(write_whole_file(path.string(), std::string_view("a\0b", 3), "the report"));
  EXPECT_EQ(contents(path), std::string("a\0b", 3));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(WholeFile, SaysWhatCannotBeWrittenAndWhy) {
  const Status absent = write_whole_file((folder_ / "no/such/file").string(), "x", "the report");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(absent.error().message, ::testing::HasSubstr("cannot write the report"));
  EXPECT_THAT(absent.error().message, ::testing::HasSubstr("No such file"));
  // A folder is in the way: what was written beside it goes again.
  fs::create_directories(folder_ / "taken" / "inside");
  EXPECT_FALSE(write_whole_file((folder_ / "taken").string(), "x", "the report"));
  EXPECT_FALSE(fs::exists(folder_ / "taken.partial"));
}

}  // namespace
}  // namespace lockstep::delegate
