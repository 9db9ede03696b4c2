// `lockstep weights symmetrize` and `prune` as a user meets them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "graph/testing/graph_builder.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"
#include "tools/testing/command_test.h"

namespace lockstep::tools {
namespace {

using graph::DataType;
using graph::testing::GraphBuilder;
using graph::testing::per_tensor;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::lockstep;
using ::testing::Not;
using testing::Outcome;

// A uint8 network of two convolutions, whose weights have zero points.
std::vector<std::byte> uint8_network() {
  GraphBuilder builder("uint8");
  const int32_t x = builder.input("x", DataType::kUint8, {1, 4, 4, 2}, per_tensor(0.5f, 100));
  std::vector<uint8_t> weights(8 * 2);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<uint8_t>(i * 16);
  const int32_t first =
      builder.constant<uint8_t>("first", {8, 1, 1, 2}, weights, per_tensor(0.25f, 90));
  const int32_t bias =
      builder.constant<int32_t>("bias", {8}, {1, 2, 3, 4, 5, 6, 7, 8}, per_tensor(0.125f));
  const int32_t hidden = builder.conv_2d(x, first, bias, per_tensor(2.0f, 128));
  const int32_t second =
      builder.constant<uint8_t>("second", {2, 1, 1, 8}, weights, per_tensor(0.25f, 90));
  const int32_t last_bias = builder.constant<int32_t>("last_bias", {2}, {9, 10}, per_tensor(0.5f));
  const int32_t y = builder.conv_2d(hidden, second, last_bias, per_tensor(16.0f, 128));
  return graph::write_tflite(builder.build({y})).value();
}

class WeightsEditCommand : public testing::CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    write("in.tflite", uint8_network());
  }

  graph::Graph read(const std::string& name) const {
    auto graph = graph::read_tflite_file(path(name));
    EXPECT_TRUE(graph) << graph.error().message;
    return graph ? std::move(*graph) : graph::Graph();
  }
  Outcome weights(const std::string& arguments) const {
    return lockstep("weights " + arguments + " " + path("in.tflite") + " -o " + path("out.tflite"));
  }
};

TEST_F(WeightsEditCommand, SymmetrizeWritesAnInt8NetworkWithTheOldInterface) {
  const Outcome outcome = weights("symmetrize");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.text, AllOf(HasSubstr("2 tensors made symmetric"), HasSubstr("second")));
  const graph::Graph graph = read("out.tflite");
  EXPECT_EQ(graph.tensors[static_cast<size_t>(graph.inputs[0])].type, DataType::kUint8);
  EXPECT_EQ(graph.operators.size(), 4u);
  EXPECT_EQ(lockstep("weights symmetrize --check " + path("in.tflite")).exit_code, 1);
  EXPECT_EQ(lockstep("weights symmetrize --check " + path("out.tflite")).exit_code, 0);
}

TEST_F(WeightsEditCommand, SymmetrizeTellsProgramsWhatItDid) {
  const Outcome outcome = weights("symmetrize --per-channel --io int8 --json");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  const auto report = nlohmann::json::parse(outcome.text);
  ASSERT_EQ(report["weights"].size(), 2u);
  EXPECT_EQ(report["weights"][0]["zero_point"], 90);
  EXPECT_EQ(report["weights"][0]["new_scales"].size(), 8u);
  EXPECT_EQ(report["quantize_operators_added"], 0);
  EXPECT_TRUE(report["output_error"].contains("outputs"));
  EXPECT_EQ(read("out.tflite").operators.size(), 2u);
}

TEST_F(WeightsEditCommand, CheckListsWhatItFinds) {
  const Outcome outcome = lockstep("weights symmetrize --check --json " + path("in.tflite"));
  EXPECT_EQ(outcome.exit_code, 1);
  const auto report = nlohmann::json::parse(outcome.text);
  EXPECT_FALSE(report["symmetric"].get<bool>());
  EXPECT_THAT(outcome.text, HasSubstr("uint8, zero point 90"));
  EXPECT_FALSE(exists("out.tflite"));
}

TEST_F(WeightsEditCommand, PruneSetsTheShareToZero) {
  const Outcome outcome = weights("prune --sparsity 0.5 --block 2x1");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.text, AllOf(HasSubstr("16 of 32 weights are zero (50.0 %)"),
                                  HasSubstr("TFLite has no sparse uint8")));
  EXPECT_EQ(read("out.tflite").operators.size(), 2u);
}

TEST_F(WeightsEditCommand, PruneRemovesChannels) {
  const Outcome outcome = weights("prune --channels 0.25 --json");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  const auto report = nlohmann::json::parse(outcome.text);
  EXPECT_EQ(report["layers"][0]["channels"], 6);
  EXPECT_EQ(report["layers"][1]["kept_because"], "they are an output of the network");
  EXPECT_LT(report["elements"].get<int>(), report["elements_before"].get<int>());
  const graph::Graph graph = read("out.tflite");
  EXPECT_EQ(graph.tensors[static_cast<size_t>(graph.operators[0].outputs[0])].shape,
            (graph::Shape{1, 4, 4, 6}));
}

TEST_F(WeightsEditCommand, WhatCannotBeDoneLeavesNoFile) {
  const std::pair<const char*, const char*> cases[] = {
      {"prune", "either --sparsity or --channels is needed"},
      {"prune --sparsity 1.0", "a sparsity of 1 cannot be"},
      {"prune --sparsity 0.5 --block 4", "--block is ROWSxCOLUMNS"},
      {"prune --sparsity 0.5 --block 0x1", "--block is ROWSxCOLUMNS"},
      {"prune --channels 1.5", "1.5 of the channels cannot be removed"},
      {"prune --channels 0.5 --sparsity 0.5", "excludes"},
      {"symmetrize --io float32", "--io"},
  };
  for (const auto& [arguments, message] : cases) {
    const Outcome outcome = weights(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << arguments;
    EXPECT_THAT(outcome.text, HasSubstr(message));
    EXPECT_FALSE(exists("out.tflite")) << arguments;
  }
  EXPECT_THAT(lockstep("weights symmetrize " + path("in.tflite")).text,
              HasSubstr("--output or --check is needed"));
}

TEST_F(WeightsEditCommand, DamagedFilesAreRefused) {
  auto bytes = uint8_network();
  bytes.resize(bytes.size() / 2);
  write("in.tflite", bytes);
  for (const char* command : {"symmetrize", "prune --channels 0.5"}) {
    const Outcome outcome = weights(command);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_THAT(outcome.text, AllOf(HasSubstr("in.tflite"), Not(HasSubstr("terminate"))));
    EXPECT_FALSE(exists("out.tflite"));
  }
}

}  // namespace
}  // namespace lockstep::tools
