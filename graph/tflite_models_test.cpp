// What real networks contain, counted once by hand and by other tools: a reader that loses or
// misreads an operator, a stride or an axis changes one of these numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"

namespace lockstep::graph {
namespace {

struct Facts {
  std::string file;
  size_t tensors;
  std::map<std::string, int> operators;
  int64_t multiply_accumulates;
  size_t per_axis_tensors;
  Shape input;
  DataType input_type;
  Shape output;
};

void PrintTo(const Facts& facts, std::ostream* stream) { *stream << facts.file; }

class TfliteModels : public ::testing::TestWithParam<Facts> {
 protected:
  void SetUp() override {
    path_ = std::filesystem::path(LOCKSTEP_MODELS_DIR) / (GetParam().file + ".tflite");
    if (!std::filesystem::exists(path_)) GTEST_SKIP() << path_ << " is absent";
  }

  std::filesystem::path path_;
};

TEST_P(TfliteModels, HoldTheseFacts) {
  const auto graph = read_tflite_file(path_);
  ASSERT_TRUE(graph) << graph.error().message;
  ASSERT_TRUE(validate(*graph));
  const Facts& facts = GetParam();
  std::map<std::string, int> operators;
  int64_t macs = 0;
  for (const Operator& op : graph->operators) {
    EXPECT_FALSE(std::holds_alternative<OpaqueAttributes>(op.attributes)) << op.name;
    ++operators[op.name];
    macs += multiply_accumulates(*graph, op);
  }
  EXPECT_EQ(operators, facts.operators);
  EXPECT_EQ(macs, facts.multiply_accumulates);
  EXPECT_EQ(graph->tensors.size(), facts.tensors);
  EXPECT_EQ(std::count_if(graph->tensors.begin(), graph->tensors.end(),
                          [](const Tensor& tensor) { return tensor.quantization.is_per_axis(); }),
            static_cast<std::ptrdiff_t>(facts.per_axis_tensors));
  ASSERT_EQ(graph->inputs.size(), 1u);
  ASSERT_EQ(graph->outputs.size(), 1u);
  const Tensor& input = graph->tensors[static_cast<size_t>(graph->inputs[0])];
  EXPECT_EQ(input.shape, facts.input);
  EXPECT_EQ(input.type, facts.input_type);
  EXPECT_EQ(graph->tensors[static_cast<size_t>(graph->outputs[0])].shape, facts.output);
}

TEST_P(TfliteModels, AreTheSameAfterWriting) {
  const auto graph = read_tflite_file(path_);
  ASSERT_TRUE(graph) << graph.error().message;
  const auto written = write_tflite(*graph);
  ASSERT_TRUE(written) << written.error().message;
  const auto again = read_tflite(*written, graph->name);
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_EQ(again->operators.size(), graph->operators.size());
  for (size_t i = 0; i < graph->operators.size(); ++i) {
    EXPECT_TRUE(again->operators[i].attributes == graph->operators[i].attributes);
  }
  ASSERT_EQ(again->tensors.size(), graph->tensors.size());
  for (size_t i = 0; i < graph->tensors.size(); ++i) {
    EXPECT_EQ(again->tensors[i].quantization, graph->tensors[i].quantization);
    EXPECT_TRUE(std::ranges::equal(again->tensors[i].data, graph->tensors[i].data));
  }
}

TEST_P(TfliteModels, ExposeEveryProducedTensor) {
  const auto bytes = read_file_bytes(path_);
  ASSERT_TRUE(bytes) << bytes.error().message;
  const auto exposed = expose_all_tensors(*bytes);
  ASSERT_TRUE(exposed) << exposed.error().message;
  const auto graph = read_tflite(*exposed, "exposed");
  ASSERT_TRUE(graph) << graph.error().message;
  ASSERT_EQ(graph->outputs.size(), graph->operators.size());
  for (size_t i = 0; i < graph->operators.size(); ++i) {
    EXPECT_EQ(graph->outputs[i], graph->operators[i].outputs[0]);
  }
}

const std::map<std::string, int> kAutoencoder{{"FULLY_CONNECTED", 10}};
const std::map<std::string, int> kKeywords{{"CONV_2D", 5},         {"DEPTHWISE_CONV_2D", 4},
                                           {"AVERAGE_POOL_2D", 1}, {"RESHAPE", 1},
                                           {"FULLY_CONNECTED", 1}, {"SOFTMAX", 1}};
const std::map<std::string, int> kResnet8{{"CONV_2D", 9},         {"ADD", 3},
                                          {"AVERAGE_POOL_2D", 1}, {"RESHAPE", 1},
                                          {"FULLY_CONNECTED", 1}, {"SOFTMAX", 1}};
const std::map<std::string, int> kWakeWords{{"CONV_2D", 14},        {"DEPTHWISE_CONV_2D", 13},
                                            {"AVERAGE_POOL_2D", 1}, {"RESHAPE", 1},
                                            {"FULLY_CONNECTED", 1}, {"SOFTMAX", 1}};

INSTANTIATE_TEST_SUITE_P(
    Real, TfliteModels,
    ::testing::Values(
        Facts{"ad01_autoencoder_float32",
              31,
              kAutoencoder,
              264192,
              0,
              {1, 640},
              DataType::kFloat32,
              {1, 640}},
        Facts{"ad01_autoencoder_int8",
              31,
              kAutoencoder,
              264192,
              0,
              {1, 640},
              DataType::kInt8,
              {1, 640}},
        Facts{"toycar_autoencoder_dynamic_range",
              31,
              kAutoencoder,
              264192,
              0,
              {1, 640},
              DataType::kFloat32,
              {1, 640}},
        Facts{
            "kws_dscnn_int8", 35, kKeywords, 2656768, 18, {1, 49, 10, 1}, DataType::kInt8, {1, 12}},
        Facts{"kws_dscnn_dynamic_range",
              35,
              kKeywords,
              2656768,
              0,
              {1, 49, 10, 1},
              DataType::kFloat32,
              {1, 12}},
        Facts{"micro_speech_int8",
              10,
              {{"RESHAPE", 1}, {"DEPTHWISE_CONV_2D", 1}, {"FULLY_CONNECTED", 1}, {"SOFTMAX", 1}},
              336000,
              2,
              {1, 1960},
              DataType::kInt8,
              {1, 4}},
        Facts{"mobilenet_v2_224_int8_ptq",
              177,
              {{"CONV_2D", 36},
               {"DEPTHWISE_CONV_2D", 17},
               {"ADD", 10},
               {"QUANTIZE", 2},
               {"MEAN", 1},
               {"RESHAPE", 1},
               {"SOFTMAX", 1}},
              300775552,
              106,
              {1, 224, 224, 3},
              DataType::kUint8,
              {1, 1001}},
        Facts{"mobilenet_v2_224_uint8_qat",
              174,
              {{"CONV_2D", 36},
               {"DEPTHWISE_CONV_2D", 17},
               {"ADD", 10},
               {"AVERAGE_POOL_2D", 1},
               {"RESHAPE", 1},
               {"SOFTMAX", 1}},
              300775552,
              0,
              {1, 224, 224, 3},
              DataType::kUint8,
              {1, 1001}},
        Facts{"person_detect_int8",
              89,
              {{"CONV_2D", 14},
               {"DEPTHWISE_CONV_2D", 14},
               {"AVERAGE_POOL_2D", 1},
               {"RESHAPE", 1},
               {"SOFTMAX", 1}},
              7157888,
              56,
              {1, 96, 96, 1},
              DataType::kInt8,
              {1, 2}},
        Facts{"resnet8_cifar10_float32",
              38,
              kResnet8,
              12501632,
              0,
              {1, 32, 32, 3},
              DataType::kFloat32,
              {1, 10}},
        Facts{"resnet8_cifar10_int8",
              38,
              kResnet8,
              12501632,
              18,
              {1, 32, 32, 3},
              DataType::kInt8,
              {1, 10}},
        Facts{"vww_mobilenet_v1_025_96_float32",
              89,
              kWakeWords,
              7489664,
              0,
              {1, 96, 96, 3},
              DataType::kFloat32,
              {1, 2}},
        Facts{"vww_mobilenet_v1_025_96_int8",
              89,
              kWakeWords,
              7489664,
              54,
              {1, 96, 96, 3},
              DataType::kInt8,
              {1, 2}}),
    [](const auto& test) { return test.param.file; });

TEST(TfliteModel, MobileNetLayersAreReadInFull) {
  const std::filesystem::path path =
      std::filesystem::path(LOCKSTEP_MODELS_DIR) / "mobilenet_v2_224_int8_ptq.tflite";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent";
  const auto graph = read_tflite_file(path);
  ASSERT_TRUE(graph) << graph.error().message;

  // QUANTIZE, then the stem: 32 filters 3x3, stride 2, and RELU6.
  EXPECT_TRUE(std::holds_alternative<QuantizeAttributes>(graph->operators[0].attributes));
  EXPECT_EQ(graph->operators[1].attributes,
            (OperatorAttributes{Conv2dAttributes{.padding = Padding::kSame,
                                                 .stride_height = 2,
                                                 .stride_width = 2,
                                                 .dilation_height = 1,
                                                 .dilation_width = 1,
                                                 .activation = Activation::kRelu6}}));
  const Tensor& weights = graph->tensors[static_cast<size_t>(graph->operators[1].inputs[1])];
  EXPECT_EQ(weights.shape, (Shape{32, 3, 3, 3}));
  EXPECT_EQ(weights.quantization.scales.size(), 32u);
  EXPECT_EQ(weights.quantization.axis, 0);
  const Tensor& filter = graph->tensors[static_cast<size_t>(graph->operators[2].inputs[1])];
  EXPECT_EQ(graph->operators[2].name, "DEPTHWISE_CONV_2D");
  EXPECT_EQ(filter.quantization.axis, 3);
}

TEST(TfliteModel, BatchesRunThroughNetworksWithFreeBatch) {
  const std::filesystem::path path =
      std::filesystem::path(LOCKSTEP_MODELS_DIR) / "resnet8_cifar10_int8.tflite";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent";
  auto graph = read_tflite_file(path);
  ASSERT_TRUE(graph) << graph.error().message;
  const Status status = resize_input(*graph, graph->inputs[0], {9, 32, 32, 3});
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(graph->tensors[static_cast<size_t>(graph->outputs[0])].shape, (Shape{9, 10}));
  EXPECT_TRUE(validate(*graph));
}

}  // namespace
}  // namespace lockstep::graph
