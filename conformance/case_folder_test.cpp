#include "conformance/case_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "conformance/suite.h"
#include "conformance/testing/simple_cases.h"

namespace lockstep::conformance {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

class CaseFolderTest : public ::testing::Test {
 protected:
  CaseFolderTest()
      : parent_(::testing::TempDir() + "lockstep-case-folder-test"), path_(parent_ / "case") {
    std::filesystem::remove_all(parent_);
    std::filesystem::create_directories(parent_);
    FolderFailure failure;
    failure.contract = numerics::Contract::kLitert;
    failure.configuration = "mask=int-dot kernel=convolution";
    failure.verdict = Verdict::kFail;
    failure.reason = "'y': 3 elements differ";
    failure.kernels = "convolution";
    failure.subject.selector = "0";
    failure.subject.device.name = "A device";
    failure.subject.shaders = {{"convolution", "0123"}};
    folder_ = make_case_folder(testing::convolution_case("conv_2d/folder"), numerics::kAllContracts,
                               failure)
                  .value();
  }
  ~CaseFolderTest() override { std::filesystem::remove_all(parent_); }

  void write() {
    const Status status = write_case_folder(path_, folder_);
    ASSERT_TRUE(status) << status.error().message;
  }

  // The message with which the folder is refused; a failure of the test where it is not.
  std::string refusal() const {
    const auto read = read_case_folder(path_);
    EXPECT_FALSE(read);
    return read ? std::string() : read.error().message;
  }

  template <typename Edit>
  void edit_description(Edit edit) {
    json description = json::parse(read_text(path_ / "case.json"));
    edit(description);
    write_text(path_ / "case.json", description.dump());
  }

  std::filesystem::path parent_;
  std::filesystem::path path_;
  CaseFolder folder_;
};

TEST_F(CaseFolderTest, ReadsWhatWasWritten) {
  write();
  const auto read = read_case_folder(path_);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->source.name, "conv_2d/folder");
  EXPECT_EQ(read->source.family, "conv_2d");
  EXPECT_EQ(read->source.inputs, folder_.source.inputs);
  EXPECT_EQ(read->record(), folder_.record());
  EXPECT_EQ(read->record().size(), 4u);
  EXPECT_EQ(read->lockstep_version, folder_.lockstep_version);
  ASSERT_TRUE(read->failure);
  EXPECT_EQ(read->failure->contract, numerics::Contract::kLitert);
  EXPECT_EQ(read->failure->configuration, "mask=int-dot kernel=convolution");
  EXPECT_EQ(read->failure->verdict, Verdict::kFail);
  EXPECT_EQ(read->failure->subject, folder_.failure->subject);
  for (const auto contract : numerics::kAllContracts) {
    const auto lowered = lower_case(read->source, contract);
    ASSERT_TRUE(lowered);
    EXPECT_TRUE(read->record().at(contract).agrees_with(compute_reference(*lowered)->expectation));
  }
}

TEST_F(CaseFolderTest, HoldsRawBytesUnderPlainNames) {
  folder_ = make_case_folder(folder_.source, std::array{numerics::Contract::kTflite}).value();
  ASSERT_TRUE(write_case_folder(path_, folder_, std::array{FolderFile{"REPORT.md", "# text\n"}}));
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    names.push_back(entry.path().filename());
  }
  EXPECT_THAT(names, UnorderedElementsAre("model.tflite", "input_0.bin", "expected_tflite_0.bin",
                                          "expected_tflite_accumulators_0.bin", "case.json",
                                          "README.txt", "REPORT.md"));
  const std::string input = read_text(path_ / "input_0.bin");
  ASSERT_EQ(input.size(), folder_.source.inputs[0].size());
  EXPECT_EQ(std::memcmp(input.data(), folder_.source.inputs[0].data(), input.size()), 0);
  EXPECT_EQ(read_text(path_ / "expected_tflite_accumulators_0.bin").size(), 3u * 3 * 3 * 4);
  const std::string readme = read_text(path_ / "README.txt");
  EXPECT_THAT(readme, HasSubstr("expected_tflite_0.bin"));
  EXPECT_THAT(readme, HasSubstr("little-endian"));
}

TEST_F(CaseFolderTest, IsWholeOrNotThere) {
  std::filesystem::create_directories(path_);
  write_text(path_ / "somebody's", "work");
  const Status status = write_case_folder(path_, folder_);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("not empty"));
  EXPECT_EQ(read_text(path_ / "somebody's"), "work");

  // A file that cannot be written: everything is taken away again.
  const std::array impossible{FolderFile{"no/such/folder", ""}};
  EXPECT_FALSE(write_case_folder(parent_ / "other", folder_, impossible));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(parent_), {}), 1)
      << "nothing but the first folder is left";
}

TEST_F(CaseFolderTest, MayReplaceAnEmptyFolder) {
  std::filesystem::create_directories(path_);
  EXPECT_TRUE(write_case_folder(path_.string() + "/", folder_));
  EXPECT_TRUE(read_case_folder(path_));
}

TEST_F(CaseFolderTest, IsASuite) {
  write();
  SuiteOptions options;
  options.case_folders = {path_};
  const auto suite = make_suite(options);
  ASSERT_TRUE(suite) << suite.error().message;
  ASSERT_EQ(suite->cases.size(), 1u);
  ASSERT_NE(suite->record_of(suite->cases[0]), nullptr);
  EXPECT_EQ(*suite->record_of(suite->cases[0]), folder_.record());
}

TEST_F(CaseFolderTest, RefusesMissingAndForeignFiles) {
  EXPECT_THAT(refusal(), HasSubstr("there is no folder"));
  for (const std::string name : {"model.tflite", "input_0.bin", "expected_tflite_0.bin",
                                 "expected_single_accumulators_0.bin", "case.json"}) {
    std::filesystem::remove_all(path_);
    write();
    const std::string contents = read_text(path_ / name);
    std::filesystem::remove(path_ / name);
    EXPECT_THAT(refusal(), HasSubstr(name + "' is missing"));
    // The right contents, but somewhere else.
    write_text(parent_ / "elsewhere", contents);
    std::filesystem::create_symlink(parent_ / "elsewhere", path_ / name);
    EXPECT_THAT(refusal(), HasSubstr("no regular file"));
    std::filesystem::remove(path_ / name);
    std::filesystem::create_directory(path_ / name);
    EXPECT_THAT(refusal(), HasSubstr("no regular file"));
  }
}

TEST_F(CaseFolderTest, RefusesContentsThatCaseJsonIsNotAbout) {
  for (const std::string name :
       {"input_0.bin", "expected_reference_0.bin", "expected_tflite_accumulators_0.bin"}) {
    std::filesystem::remove_all(path_);
    write();
    std::string contents = read_text(path_ / name);
    write_text(path_ / name, contents + "x");
    EXPECT_THAT(refusal(), HasSubstr("bytes"));
    contents[0] = static_cast<char>(contents[0] ^ 1);
    write_text(path_ / name, contents);
    EXPECT_THAT(refusal(), HasSubstr("other contents"));
  }
  std::filesystem::remove_all(path_);
  write();
  std::string model = read_text(path_ / "model.tflite");
  model.back() = static_cast<char>(model.back() ^ 1);
  write_text(path_ / "model.tflite", model);
  EXPECT_THAT(refusal(), HasSubstr("model.tflite"));
}

TEST_F(CaseFolderTest, RefusesDescriptionsThatLie) {
  const auto refusal_of = [&](auto edit) {
    std::filesystem::remove_all(path_);
    write();
    edit_description(edit);
    return refusal();
  };
  EXPECT_THAT(refusal_of([](json& d) { d["format"] = 2; }), HasSubstr("format"));
  EXPECT_THAT(refusal_of([](json& d) { d.erase("inputs"); }), HasSubstr("inputs"));
  EXPECT_THAT(refusal_of([](json& d) { d["inputs"] = json::array(); }), HasSubstr("0 inputs"));
  EXPECT_THAT(refusal_of([](json& d) { d["inputs"][0]["file"] = "../../etc/passwd"; }),
              HasSubstr("names '../../etc/passwd'"));
  EXPECT_THAT(refusal_of([](json& d) {
                d["inputs"][0]["shape"] = {1, 2};
              }),
              HasSubstr("not as described"));
  EXPECT_THAT(refusal_of([](json& d) { d["inputs"][0]["type"] = "uint8"; }),
              HasSubstr("not as described"));
  EXPECT_THAT(refusal_of([](json& d) { d["expected"] = json::array(); }),
              HasSubstr("nothing is expected"));
  EXPECT_THAT(refusal_of([](json& d) { d["expected"].push_back(d["expected"][0]); }),
              HasSubstr("twice"));
  EXPECT_THAT(refusal_of([](json& d) { d["expected"][0]["contract"] = "exact"; }),
              HasSubstr("contract"));
  EXPECT_THAT(refusal_of([](json& d) {
                d["expected"][0]["accumulators"][0]["shape"] = {2147483647, 2147483647};
              }),
              HasSubstr("expected_tflite_accumulators_0.bin"));
  EXPECT_THAT(refusal_of([](json& d) { d["name"] = std::string(5000, 'x'); }), HasSubstr("name"));
  EXPECT_THAT(refusal_of([](json& d) { d["failure"]["verdict"] = "MAYBE"; }), HasSubstr("verdict"));
  EXPECT_THAT(refusal_of([](json& d) { d["failure"]["subject"] = 7; }), HasSubstr("subject"));
  EXPECT_THAT(refusal_of([](json& d) { d["more"] = 1; }), HasSubstr("more"));
  write_text(path_ / "case.json", "{");
  EXPECT_THAT(refusal(), HasSubstr("not JSON"));
  write_text(path_ / "case.json", "[]");
  EXPECT_THAT(refusal(), HasSubstr("object"));
}

}  // namespace
}  // namespace lockstep::conformance
