#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>

#include "conformance/report.h"
#include "conformance/report_testing.h"

namespace lockstep::conformance {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::kHostileText;
using testing::sample_report;

// A folder that goes away with the test.
class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(std::filesystem::temp_directory_path() /
              ("lockstep_report_" + std::to_string(std::random_device{}()))) {
    std::filesystem::create_directory(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Through text, as a file does it.
Result<Report> round_trip(const Report& report) {
  return report_from_json(json::parse(to_json(report).dump()), "r.json");
}

// Every field, independent of the code that writes JSON.
void expect_same(const Report& actual, const Report& expected) {
  const ReportHeader& one = actual.header;
  const ReportHeader& other = expected.header;
  EXPECT_EQ(one.suite_version, other.suite_version);
  EXPECT_EQ(one.lockstep_version, other.lockstep_version);
  EXPECT_EQ(one.compiler, other.compiler);
  EXPECT_EQ(one.started, other.started);
  EXPECT_EQ(one.quick, other.quick);
  EXPECT_EQ(one.contracts_in_turn, other.contracts_in_turn);
  EXPECT_EQ(one.seed, other.seed);
  EXPECT_EQ(one.random_cases, other.random_cases);
  EXPECT_EQ(one.repetitions, other.repetitions);
  EXPECT_EQ(one.contracts, other.contracts);
  EXPECT_EQ(one.filters, other.filters);
  EXPECT_EQ(one.exclusions, other.exclusions);
  EXPECT_EQ(one.corpus, other.corpus);
  EXPECT_EQ(one.shard_index, other.shard_index);
  EXPECT_EQ(one.shard_count, other.shard_count);
  EXPECT_EQ(one.subject.selector, other.subject.selector);
  EXPECT_EQ(one.subject.shaders, other.subject.shaders);
  const backend::DeviceDescription& device = one.subject.device;
  const backend::DeviceDescription& other_device = other.subject.device;
  EXPECT_EQ(device.backend, other_device.backend);
  EXPECT_EQ(device.name, other_device.name);
  EXPECT_EQ(device.kind, other_device.kind);
  EXPECT_EQ(device.driver, other_device.driver);
  EXPECT_EQ(device.api_version, other_device.api_version);
  EXPECT_EQ(device.vendor_id, other_device.vendor_id);
  EXPECT_EQ(device.device_id, other_device.device_id);
  EXPECT_EQ(device.driver_version, other_device.driver_version);
  EXPECT_EQ(device.device_uuid, other_device.device_uuid);
  EXPECT_EQ(device.driver_uuid, other_device.driver_uuid);
  EXPECT_EQ(device.capabilities, other_device.capabilities);
  EXPECT_EQ(actual.results, expected.results);
  EXPECT_EQ(actual.cases, expected.cases);
  EXPECT_EQ(actual.coverage_hits, expected.coverage_hits);
  ASSERT_EQ(actual.coverage_holes.size(), expected.coverage_holes.size());
  for (size_t i = 0; i < actual.coverage_holes.size(); ++i) {
    EXPECT_EQ(actual.coverage_holes[i].family, expected.coverage_holes[i].family);
    EXPECT_EQ(actual.coverage_holes[i].dimension, expected.coverage_holes[i].dimension);
    EXPECT_EQ(actual.coverage_holes[i].value, expected.coverage_holes[i].value);
  }
  EXPECT_EQ(actual.seconds, expected.seconds);
}

TEST(ReportJson, EveryFieldSurvivesTheRoundTrip) {
  const auto report = round_trip(sample_report());
  ASSERT_TRUE(report) << report.error().message;
  expect_same(*report, sample_report());
}

TEST(ReportJson, AnEmptyReportSurvivesToo) {
  const auto report = round_trip(Report());
  ASSERT_TRUE(report) << report.error().message;
  expect_same(*report, Report());
}

TEST(ReportJson, TheTextIsTheSameEveryTime) {
  EXPECT_EQ(to_json(sample_report()).dump(), to_json(*round_trip(sample_report())).dump());
}

TEST(ReportJson, HostileTextSurvivesAsFarAsItIsUtf8) {
  Report report = sample_report();
  report.header.subject.device.name = kHostileText;
  report.results.back().case_name = "conv_2d/\xff";
  const auto read = round_trip(report);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->results.back().case_name, "conv_2d/\xef\xbf\xbd");
  EXPECT_THAT(read->header.subject.device.name, HasSubstr("</script><!-- ]]> \x1b[31m"));
}

TEST(ReportJson, ResultsAreReadSorted) {
  json document = to_json(sample_report());
  std::reverse(document["results"].begin(), document["results"].end());
  const auto report = report_from_json(document, "r");
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->results, sample_report().results);
}

// A document in which one field was replaced, or removed where the value is discarded.
std::string refusal(const std::string& pointer, const json& value) {
  json document = to_json(sample_report());
  const json::json_pointer where(pointer);
  if (value.is_discarded()) {
    document.at(where.parent_pointer()).erase(where.back());
  } else {
    document[where] = value;
  }
  const auto report = report_from_json(document, "r.json");
  if (report) return "accepted";
  EXPECT_EQ(report.error().code, ErrorCode::kInvalidArgument);
  return report.error().message;
}

// Paths of all fields of the sample, as messages write them.
void collect_fields(const json& value, const std::string& pointer, std::vector<std::string>& out) {
  if (value.is_object()) {
    for (const auto& item : value.items()) {
      const std::string field = pointer + "/" + item.key();
      out.push_back(field);
      collect_fields(item.value(), field, out);
    }
  } else if (value.is_array() && !value.empty()) {
    // One element speaks for all; the last result's differ too little, so take the failed one.
    const size_t index = pointer == "/results" ? 5 : 0;
    collect_fields(value.at(index), pointer + "/" + std::to_string(index), out);
  }
}

TEST(ReportJson, EveryFieldIsRequiredAndNamedWhenItIsMissing) {
  std::vector<std::string> fields;
  collect_fields(to_json(sample_report()), "", fields);
  EXPECT_GT(fields.size(), 60U);
  for (const std::string& field : fields) {
    // What may be absent: a difference, and the free names of the coverage table.
    if (field == "/results/5/difference" || field.starts_with("/coverage/hits/")) continue;
    const std::string name = field.substr(field.rfind('/') + 1);
    EXPECT_THAT(refusal(field, json(json::value_t::discarded)),
                AllOf(HasSubstr("'r.json': "), HasSubstr(name + ": missing")))
        << field;
  }
}

TEST(ReportJson, EveryFieldOfAnotherTypeIsNamed) {
  std::vector<std::string> fields;
  collect_fields(to_json(sample_report()), "", fields);
  const json document = to_json(sample_report());
  for (const std::string& field : fields) {
    const std::string name = field.substr(field.rfind('/') + 1);
    for (const json& wrong : {json(nullptr), json(1.5), json("text"), json(true), json::array({1}),
                              json{{"a", 1}}, json(-1)}) {
      const json& right = document.at(json::json_pointer(field));
      const bool is_right_type =
          wrong.type() == right.type() || (wrong.is_number() && right.is_number());
      if (is_right_type) continue;
      EXPECT_THAT(refusal(field, wrong), HasSubstr(name)) << field << " as " << wrong;
    }
  }
}

TEST(ReportJson, WhatContradictsItselfIsRefused) {
  const std::string run = "/results/5";
  const std::string difference = run + "/difference";
  EXPECT_THAT(refusal("/format", "something else"), HasSubstr("format: expected"));
  EXPECT_THAT(refusal("/format_version", 1), HasSubstr("this build reads version 2"));
  EXPECT_THAT(refusal("/summary/digest", std::string(32, '0')),
              HasSubstr("summary.digest: the results' is "));
  EXPECT_THAT(refusal("/summary/supported_digest", std::string(32, '0')),
              HasSubstr("summary.supported_digest"));
  EXPECT_THAT(refusal("/summary/verdicts/FAIL", 0),
              HasSubstr("summary.verdicts.FAIL: the results have 2"));
  EXPECT_THAT(refusal(run + "/outputs", "12"), HasSubstr("results[5].outputs: expected 32"));
  EXPECT_THAT(refusal(run + "/outputs", std::string(32, 'f')), HasSubstr("summary.digest"));
  EXPECT_THAT(refusal(run + "/verdict", "pass"), HasSubstr("unknown verdict 'pass'"));
  EXPECT_THAT(refusal(run + "/contract", "TFLITE"), HasSubstr("unknown contract 'TFLITE'"));
  EXPECT_THAT(refusal(run + "/case", ""), HasSubstr("results[5].case: empty"));
  EXPECT_THAT(refusal(run + "/configuration", "default"), HasSubstr("is there twice"));
  EXPECT_THAT(refusal(run + "/nanoseconds", -1), HasSubstr("nanoseconds"));
  EXPECT_THAT(refusal(run + "/nanoseconds", UINT64_MAX), HasSubstr("nanoseconds"));
  EXPECT_THAT(refusal(run + "/repetitions", 1LL << 31), HasSubstr("repetitions"));
  EXPECT_THAT(refusal(run + "/extra", 1), HasSubstr("results[5].extra: unknown field"));
  EXPECT_THAT(refusal("/extra", 1), HasSubstr("extra: unknown field"));
  EXPECT_THAT(refusal("/cases", 1), HasSubstr("cases: the results are of 5 cases"));
  EXPECT_THAT(refusal("/seconds", -0.5), HasSubstr("seconds"));
  EXPECT_THAT(refusal("/header/shard_count", 0), HasSubstr("header.shard_count"));
  EXPECT_THAT(refusal("/header/shard_index", 4), HasSubstr("header.shard_index"));
  EXPECT_THAT(refusal("/header/contracts/0", "x"), HasSubstr("header.contracts: unknown contract"));
  EXPECT_THAT(refusal("/header/filters/1", 3), HasSubstr("header.filters[1]"));
  EXPECT_THAT(refusal("/header/subject/device/kind", "toaster"), HasSubstr("device.kind"));
  EXPECT_THAT(refusal("/header/subject/device/vendor_id", 1LL << 32), HasSubstr("vendor_id"));
  EXPECT_THAT(refusal(difference + "/type", "float32"), HasSubstr("difference.type"));
  EXPECT_THAT(refusal(difference + "/shape", {1 << 20, 1 << 20}), HasSubstr("difference.shape"));
  EXPECT_THAT(refusal(difference + "/shape", {2, 6, -5, 7}), HasSubstr("difference.shape[2]"));
  EXPECT_THAT(refusal(difference + "/shape", {1}), HasSubstr("difference.differing"));
  EXPECT_THAT(refusal(difference + "/differing", 0), HasSubstr("difference.differing"));
  EXPECT_THAT(refusal(difference + "/differing", 2), HasSubstr("difference.histogram"));
  EXPECT_THAT(refusal(difference + "/first", 420), HasSubstr("difference.first"));
  EXPECT_THAT(refusal(difference + "/first", 40), HasSubstr("do not start with 'first'"));
  EXPECT_THAT(refusal(difference + "/first_actual", 128), HasSubstr("difference.first_actual"));
  // Not -7 by wrapping.
  EXPECT_THAT(refusal(difference + "/first_expected", UINT64_MAX - 6),
              HasSubstr("difference.first_expected"));
  EXPECT_THAT(refusal(difference + "/histogram", {1, 1, 1}), HasSubstr("expected 8 counts"));
  EXPECT_THAT(refusal(difference + "/histogram/0", 1LL << 31), HasSubstr("difference.histogram"));
  EXPECT_THAT(refusal(difference + "/indices", {41, 41, 300}), HasSubstr("not ascending"));
  EXPECT_THAT(refusal(difference + "/indices", {41, 48, 420}), HasSubstr("beyond the tensor"));
  EXPECT_THAT(refusal(difference + "/indices", {41, 48, 299, 300}), HasSubstr("more than"));
  EXPECT_THAT(refusal(difference + "/indices", json(std::vector<int>(4097, 1))),
              HasSubstr("at most 4096"));
}

TEST(ReportJson, ArraysWithoutEndAreRefusedEarly) {
  EXPECT_THAT(refusal("/results/5/difference/shape", json(std::vector<int>(100'000, 1))),
              HasSubstr("difference.shape"));
  EXPECT_THAT(refusal("/results/5/difference/histogram", json(std::vector<int>(1'000'000, 0))),
              HasSubstr("difference.histogram"));
  EXPECT_THAT(refusal("/results", json(std::vector<int>(1'000'000, 0))),
              HasSubstr("results[0]: expected an object"));
}

TEST(ReportJson, WhatIsNoReportAtAllIsRefused) {
  for (const json& document :
       {json(), json(3), json("text"), json::array(), json::object(), json{{"results", 1}}}) {
    EXPECT_FALSE(report_from_json(document, "")) << document;
    EXPECT_FALSE(run_result_from_json(document)) << document;
    EXPECT_FALSE(subject_from_json(document)) << document;
  }
}

TEST(ReportJson, RunsAndSubjectsStandAlone) {
  const Report report = sample_report();
  for (const RunResult& run : report.results) {
    const auto read = run_result_from_json(json::parse(to_json(run).dump()));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, run);
  }
  const auto subject = subject_from_json(to_json(report.header.subject));
  ASSERT_TRUE(subject) << subject.error().message;
  EXPECT_EQ(to_json(*subject), to_json(report.header.subject));
}

TEST(ReportJson, AReportCutOffAnywhereIsRefused) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "report.json";
  const std::string text = to_json(sample_report()).dump();
  for (size_t length = 0; length < text.size(); length += 97) {
    std::ofstream(path, std::ios::binary) << text.substr(0, length);
    const auto report = read_report(path);
    ASSERT_FALSE(report) << length;
    EXPECT_THAT(report.error().message, HasSubstr("report.json' is not JSON")) << length;
  }
}

TEST(ReportJson, ChangedBytesNeverCrashTheReaders) {
  const std::string text = to_json(sample_report()).dump();
  std::minstd_rand random(7);  // the same on every platform
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string changed = text;
    for (int i = 0; i < 3; ++i) {
      changed[random() % changed.size()] = static_cast<char>(" 0-\"[]{},:e\xff"[random() % 13]);
    }
    const json document = json::parse(changed, nullptr, false);
    if (document.is_discarded() || !report_from_json(document, "r")) ++refused;
  }
  EXPECT_GT(refused, 2500);
}

TEST(ReportFile, IsReadAsItWasWritten) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "report.json";
  const Report report = sample_report();
  ASSERT_TRUE(write_file(path, to_json(report).dump(1)));
  const auto read = read_report(path);
  ASSERT_TRUE(read) << read.error().message;
  expect_same(*read, report);
}

TEST(ReportFile, ReplacesWholeFilesAndLeavesNothingBeside) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "page.html";
  ASSERT_TRUE(write_file(path, "a longer first text"));
  ASSERT_TRUE(write_file(path, std::string_view("b\0c", 3)));
  std::ifstream file(path, std::ios::binary);
  const std::string contents{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(contents, std::string("b\0c", 3));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(ReportFile, WhatCannotBeWrittenIsAnErrorThatLeavesNothing) {
  const TemporaryFolder folder;
  const auto absent = write_file(folder.path() / "absent" / "x", "text");
  ASSERT_FALSE(absent);
  EXPECT_THAT(absent.error().message, AllOf(HasSubstr("absent"), HasSubstr("No such file")));
  std::filesystem::create_directories(folder.path() / "taken" / "inner");
  ASSERT_FALSE(write_file(folder.path() / "taken", "text"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "taken.partial"));
}

TEST(ReportFile, WhatCannotBeReadIsNotFound) {
  const auto report = read_report("/nonexistent/report.json");
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(read_report(std::filesystem::temp_directory_path()));
}

}  // namespace
}  // namespace lockstep::conformance
