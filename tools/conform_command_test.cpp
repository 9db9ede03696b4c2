// `lockstep conform` as a user meets it: exit codes, reports, shards, journals, and whether the
// devices of this machine agree.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "tools/testing/command_test.h"

namespace lockstep::tools {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using testing::Outcome;

using ConformCommand = testing::CommandTest;

Outcome conform(const std::string& arguments) {
  return testing::lockstep("conform --no-progress " + arguments);
}

constexpr const char* kFewCases = "--device ref --filter relu --filter reshape ";

TEST_F(ConformCommand, WritesEveryReportOfARun) {
  const Outcome outcome =
      conform(std::string(kFewCases) + "--json '" + path("r.json") + "' --junit '" + path("r.xml") +
              "' --html '" + path("r.html") + "'");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("digest "));
  EXPECT_GT(read_json("r.json").at("results").size(), 100u);
  for (const char* name : {"r.xml", "r.html"}) {
    EXPECT_GT(std::filesystem::file_size(folder_ / name), 1000u) << name;
  }
}

TEST_F(ConformCommand, ShardsMergeToTheReportOfTheWhole) {
  ASSERT_EQ(conform(std::string(kFewCases) + "--json '" + path("whole.json") + "'").exit_code, 0);
  for (const std::string shard : {"0", "1", "2"}) {
    ASSERT_EQ(conform(std::string(kFewCases) + "--shard-count 3 --shard-index " + shard +
                      " --json '" + path(shard + ".json") + "'")
                  .exit_code,
              0);
  }
  const Outcome incomplete = conform("merge '" + path("0.json") + "' '" + path("2.json") + "'");
  EXPECT_EQ(incomplete.exit_code, 2) << incomplete.text;
  const Outcome merged = conform("merge '" + path("2.json") + "' '" + path("0.json") + "' '" +
                                 path("1.json") + "' --json '" + path("merged.json") + "'");
  EXPECT_EQ(merged.exit_code, 0) << merged.text;
  const Outcome same = conform("diff '" + path("whole.json") + "' '" + path("merged.json") + "'");
  EXPECT_EQ(same.exit_code, 0) << same.text;
}

TEST_F(ConformCommand, GoesOnFromAJournal) {
  const std::string arguments = std::string(kFewCases) + "--journal '" + path("journal") + "'";
  ASSERT_EQ(conform(arguments).exit_code, 0);
  const Outcome again = conform(arguments);
  EXPECT_EQ(again.exit_code, 0) << again.text;
  EXPECT_THAT(again.text, HasSubstr("cases were taken from the journal"));
  const Outcome other = conform("--device ref --filter tanh --journal '" + path("journal") + "'");
  EXPECT_EQ(other.exit_code, 2) << "another run's journal: " << other.text;
}

TEST_F(ConformCommand, ACorpusGivesTheDigestOfTheCasesItWasMadeOf) {
  ASSERT_EQ(conform(std::string(kFewCases) + "--json '" + path("made.json") + "'").exit_code, 0);
  const Outcome exported =
      conform("export '" + path("few.lockstep") + "' --filter relu --filter reshape");
  ASSERT_EQ(exported.exit_code, 0) << exported.text;
  const Outcome run = conform("--device ref --corpus '" + path("few.lockstep") + "' --json '" +
                              path("corpus.json") + "'");
  EXPECT_EQ(run.exit_code, 0) << run.text;
  EXPECT_EQ(conform("diff '" + path("made.json") + "' '" + path("corpus.json") + "'").exit_code, 0);
}

TEST_F(ConformCommand, MistakesAreErrorsThatSayWhat) {
  EXPECT_EQ(conform("--device 'no such device' --filter relu").exit_code, 2);
  const Outcome nothing = conform("--device ref --filter 'no such case'");
  EXPECT_EQ(nothing.exit_code, 2);
  EXPECT_THAT(nothing.text, HasSubstr("no such case"));
  EXPECT_EQ(conform("--device ref --shard-index 3 --shard-count 3").exit_code, 2);
  EXPECT_EQ(conform("diff /nonexistent /nonexistent").exit_code, 2);
}

// Whichever drivers are installed: lavapipe of one or more versions, SwiftShader, GPUs.
TEST_F(ConformCommand, DevicesOfThisMachineHaveOneDigest) {
  const Outcome outcome =
      conform("--device all --quick --default-kernels --json '" + path("all.json") + "'");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.text;
  const json reports = read_json("all.json");
  if (!reports.is_array()) GTEST_SKIP() << "there is only one device";
  std::set<std::string> digests;
  for (const json& report : reports) {
    if (report.at("header").at("subject").at("device").at("backend") != "vulkan") continue;
    digests.insert(report.at("summary").at("digest").get<std::string>());
  }
  EXPECT_LE(digests.size(), 1u) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("They agree on every bit that they both compute."));
}

}  // namespace
}  // namespace lockstep::tools
