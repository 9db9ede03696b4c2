#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "conformance/report.h"
#include "conformance/report_testing.h"

namespace lockstep::conformance {
namespace {

using ::testing::HasSubstr;
using testing::sample_report;

// The sample's results dealt out to shards by case, as a run of its shards would have them.
std::vector<Report> make_shards(int32_t count) {
  const Report whole = sample_report();
  std::vector<Report> shards(static_cast<size_t>(count), whole);
  for (int32_t i = 0; i < count; ++i) {
    Report& shard = shards[static_cast<size_t>(i)];
    shard.header.shard_index = i;
    shard.header.shard_count = count;
    shard.results.clear();
    shard.cases = 2;
    shard.seconds = 1.5;
  }
  std::map<std::string, size_t> shard_of_case;
  for (const RunResult& result : whole.results) {
    const auto [known, is_new] =
        shard_of_case.emplace(result.case_name, shard_of_case.size() % static_cast<size_t>(count));
    shards[known->second].results.push_back(result);
  }
  return shards;
}

std::string refusal(const std::vector<Report>& shards) {
  const auto merged = merge_reports(shards);
  if (merged) return "";
  EXPECT_EQ(merged.error().code, ErrorCode::kInvalidArgument);
  return merged.error().message;
}

TEST(ReportMerge, GivesTheReportOfTheWholeRunWhateverTheOrder) {
  std::vector<Report> shards = make_shards(3);
  shards[1].header.started = "2026-11-21T09:00:00Z";
  shards[2].header.subject.selector = "7";
  std::swap(shards[0], shards[2]);
  const auto merged = merge_reports(shards);
  ASSERT_TRUE(merged) << merged.error().message;
  const Report whole = sample_report();
  EXPECT_EQ(merged->results, whole.results);
  EXPECT_EQ(merged->digest(), whole.digest());
  EXPECT_EQ(merged->header.shard_index, 0);
  EXPECT_EQ(merged->header.shard_count, 1);
  EXPECT_EQ(merged->header.started, "2026-11-21T09:00:00Z");
  EXPECT_EQ(merged->header.subject.selector, "2");
  EXPECT_EQ(merged->cases, 6U);
  EXPECT_DOUBLE_EQ(merged->seconds, 4.5);
}

TEST(ReportMerge, ListsTheDevicesOfAFleet) {
  std::vector<Report> shards = make_shards(3);
  shards[1].header.subject.device.device_uuid = "a0";
  const auto merged = merge_reports(shards);
  ASSERT_TRUE(merged) << merged.error().message;
  EXPECT_EQ(merged->header.subject.device.device_uuid, "a0, a1a2");
}

TEST(ReportMerge, AddsCoverageUp) {
  std::vector<Report> shards = make_shards(2);
  shards[0].coverage_holes = {{"conv_2d", "channels", "31"}, {"conv_2d", "channels", "33"}};
  shards[1].coverage_hits["conv_2d"]["channels"] = {{"17", 2}, {"33", 1}};
  const auto merged = merge_reports(shards);
  ASSERT_TRUE(merged) << merged.error().message;
  EXPECT_EQ(merged->coverage_hits.at("conv_2d").at("channels"),
            (std::map<std::string, int64_t>{{"17", 5}, {"3", 4}, {"33", 1}}));
  ASSERT_EQ(merged->coverage_holes.size(), 1U);
  EXPECT_EQ(merged->coverage_holes[0].value, "31");
}

TEST(ReportMerge, RefusesWrongSetsOfShards) {
  EXPECT_THAT(refusal({}), HasSubstr("nothing to merge"));
  std::vector<Report> shards = make_shards(3);
  shards.pop_back();
  EXPECT_THAT(refusal(shards), HasSubstr("shard 2 of 3 is missing"));
  shards = make_shards(3);
  shards.erase(shards.begin());
  EXPECT_THAT(refusal(shards), HasSubstr("shard 0 of 3 is missing"));
  shards = make_shards(3);
  shards.push_back(shards[1]);
  EXPECT_THAT(refusal(shards), HasSubstr("shard 1 of 3 is there twice"));
  shards = make_shards(3);
  shards[1].header.shard_index = 3;
  EXPECT_THAT(refusal(shards), HasSubstr("no shard 3 of 3"));
  shards = make_shards(3);
  shards[2].results = shards[1].results;
  EXPECT_THAT(refusal(shards), HasSubstr("is in shards 1 and 2"));
}

TEST(ReportMerge, RefusesShardsOfOtherRuns) {
  const auto refusal_after = [](auto change) {
    std::vector<Report> shards = make_shards(2);
    change(shards[1].header);
    return refusal(shards);
  };
  EXPECT_THAT(refusal_after([](ReportHeader& header) { header.seed = 3; }),
              HasSubstr("shards 0 and 1 are not of the same run: seed is 18446744073709551615 in "
                        "one and 3 in the other"));
  EXPECT_THAT(refusal_after([](ReportHeader& h) { h.suite_version = "8"; }),
              HasSubstr("suite_version is \"7\" in one and \"8\" in the other"));
  EXPECT_THAT(refusal_after([](ReportHeader& h) { h.shard_count = 3; }), HasSubstr("shard_count"));
  EXPECT_THAT(refusal_after([](ReportHeader& h) { h.quick = false; }), HasSubstr("quick"));
  EXPECT_THAT(refusal_after([](ReportHeader& h) { h.contracts_in_turn = false; }),
              HasSubstr("contracts_in_turn"));
  EXPECT_THAT(refusal_after([](ReportHeader& h) { h.repetitions = 1; }), HasSubstr("repetitions"));
  EXPECT_THAT(refusal_after([](ReportHeader& h) { h.contracts.pop_back(); }),
              HasSubstr("contracts.1 is \"single\" in one and absent in the other"));
  EXPECT_THAT(refusal_after([](ReportHeader& h) { h.filters.clear(); }), HasSubstr("filters"));
  EXPECT_THAT(refusal_after([](ReportHeader& h) { h.corpus = ""; }), HasSubstr("corpus"));
  EXPECT_THAT(refusal_after([](ReportHeader& h) { h.subject.device.driver_version = 1; }),
              HasSubstr("subject.device.driver_version"));
  EXPECT_THAT(refusal_after([](ReportHeader& h) { h.subject.shaders[0].second = "ee"; }),
              HasSubstr("subject.shaders.0.digest"));
}

}  // namespace
}  // namespace lockstep::conformance
