// `lockstep quantize` as a user meets it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "graph/editable_model.h"
#include "graph/tflite_reader.h"
#include "quantization/testing/float_network_builder.h"
#include "tools/npy.h"
#include "tools/testing/command_test.h"

namespace lockstep::tools {
namespace {

using graph::DataType;
using quantization::testing::FloatNetworkBuilder;
using quantization::testing::scattered_values;
using ::testing::HasSubstr;
using testing::lockstep;
using testing::Outcome;
namespace schema = graph::schema;

constexpr size_t kPixels = 8 * 8 * 3;
constexpr size_t kSamples = 12;

// A convolution and a classifier, and a folder with samples for it.
class QuantizeCommand : public testing::CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    write_network("float.tflite", scattered_values(16 * 27, -0.5f, 0.5f));
    write_samples("samples.npy", scattered_values(kSamples * kPixels, -1, 1));
  }

  void write_network(const std::string& name, const std::vector<float>& weights) {
    FloatNetworkBuilder builder;
    schema::Conv2DOptionsT convolution;
    convolution.stride_w = convolution.stride_h = 2;
    convolution.fused_activation_function = schema::ActivationFunctionType::RELU;
    const int32_t image = builder.input("image", {1, 8, 8, 3});
    const int32_t features =
        builder.apply(schema::BuiltinOperator::CONV_2D, convolution,
                      {image, builder.constant("filter", {16, 3, 3, 3}, weights),
                       builder.constant("bias", {16}, scattered_values(16, -0.1f, 0.1f))},
                      {1, 4, 4, 16});
    const int32_t scores = builder.apply(
        schema::BuiltinOperator::FULLY_CONNECTED, schema::FullyConnectedOptionsT{},
        {features, builder.constant("classes", {10, 256}, scattered_values(2560, -0.2f, 0.2f))},
        {1, 10});
    schema::SoftmaxOptionsT softmax;
    softmax.beta = 1;
    const int32_t result =
        builder.apply(schema::BuiltinOperator::SOFTMAX, softmax, {scores}, {1, 10});
    const auto bytes = graph::write_editable_model({builder.build({result}), {}});
    ASSERT_TRUE(bytes) << bytes.error().message;
    write(name, *bytes);
  }

  void write_samples(const std::string& name, const std::vector<float>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    const Status written =
        write_npy({.type = NumberType::kFloat32,
                   .shape = {static_cast<int64_t>(values.size() / kPixels), 8, 8, 3},
                   .data = {bytes.begin(), bytes.end()}},
                  path(name));
    ASSERT_TRUE(written) << written.error().message;
  }

  Outcome quantize(const std::string& arguments) {
    return lockstep("quantize " + path("float.tflite") + " -o " + path("out.tflite") + " " +
                    arguments);
  }

  static bool has_tflite() {
    const char* library = std::getenv("LOCKSTEP_TFLITE_LIBRARY");
    return library != nullptr && *library != '\0';
  }

  graph::Graph result() {
    auto graph = graph::read_tflite_file(path("out.tflite"));
    EXPECT_TRUE(graph) << graph.error().message;
    return graph.value_or(graph::Graph{});
  }

  // The only file that a failure leaves is what was there before.
  void expect_failure(const Outcome& outcome, const std::string& message) {
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_THAT(outcome.text, HasSubstr(message));
    std::set<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      files.insert(entry.path().filename().string());
    }
    EXPECT_FALSE(exists("out.tflite"));
    EXPECT_EQ(files.size(), written_files_) << "something was left behind";
  }

  size_t written_files_ = 2;
};

// Sizes that were promised, by the float32 file's. A third of what the VWW network's dynamic-range
// file has above a quarter are names.
TEST_F(QuantizeCommand, RealNetworksBecomeAsSmallAsTheyShould) {
  struct Promise {
    const char* network;
    const char* mode;
    double largest;
  };
  const Promise promises[] = {
      {"resnet8_cifar10", "dynamic-range", 0.28},
      {"vww_mobilenet_v1_025_96", "dynamic-range", 0.293},
      {"ad01_autoencoder", "dynamic-range", 0.28},
      {"resnet8_cifar10", "float16", 0.52},
      {"vww_mobilenet_v1_025_96", "float16", 0.52},
      {"ad01_autoencoder", "float16", 0.52},
  };
  for (const Promise& promise : promises) {
    SCOPED_TRACE(std::string(promise.network) + " " + promise.mode);
    const auto network = std::filesystem::path(LOCKSTEP_MODELS_DIR) /
                         (std::string(promise.network) + "_float32.tflite");
    if (!std::filesystem::exists(network)) GTEST_SKIP() << network << " is absent";
    const Outcome outcome = lockstep("quantize " + network.string() + " -o " + path("out.tflite") +
                                     " --mode " + promise.mode);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
    EXPECT_LE(static_cast<double>(std::filesystem::file_size(path("out.tflite"))),
              promise.largest * static_cast<double>(std::filesystem::file_size(network)));
  }
}

TEST_F(QuantizeCommand, WhatCannotBeIsSaidBeforeCalibration) {
  const Outcome unknown = quantize("--data " + path("samples.npy") + " --keep-float NOBODY");
  expect_failure(unknown, "'NOBODY'");
  EXPECT_THAT(unknown.text, ::testing::Not(HasSubstr("calibrating")));
  const Outcome homeless = lockstep("quantize " + path("float.tflite") + " -o " +
                                    path("nowhere/out.tflite") + " --data " + path("samples.npy"));
  expect_failure(homeless, "nowhere");
  EXPECT_THAT(homeless.text, ::testing::Not(HasSubstr("calibrating")));
}

// Names that the user knows stay, whatever is done to channels around them.
TEST_F(QuantizeCommand, KeepsTheLayerFloatThatWasNamed) {
  const Outcome outcome =
      quantize("--data " + path("samples.npy") + " --keep-float 'CONV_2D 3' --json");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("\"output\": \"CONV_2D 3\""));
  const auto graph = graph::read_tflite_file(path("out.tflite"));
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_TRUE(std::ranges::any_of(graph->tensors, [](const graph::Tensor& tensor) {
    return tensor.name == "CONV_2D 3" && tensor.type == DataType::kFloat32;
  }));
}

TEST_F(QuantizeCommand, RangesOnRequest) {
  const Outcome outcome =
      quantize("--data " + path("samples.npy") + " --range 'FULLY_CONNECTED 5=-1:2' --json");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  const auto graph = graph::read_tflite_file(path("out.tflite"));
  ASSERT_TRUE(graph) << graph.error().message;
  for (const graph::Tensor& tensor : graph->tensors) {
    if (tensor.name == "FULLY_CONNECTED 5") {
      EXPECT_FLOAT_EQ(tensor.quantization.scales.front(), 3.0f / 255);
      return;
    }
  }
  FAIL() << "the tensor is gone";
}

TEST_F(QuantizeCommand, RangesThatAreNoneAreRefused) {
  for (const char* range : {"scores", "scores=1", "scores=1:", "scores=a:b", "scores=1:2x"}) {
    const Outcome outcome = quantize("--data " + path("samples.npy") + " --range '" + range + "'");
    expect_failure(outcome, range);
  }
  const Outcome unknown = quantize("--data " + path("samples.npy") + " --range nobody=1:2");
  expect_failure(unknown, "'nobody'");
}

TEST_F(QuantizeCommand, MakesAnInt8Network) {
  if (!has_tflite()) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  const Outcome outcome = quantize("--data " + path("samples.npy"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("3 int8, 0 float"));
  EXPECT_THAT(outcome.text, HasSubstr("run in TFLite 2.9"));
  const graph::Graph graph = result();
  for (const graph::Operator& op : graph.operators) {
    const int32_t output = op.outputs.front();
    EXPECT_EQ(graph.tensors[static_cast<size_t>(output)].type, DataType::kInt8) << op.name;
  }
}

TEST_F(QuantizeCommand, TellsEverythingInJson) {
  if (!has_tflite()) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  const Outcome outcome =
      quantize("--data " + path("samples.npy") + " --samples 8 --keep-float SOFTMAX --json");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  const auto json = nlohmann::json::parse(outcome.text);
  EXPECT_EQ(json.at("mode"), "int8");
  EXPECT_EQ(json.at("samples"), 8);
  EXPECT_EQ(json.at("operators").at(0).at("treatment"), "int8");
  EXPECT_EQ(json.at("operators").at(2).at("treatment"), "float");
  EXPECT_EQ(json.at("operators").at(2).at("reason"), "as asked for");
  EXPECT_EQ(json.at("new_bytes"), std::filesystem::file_size(path("out.tflite")));
  EXPECT_GT(json.at("layers").at(0).at("sqnr_db"), 25);
  EXPECT_GT(json.at("outputs").at(0).at("sqnr_db"), 25);
}

TEST_F(QuantizeCommand, BordersHaveTheTypeAskedFor) {
  if (!has_tflite()) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  for (const auto& [name, type] : {std::pair("int8", DataType::kInt8),
                                   {"uint8", DataType::kUint8},
                                   {"float32", DataType::kFloat32}}) {
    const Outcome outcome =
        quantize("--data " + path("samples.npy") + " --io " + std::string(name));
    ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
    const graph::Graph graph = result();
    EXPECT_EQ(graph.tensors[static_cast<size_t>(graph.inputs.front())].type, type) << name;
    EXPECT_EQ(graph.tensors[static_cast<size_t>(graph.outputs.front())].type, type) << name;
    EXPECT_EQ(graph.tensors[static_cast<size_t>(graph.inputs.front())].name, "image");
  }
}

TEST_F(QuantizeCommand, WeightModesNeedNoData) {
  for (const std::string mode : {"float16", "dynamic-range"}) {
    const Outcome outcome = quantize("--mode " + mode);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
    EXPECT_LT(std::filesystem::file_size(path("out.tflite")),
              std::filesystem::file_size(path("float.tflite")));
    const graph::Graph graph = result();
    EXPECT_EQ(graph.tensors[static_cast<size_t>(graph.inputs.front())].type, DataType::kFloat32);
  }
}

TEST_F(QuantizeCommand, SameDataGivesTheSameFile) {
  if (!has_tflite()) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  std::vector<std::vector<std::byte>> files;
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(quantize("--data " + path("samples.npy")).exit_code, 0);
    files.push_back(graph::read_file_bytes(path("out.tflite")).value());
  }
  EXPECT_EQ(files[0], files[1]);
}

TEST_F(QuantizeCommand, RefusesInt8WithoutData) {
  if (!has_tflite()) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  expect_failure(quantize(""), "--data");
}

TEST_F(QuantizeCommand, RefusesAQuantizedNetwork) {
  if (!has_tflite()) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  ASSERT_EQ(quantize("--data " + path("samples.npy")).exit_code, 0);
  std::filesystem::rename(path("out.tflite"), path("float.tflite"));
  expect_failure(quantize("--data " + path("samples.npy")), "quantized already");
}

TEST_F(QuantizeCommand, RefusesWeightsThatAreNoNumbers) {
  if (!has_tflite()) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  std::vector<float> weights(16 * 27, 0.1f);
  weights[5] = std::numeric_limits<float>::quiet_NaN();
  write_network("float.tflite", weights);
  expect_failure(quantize("--data " + path("samples.npy")), "nan");
}

TEST_F(QuantizeCommand, RefusesDataThatAreNoNumbers) {
  if (!has_tflite()) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  std::vector<float> samples(2 * kPixels, 0.5f);
  samples.back() = std::numeric_limits<float>::infinity();
  write_samples("samples.npy", samples);
  expect_failure(quantize("--data " + path("samples.npy")), "[1]': element 191 is infinite");
}

TEST_F(QuantizeCommand, RefusesAnOperatorThatIsNotThere) {
  if (!has_tflite()) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  expect_failure(quantize("--data " + path("samples.npy") + " --keep-float TANH"), "'TANH'");
}

TEST_F(QuantizeCommand, NeverReplacesItsInput) {
  const auto before = graph::read_file_bytes(path("float.tflite")).value();
  const Outcome outcome = lockstep("quantize " + path("float.tflite") + " -o " +
                                   path("float.tflite") + " --mode float16");
  expect_failure(outcome, "would be replaced");
  EXPECT_EQ(graph::read_file_bytes(path("float.tflite")).value(), before);
}

TEST_F(QuantizeCommand, FolderThatIsNotThereLeavesNothing) {
  expect_failure(lockstep("quantize " + path("float.tflite") + " -o " + path("none/out.tflite") +
                          " --mode float16"),
                 "none' to write 'out.tflite'");
}

}  // namespace
}  // namespace lockstep::tools
