// `lockstep compare` as a user meets it: exit codes, messages, JSON, page.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "graph/graph_builder.h"
#include "graph/tflite_writer.h"
#include "tools/npy.h"
#include "tools/testing/command_test.h"

namespace lockstep::tools {
namespace {

using graph::GraphBuilder;
using ::testing::HasSubstr;
using testing::lockstep;
using testing::Outcome;

// Two classifiers of six numbers into seven classes, int8 with inputs of their own scales: the
// second one's weights are one step off. And data for them.
class CompareCommand : public testing::CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    write_network("a.tflite", 1.0f / 8, 0);
    write_network("b.tflite", 1.0f / 16, 1);
    std::vector<float> values;
    for (int i = 0; i < 10 * 6; ++i) values.push_back(static_cast<float>(i * 29 % 41) / 20 - 1);
    const auto bytes = std::as_bytes(std::span(values));
    ASSERT_TRUE(write_npy(
        {.type = NumberType::kFloat32, .shape = {10, 6}, .data = {bytes.begin(), bytes.end()}},
        path("data.npy")));
  }

  void write_network(const std::string& name, float input_scale, int8_t weight_offset) const {
    GraphBuilder builder("classifier");
    const int32_t input =
        builder.input("numbers", graph::DataType::kInt8, {1, 6}, graph::per_tensor(input_scale));
    std::vector<int8_t> weights(7 * 6);
    for (size_t i = 0; i < weights.size(); ++i) {
      weights[i] = static_cast<int8_t>(static_cast<int>(i * 37 % 101) - 50 + weight_offset);
    }
    const int32_t kernel =
        builder.constant<int8_t>("kernel", {7, 6}, weights, graph::per_tensor(0.02f));
    const int32_t bias = builder.constant<int32_t>("bias", {7}, std::vector<int32_t>(7),
                                                   graph::per_tensor(0.02f * input_scale));
    const int32_t logits = builder.fully_connected(input, kernel, bias, graph::per_tensor(0.05f));
    const int32_t scores = builder.softmax(logits, graph::per_tensor(1.0f / 256, -128));
    const auto graph = builder.build({scores});
    ASSERT_TRUE(graph) << graph.error().message;
    const auto bytes = graph::write_tflite(*graph);
    ASSERT_TRUE(bytes) << bytes.error().message;
    write(name, *bytes);
  }

  // A file as the shell takes it.
  std::string quoted(const std::string& name) const { return fmt::format("'{}'", path(name)); }

  // "compare A B ..." on the data.
  Outcome compare(const std::string& b, const std::string& arguments) const {
    return lockstep(fmt::format("compare --no-progress {} {} --data {} {}", quoted("a.tflite"),
                                quoted(b), quoted("data.npy"), arguments));
  }

  static bool has_tflite() { return std::getenv("LOCKSTEP_TFLITE_LIBRARY") != nullptr; }
};

TEST_F(CompareCommand, ThresholdsDecideTheExitCode) {
  if (!has_tflite()) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY names no TFLite";
  const Outcome without = compare("b.tflite", "");
  EXPECT_EQ(without.exit_code, 0) << without.text;
  EXPECT_THAT(without.text, HasSubstr("10 samples"));
  EXPECT_THAT(without.text, HasSubstr("Most is lost in"));
  const Outcome met = compare("b.tflite", "--min-sqnr 5 --max-l2 10 --min-top1 10");
  EXPECT_EQ(met.exit_code, 0) << met.text;
  const Outcome missed = compare("b.tflite", "--min-sqnr 90");
  EXPECT_EQ(missed.exit_code, 1) << missed.text;
  EXPECT_THAT(missed.text, HasSubstr("Missed: output"));
}

TEST_F(CompareCommand, ANetworkIsExactlyLikeItself) {
  if (!has_tflite()) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY names no TFLite";
  const Outcome outcome =
      compare("a.tflite", "--json --min-sqnr 1000 --max-l2 0 --min-top1 100 --samples 3");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  const auto report = nlohmann::json::parse(outcome.text);
  EXPECT_EQ(report.at("samples"), 3);
  EXPECT_EQ(report.at("outputs").at(0).at("sqnr"), nullptr);
  EXPECT_EQ(report.at("outputs").at(0).at("top1"), 1.0);
  EXPECT_EQ(report.at("layers").size(), 2u);
  EXPECT_EQ(report.at("largest_drop"), nullptr);
  EXPECT_GT(report.at("expected").at("median_milliseconds"), 0.0);
}

TEST_F(CompareCommand, OurEngineFindsWhatTfliteFinds) {
  if (!has_tflite()) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY names no TFLite";
  auto tflite = nlohmann::json::parse(compare("b.tflite", "--json").text);
  auto ours =
      nlohmann::json::parse(compare("b.tflite", "--json --engine lockstep --device ref").text);
  EXPECT_THAT(ours.at("actual").at("engine"), HasSubstr("Lockstep on"));
  for (const char* part : {"inputs", "layers", "outputs", "largest_drop"}) {
    EXPECT_EQ(tflite.at(part), ours.at(part)) << part;
  }
}

TEST_F(CompareCommand, WritesAPage) {
  if (!has_tflite()) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY names no TFLite";
  const Outcome outcome = compare("b.tflite", "--html " + quoted("page.html"));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.text;
  EXPECT_TRUE(exists("page.html"));
  const Outcome unwritable = compare("b.tflite", "--html " + quoted("a.tflite/page.html"));
  EXPECT_EQ(unwritable.exit_code, 2);
}

TEST_F(CompareCommand, WhatCannotBeComparedIsNamed) {
  const std::string command = fmt::format("compare --engine lockstep --device ref {} {}",
                                          quoted("a.tflite"), quoted("b.tflite"));
  const Outcome no_data = lockstep(command);
  EXPECT_EQ(no_data.exit_code, 2);
  EXPECT_THAT(no_data.text, HasSubstr("there are no data"));
  const Outcome no_numbers = lockstep(command + " --data " + quoted("a.tflite"));
  EXPECT_EQ(no_numbers.exit_code, 2);
  EXPECT_THAT(no_numbers.text, HasSubstr("takes 6"));
}

}  // namespace
}  // namespace lockstep::tools
