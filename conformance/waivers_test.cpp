#include "conformance/waivers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "conformance/report.h"
#include "conformance/report_testing.h"

namespace lockstep::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using namespace std::chrono_literals;

constexpr std::chrono::year_month_day kToday = 2027y / 3 / 31;

nlohmann::json waiver_json() {
  return {
      {"vendor", "0x5143"},   {"driver_minimum", "0x80000000"}, {"driver_maximum", "2147483663"},
      {"cases", "conv_2d/*"}, {"expires", "2027-03-31"},        {"reason", "bug 1234"}};
}

Result<std::vector<Waiver>> read(const nlohmann::json& waiver) {
  return waivers_from_json({{"waivers", {waiver}}}, "w.json");
}

Waiver waiver_for(std::string cases) {
  return {.vendor_id = 0x5143, .cases = std::move(cases), .expires = kToday, .reason = "bug 1234"};
}

backend::DeviceDescription device() { return testing::sample_report().header.subject.device; }

std::vector<RunResult> one_failure() {
  return {testing::failed_run("conv_2d/ties", numerics::Contract::kTflite, "default")};
}

TEST(Waivers, EveryFieldIsRead) {
  const auto waivers = read(waiver_json());
  ASSERT_TRUE(waivers) << waivers.error().message;
  ASSERT_THAT(*waivers, SizeIs(1));
  const Waiver& waiver = waivers->front();
  EXPECT_EQ(waiver.vendor_id, 0x5143U);
  EXPECT_EQ(waiver.driver_minimum, 0x80000000U);
  EXPECT_EQ(waiver.driver_maximum, 0x8000000fU);
  EXPECT_EQ(waiver.cases, "conv_2d/*");
  EXPECT_EQ(waiver.expires, kToday);
  EXPECT_EQ(waiver.reason, "bug 1234");
}

TEST(Waivers, WithoutADriverRangeEveryDriverIsMeant) {
  nlohmann::json json = waiver_json();
  json.erase("driver_minimum");
  json.erase("driver_maximum");
  const auto waivers = read(json);
  ASSERT_TRUE(waivers) << waivers.error().message;
  EXPECT_EQ(waivers->front().driver_minimum, 0U);
  EXPECT_EQ(waivers->front().driver_maximum, UINT32_MAX);
}

struct BadField {
  const char* name;
  nlohmann::json value;  // null: left out
};

class WaiversBadField : public ::testing::TestWithParam<BadField> {};

TEST_P(WaiversBadField, IsRefusedByName) {
  nlohmann::json json = waiver_json();
  json.erase(GetParam().name);
  if (!GetParam().value.is_null()) json[GetParam().name] = GetParam().value;
  const auto waivers = read(json);
  ASSERT_FALSE(waivers);
  EXPECT_EQ(waivers.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(waivers.error().message,
              HasSubstr("'w.json': waivers[0]." + std::string(GetParam().name)));
}

INSTANTIATE_TEST_SUITE_P(
    All, WaiversBadField,
    ::testing::Values(BadField{"vendor", nullptr}, BadField{"vendor", 20803},
                      BadField{"vendor", "0x"}, BadField{"vendor", ""}, BadField{"vendor", "-1"},
                      BadField{"vendor", "0x100000000"}, BadField{"vendor", "0x5143 "},
                      BadField{"driver_minimum", "x"}, BadField{"driver_minimum", "0x90000000"},
                      BadField{"driver_maximum", true}, BadField{"cases", nullptr},
                      BadField{"cases", ""}, BadField{"expires", nullptr},
                      BadField{"expires", "2027-02-29"}, BadField{"expires", "2027-3-31"},
                      BadField{"expires", "2027-03-31T00"}, BadField{"expires", "2027-13-01"},
                      BadField{"expires", "+027-03-01"}, BadField{"reason", nullptr},
                      BadField{"reason", ""}, BadField{"drivers", "0x1"}));

TEST(Waivers, FilesThatAreNoneAreRefused) {
  EXPECT_FALSE(waivers_from_json(nlohmann::json::array(), "w"));
  EXPECT_FALSE(waivers_from_json({{"waivers", "all"}}, "w"));
  EXPECT_FALSE(waivers_from_json({{"waivers", {1}}}, "w"));
  EXPECT_FALSE(waivers_from_json({{"waivers", nlohmann::json::array()}, {"more", 1}}, "w"));
  const auto absent = read_waivers("/nonexistent/waivers.json");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
}

TEST(Waivers, PatternsMatchTheWholeName) {
  EXPECT_TRUE(matches_pattern("conv_2d/ties", "conv_2d/ties"));
  EXPECT_FALSE(matches_pattern("conv_2d", "conv_2d/ties"));
  EXPECT_FALSE(matches_pattern("ties", "conv_2d/ties"));
  EXPECT_TRUE(matches_pattern("conv_2d/*", "conv_2d/ties"));
  EXPECT_TRUE(matches_pattern("conv_2d/*", "conv_2d/"));
  EXPECT_FALSE(matches_pattern("conv_2d/*", "depthwise_conv_2d/ties"));
  EXPECT_TRUE(matches_pattern("*ties*int8", "conv_2d/ties ties uint8"));
  EXPECT_FALSE(matches_pattern("*ties*int8", "conv_2d/ties int8 "));
  EXPECT_TRUE(matches_pattern("a?c", "abc"));
  EXPECT_TRUE(matches_pattern("a?c",
                              "a\xe2\x82\xac"
                              "c"));  // one character of three bytes
  EXPECT_FALSE(matches_pattern("a?c", "ac"));
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_FALSE(matches_pattern("?", ""));
  EXPECT_FALSE(matches_pattern("", "a"));
  EXPECT_TRUE(matches_pattern("**a", "ba"));
}

TEST(Waivers, APatternOfManyStarsTakesNoLonger) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  // Backtracking over every star would not end.
  EXPECT_FALSE(matches_pattern(pattern + "b", std::string(2000, 'a')));
}

TEST(Waivers, AFailureIsWaivedAndKeepsWhatItWas) {
  for (const Verdict verdict : {Verdict::kFail, Verdict::kCrash, Verdict::kTimeout}) {
    std::vector<RunResult> results = one_failure();
    results[0].verdict = verdict;
    results[0].reason = "it broke";
    EXPECT_THAT(apply_waivers({waiver_for("conv_2d/*")}, device(), kToday, results), SizeIs(0));
    EXPECT_EQ(results[0].verdict, Verdict::kWaived);
    EXPECT_EQ(results[0].reason, "bug 1234: " + std::string(verdict_name(verdict)) + ": it broke");
    EXPECT_TRUE(results[0].difference);
  }
}

TEST(Waivers, WhatIsNoFailureIsLeftAlone) {
  std::vector<RunResult> results = {
      testing::passed_run("conv_2d/a", numerics::Contract::kTflite, "default"),
      testing::empty_run("conv_2d/b", numerics::Contract::kTflite, Verdict::kNotSupported, "no")};
  const std::vector<RunResult> before = results;
  apply_waivers({waiver_for("*")}, device(), kToday, results);
  EXPECT_EQ(results, before);
}

TEST(Waivers, OtherVendorsDriversAndCasesAreNotWaived) {
  const auto is_waived = [](const Waiver& waiver) {
    std::vector<RunResult> results = one_failure();
    apply_waivers({waiver}, device(), kToday, results);
    return results[0].verdict == Verdict::kWaived;
  };
  Waiver waiver = waiver_for("conv_2d/ties");
  EXPECT_TRUE(is_waived(waiver));
  waiver.vendor_id = 0x5144;
  EXPECT_FALSE(is_waived(waiver));
  waiver = waiver_for("conv_2d/tie");
  EXPECT_FALSE(is_waived(waiver));
  // Both ends of the driver range belong to it; the device's is 0x80000001.
  waiver = waiver_for("*");
  waiver.driver_minimum = waiver.driver_maximum = 0x80000001;
  EXPECT_TRUE(is_waived(waiver));
  waiver.driver_minimum = waiver.driver_maximum = 0x80000002;
  EXPECT_FALSE(is_waived(waiver));
  waiver.driver_minimum = waiver.driver_maximum = 0x80000000;
  EXPECT_FALSE(is_waived(waiver));
}

TEST(Waivers, TheLastDayStillCountsAndTheNextIsReported) {
  std::vector<RunResult> results = one_failure();
  Waiver waiver = waiver_for("*");
  const auto expired = apply_waivers({waiver}, device(), 2027y / 4 / 1, results);
  EXPECT_EQ(results[0].verdict, Verdict::kFail);
  ASSERT_THAT(expired, SizeIs(1));
  EXPECT_EQ(expired[0].reason, "bug 1234");
  EXPECT_THAT(apply_waivers({waiver}, device(), kToday, results), SizeIs(0));
  EXPECT_EQ(results[0].verdict, Verdict::kWaived);
}

TEST(Waivers, AnExpiredOneIsReportedOnceAndOnlyWhereNoOtherCovers) {
  std::vector<RunResult> results = one_failure();
  results.push_back(results[0]);
  results[1].configuration = "mask=int8";
  Waiver old = waiver_for("*");
  old.expires = 2020y / 1 / 1;
  Waiver other_case = old;
  other_case.cases = "add/*";
  EXPECT_THAT(apply_waivers({old, other_case}, device(), kToday, results), SizeIs(1));
  EXPECT_THAT(apply_waivers({old, waiver_for("*")}, device(), kToday, results), SizeIs(0));
  EXPECT_EQ(results[1].verdict, Verdict::kWaived);
}

}  // namespace
}  // namespace lockstep::conformance
