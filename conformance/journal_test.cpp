#include "conformance/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace lockstep::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class JournalTest : public ::testing::Test {
 protected:
  JournalTest()
      : path_(std::filesystem::path(::testing::TempDir()) /
              fmt::format("journal-{}.jsonl", ::getpid())) {
    std::filesystem::remove(path_);
  }
  ~JournalTest() override { std::filesystem::remove(path_); }

  static RunResult result_of(const std::string& case_name) {
    RunResult result;
    result.case_name = case_name;
    result.contract = numerics::Contract::kSingle;
    result.configuration = "mask=int-dot";
    result.verdict = Verdict::kFail;
    result.reason = "differs";
    result.outputs = digest_of(case_name);
    result.expected_outputs = digest_of("expected");
    result.repetitions = 2;
    result.difference = TensorDifference{};
    result.difference->tensor = "y";
    result.difference->shape = {1, 4};
    result.difference->differing = 1;
    result.difference->first = 3;
    result.difference->first_actual = 1;
    result.difference->largest = 1;
    result.difference->histogram[4] = 1;
    result.difference->indices = {3};
    return result;
  }

  std::string contents() const {
    std::ifstream file(path_);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void write(const std::string& text) const { std::ofstream(path_) << text; }

  const std::filesystem::path path_;
  const Digest identity_ = digest_of("this run");
};

TEST_F(JournalTest, GivesBackWhatFinishedCasesGave) {
  {
    auto journal = Journal::open(path_, identity_);
    ASSERT_TRUE(journal) << journal.error().message;
    EXPECT_TRUE(journal->earlier_results().empty());
    ASSERT_TRUE(journal->append(result_of("first")));
    ASSERT_TRUE(journal->append_finished("first"));
    ASSERT_TRUE(journal->append(result_of("interrupted")));
  }
  const auto journal = Journal::open(path_, identity_);
  ASSERT_TRUE(journal) << journal.error().message;
  EXPECT_THAT(journal->finished_cases(), ElementsAre("first"));
  EXPECT_THAT(journal->earlier_results(), ElementsAre(result_of("first")));
}

TEST_F(JournalTest, ReachesTheFileAtOnce) {
  auto journal = Journal::open(path_, identity_);
  ASSERT_TRUE(journal->append_finished("a case"));
  EXPECT_THAT(contents(), HasSubstr("{\"finished\":\"a case\"}\n"));
}

TEST_F(JournalTest, CutsOffATornLastLineAndGoesOn) {
  {
    auto journal = Journal::open(path_, identity_);
    ASSERT_TRUE(journal->append_finished("first"));
  }
  write(contents() + "{\"finished\":\"sec");
  {
    auto journal = Journal::open(path_, identity_);
    ASSERT_TRUE(journal) << journal.error().message;
    EXPECT_THAT(journal->finished_cases(), ElementsAre("first"));
    ASSERT_TRUE(journal->append_finished("third"));
  }
  EXPECT_THAT(Journal::open(path_, identity_)->finished_cases(), ElementsAre("first", "third"));
}

TEST_F(JournalTest, BeginsAgainBehindATornFirstLine) {
  { ASSERT_TRUE(Journal::open(path_, identity_)); }
  write(contents().substr(0, 20));
  { ASSERT_TRUE(Journal::open(path_, identity_)); }
  EXPECT_TRUE(Journal::open(path_, identity_));
}

TEST_F(JournalTest, RefusesAnotherRunAndLeavesItAlone) {
  { ASSERT_TRUE(Journal::open(path_, identity_)->append_finished("first")); }
  const std::string before = contents();
  const auto other = Journal::open(path_, digest_of("another run"));
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("belongs to another run"));
  EXPECT_EQ(contents(), before);
}

TEST_F(JournalTest, LeavesFilesAloneThatAreNoJournal) {
  for (const std::string text : {"my diary\n", "my diary", "{\"journal\": 2}\n", "[]\n", "1\n"}) {
    write(text);
    const auto journal = Journal::open(path_, identity_);
    ASSERT_FALSE(journal) << text;
    EXPECT_EQ(journal.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(contents(), text);
  }
}

TEST_F(JournalTest, NamesABrokenLine) {
  { ASSERT_TRUE(Journal::open(path_, identity_)); }
  const std::string header = contents();
  for (const std::string line : {"{\"finished\":", "{\"finished\":1}", "{\"result\":{}}", "[]"}) {
    write(header + line + "\n");
    const auto journal = Journal::open(path_, identity_);
    ASSERT_FALSE(journal) << line;
    EXPECT_THAT(journal.error().message, HasSubstr("line 2"));
  }
}

TEST_F(JournalTest, IsWrittenByOneAtATime) {
  const auto first = Journal::open(path_, identity_);
  ASSERT_TRUE(first);
  const auto second = Journal::open(path_, identity_);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("another process"));
}

}  // namespace
}  // namespace lockstep::conformance
