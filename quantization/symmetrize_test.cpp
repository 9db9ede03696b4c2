#include "quantization/symmetrize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <numeric>

#include "graph/graph_builder.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"
#include "quantization/symmetry_check.h"
#include "quantization/testing/float_network_builder.h"
#include "quantization/testing/tflite_run.h"
#include "quantization/weight_places.h"

namespace lockstep::quantization {
namespace {

using graph::DataType;
using graph::GraphBuilder;
using graph::per_tensor;
using schema::BuiltinOperator;
using schema::TensorType;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

schema::ModelT model_of(const Result<graph::Graph>& graph) {
  EXPECT_TRUE(graph) << graph.error().message;
  auto model = graph::read_editable_model(graph::write_tflite(*graph).value(), "test");
  EXPECT_TRUE(model) << model.error().message;
  return std::move(model->tree);
}

const schema::TensorT& operand(const schema::ModelT& model, size_t op, size_t position) {
  const schema::SubGraphT& subgraph = *model.subgraphs[0];
  return *subgraph.tensors[static_cast<size_t>(subgraph.operators[op]->inputs[position])];
}

std::vector<int32_t> values_of(const schema::ModelT& model, const schema::TensorT& tensor) {
  const auto& data = model.buffers[tensor.buffer]->data;
  std::vector<int32_t> values;
  if (tensor.type == TensorType::INT32) {
    values.resize(data.size() / sizeof(int32_t));
    std::memcpy(values.data(), data.data(), data.size());
    return values;
  }
  for (const uint8_t value : data) {
    values.push_back(tensor.type == TensorType::INT8 ? static_cast<int8_t>(value) : value);
  }
  return values;
}

SymmetrizeReport symmetrized(schema::ModelT& model, const SymmetrizeOptions& options = {}) {
  auto report = symmetrize(model, options);
  EXPECT_TRUE(report) << report.error().message;
  EXPECT_THAT(find_asymmetries(model), SizeIs(0));
  return std::move(*report);
}

// A uint8 convolution of two output channels, 1x1, with scales that are powers of two.
schema::ModelT convolution(const std::vector<uint8_t>& weights, int32_t zero_point,
                           const std::vector<int32_t>& bias) {
  GraphBuilder builder("convolution");
  const int32_t x = builder.input("x", DataType::kUint8, {1, 4, 5, 3}, per_tensor(0.5f, 100));
  const int32_t w =
      builder.constant<uint8_t>("w", {2, 1, 1, 3}, weights, per_tensor(0.25f, zero_point));
  const int32_t b = builder.constant<int32_t>("b", {2}, bias, per_tensor(0.125f));
  return model_of(builder.build({builder.conv_2d(x, w, b, per_tensor(4.0f, 120))}));
}

// The largest difference of outputs in steps of 4, over inputs of all kinds.
float difference_in_steps(const schema::ModelT& before, const schema::ModelT& after) {
  float largest = 0;
  for (uint32_t seed = 1; seed <= 4; ++seed) {
    const auto inputs = testing::scattered_inputs(before, -50, 77, seed);
    const auto expected = testing::run_in_tflite(before, inputs);
    const auto actual = testing::run_in_tflite(after, inputs);
    for (size_t i = 0; i < expected[0].values.size(); ++i) {
      largest = std::max(largest, std::abs(expected[0].values[i] - actual[0].values[i]) / 4.0f);
    }
  }
  return largest;
}

TEST(Symmetrize, WeightsThatFitKeepTheirScaleAndBias) {
  schema::ModelT model = convolution({0, 100, 127, 227, 50, 1}, 100, {1000, -77});
  const auto report = symmetrized(model, {.borders = UnsignedBorders::kInt8});
  EXPECT_THAT(values_of(model, operand(model, 0, 1)), ElementsAre(-100, 0, 27, 127, -50, -99));
  EXPECT_THAT(operand(model, 0, 1).quantization->scale, ElementsAre(0.25f));
  EXPECT_THAT(operand(model, 0, 1).quantization->zero_point, ElementsAre(0));
  EXPECT_THAT(values_of(model, operand(model, 0, 2)), ElementsAre(1000, -77));
  ASSERT_THAT(report.weights, SizeIs(1));
  EXPECT_EQ(report.weights[0].old_zero_point, 100);
  EXPECT_EQ(report.weights[0].largest_error, 0);
  EXPECT_TRUE(std::isinf(report.weights[0].signal_to_noise));
  if (testing::tflite_library() == nullptr) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  EXPECT_EQ(difference_in_steps(convolution({0, 100, 127, 227, 50, 1}, 100, {1000, -77}), model),
            0.0f);
}

TEST(Symmetrize, UnsignedBordersAreNoAsymmetry) {
  schema::ModelT model = convolution({0, 100, 127, 227, 50, 1}, 100, {1000, -77});
  EXPECT_THAT(find_asymmetries(model), SizeIs(3));
  EXPECT_EQ(symmetrized(model, {.borders = UnsignedBorders::kKept}).signed_domain.added_operators,
            2u);
}

TEST(Symmetrize, WeightsThatDoNotFitTakeALargerScaleAndTheirBiasWithThem) {
  const std::vector<uint8_t> weights = {0, 2, 4, 254, 252, 1};
  schema::ModelT model = convolution(weights, 0, {1000, -77});
  const auto report = symmetrized(model, {.borders = UnsignedBorders::kInt8});
  EXPECT_THAT(values_of(model, operand(model, 0, 1)), ElementsAre(0, 1, 2, 127, 126, 1));
  EXPECT_THAT(operand(model, 0, 1).quantization->scale, ElementsAre(0.5f));
  EXPECT_THAT(values_of(model, operand(model, 0, 2)), ElementsAre(500, -39));
  EXPECT_THAT(operand(model, 0, 2).quantization->scale, ElementsAre(0.25f));
  EXPECT_EQ(report.weights[0].largest_error, 0.25);
  EXPECT_DOUBLE_EQ(report.weights[0].mean_error, 0.25 / 6);
  if (testing::tflite_library() == nullptr) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  // A weight is off by one quarter, its input by at most 77.5.
  EXPECT_LE(difference_in_steps(convolution(weights, 0, {1000, -77}), model), 6.0f);
}

TEST(Symmetrize, EveryChannelKeepsItsOwnScaleWhereItCan) {
  schema::ModelT model = convolution({0, 2, 4, 254, 252, 1}, 0, {1000, -77});
  const auto report = symmetrized(model, {.per_channel = true, .borders = UnsignedBorders::kInt8});
  EXPECT_THAT(values_of(model, operand(model, 0, 1)), ElementsAre(0, 2, 4, 127, 126, 1));
  EXPECT_THAT(operand(model, 0, 1).quantization->scale, ElementsAre(0.25f, 0.5f));
  EXPECT_EQ(operand(model, 0, 1).quantization->quantized_dimension, 0);
  EXPECT_THAT(values_of(model, operand(model, 0, 2)), ElementsAre(1000, -39));
  EXPECT_THAT(operand(model, 0, 2).quantization->scale, ElementsAre(0.125f, 0.25f));
  EXPECT_EQ(report.weights[0].exact_channels, 1u);
}

TEST(Symmetrize, ChannelsOfDepthwiseConvolutionsLieInTheLastDimension) {
  GraphBuilder builder("depthwise");
  const int32_t x = builder.input("x", DataType::kUint8, {1, 4, 5, 2}, per_tensor(0.5f, 100));
  const int32_t w =
      builder.constant<uint8_t>("w", {1, 1, 3, 2}, {1, 254, 2, 252, 3, 0}, per_tensor(0.25f, 0));
  const int32_t b = builder.constant<int32_t>("b", {2}, {10, 10}, per_tensor(0.125f));
  schema::ModelT model =
      model_of(builder.build({builder.depthwise_conv_2d(x, w, b, per_tensor(4.0f, 120))}));
  symmetrized(model, {.per_channel = true, .borders = UnsignedBorders::kInt8});
  EXPECT_THAT(values_of(model, operand(model, 0, 1)), ElementsAre(1, 127, 2, 126, 3, 0));
  EXPECT_EQ(operand(model, 0, 1).quantization->quantized_dimension, 3);
  EXPECT_THAT(values_of(model, operand(model, 0, 2)), ElementsAre(10, 5));
  EXPECT_EQ(operand(model, 0, 2).quantization->quantized_dimension, 0);
}

// TFLite 2.9 takes the first scale of a fully connected layer for all of its channels.
TEST(Symmetrize, FullyConnectedLayersKeepOneScale) {
  GraphBuilder builder("matrix");
  const int32_t x = builder.input("x", DataType::kInt8, {2, 3}, per_tensor(0.5f, 10));
  const int32_t w =
      builder.constant<int8_t>("w", {2, 3}, {-128, 0, 127, 5, 6, 7}, per_tensor(0.25f, -1));
  const int32_t b = builder.constant<int32_t>("b", {2}, {100, 200}, per_tensor(0.125f));
  const auto graph = builder.build({builder.fully_connected(x, w, b, per_tensor(4.0f, 1))});
  schema::ModelT model = model_of(graph);
  const auto report = symmetrized(model, {.per_channel = true, .borders = UnsignedBorders::kInt8});
  EXPECT_THAT(operand(model, 0, 1).quantization->scale, SizeIs(1));
  EXPECT_FALSE(report.weights[0].was_read_as_symmetric);
  if (testing::tflite_library() == nullptr) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  EXPECT_LE(difference_in_steps(model_of(graph), model), 1.001f);
}

TEST(Symmetrize, ZeroPointsThatEnginesIgnoredAreTold) {
  GraphBuilder builder("odd");
  const int32_t x = builder.input("x", DataType::kInt8, {1, 4, 5, 1}, per_tensor(0.5f, 0));
  const int32_t w = builder.constant<int8_t>("w", {1, 1, 1, 1}, {50}, per_tensor(0.25f, 20));
  const int32_t b = builder.constant<int32_t>("b", {1}, {3}, per_tensor(0.125f));
  schema::ModelT model = model_of(builder.build({builder.conv_2d(x, w, b, per_tensor(4.0f, 1))}));
  const auto report = symmetrized(model, {.borders = UnsignedBorders::kInt8});
  EXPECT_THAT(values_of(model, operand(model, 0, 1)), ElementsAre(30));
  ASSERT_THAT(report.weights, SizeIs(1));
  EXPECT_TRUE(report.weights[0].was_read_as_symmetric);
}

TEST(Symmetrize, TheLowestInt8ValueGoesToo) {
  GraphBuilder builder("lowest");
  const int32_t x = builder.input("x", DataType::kInt8, {1, 4, 5, 1}, per_tensor(0.5f, 0));
  const int32_t w = builder.constant<int8_t>("w", {2, 1, 1, 1}, {-128, 3}, per_tensor(0.25f));
  const int32_t b = builder.constant<int32_t>("b", {2}, {3, 4}, per_tensor(0.125f));
  schema::ModelT model = model_of(builder.build({builder.conv_2d(x, w, b, per_tensor(4.0f, 1))}));
  ASSERT_THAT(find_asymmetries(model), SizeIs(1));
  EXPECT_EQ(find_asymmetries(model)[0].problem, "1 values of -128");
  const auto report = symmetrized(model, {.borders = UnsignedBorders::kInt8});
  EXPECT_THAT(values_of(model, operand(model, 0, 1)), ElementsAre(-127, 3));
  EXPECT_LE(report.weights[0].largest_error, 0.25);
}

// Two convolutions of different input scales with the same weights, whose bias is one tensor.
TEST(Symmetrize, SharedWeightsStaySharedAndSharedBiasesPart) {
  GraphBuilder builder("shared");
  const int32_t x = builder.input("x", DataType::kUint8, {1, 2, 2, 1}, per_tensor(0.5f, 100));
  const int32_t y = builder.input("y", DataType::kUint8, {1, 2, 2, 1}, per_tensor(0.25f, 100));
  const int32_t w = builder.constant<uint8_t>("w", {2, 1, 1, 1}, {0, 254}, per_tensor(0.25f, 0));
  const int32_t exact = builder.constant<uint8_t>("v", {2, 1, 1, 1}, {1, 2}, per_tensor(0.25f, 0));
  const int32_t b = builder.constant<int32_t>("b", {2}, {10, 20}, per_tensor(0.125f));
  const auto layer = [&](int32_t input, int32_t weights) {
    return builder.conv_2d(input, weights, b, per_tensor(4.0f, 120));
  };
  schema::ModelT model = model_of(builder.build({layer(x, w), layer(y, w), layer(x, exact)}));
  auto report = symmetrize(model, {.borders = UnsignedBorders::kInt8});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(report->weights, SizeIs(2));
  EXPECT_EQ(&operand(model, 0, 1), &operand(model, 1, 1));
  EXPECT_THAT(values_of(model, operand(model, 0, 2)), ElementsAre(5, 10));
  EXPECT_THAT(operand(model, 0, 2).quantization->scale, ElementsAre(0.25f));
  EXPECT_THAT(values_of(model, operand(model, 1, 2)), ElementsAre(5, 10));
  EXPECT_THAT(operand(model, 1, 2).quantization->scale, ElementsAre(0.125f));
  EXPECT_THAT(values_of(model, operand(model, 2, 2)), ElementsAre(10, 20));
}

TEST(Symmetrize, SymmetricNetworksStayAsTheyAre) {
  GraphBuilder builder("symmetric");
  const int32_t x = builder.input("x", DataType::kInt8, {1, 4, 5, 1}, per_tensor(0.5f, 0));
  const int32_t w = builder.constant<int8_t>("w", {2, 1, 1, 1}, {-127, 3}, per_tensor(0.25f));
  const auto graph =
      builder.build({builder.conv_2d(x, w, graph::kAbsentTensor, per_tensor(4.0f, 1))});
  schema::ModelT model = model_of(graph);
  EXPECT_THAT(find_asymmetries(model), SizeIs(0));
  EXPECT_THAT(symmetrized(model, {.borders = UnsignedBorders::kInt8}).weights, SizeIs(0));
}

TEST(Symmetrize, WeightsThatAreComputedStayAndAreNamed) {
  GraphBuilder builder("computed");
  const int32_t x = builder.input("x", DataType::kUint8, {2, 3}, per_tensor(0.5f, 10));
  const int32_t w = builder.input("w", DataType::kUint8, {4, 3}, per_tensor(0.25f, 3));
  const int32_t y = builder.fully_connected(x, w, graph::kAbsentTensor, per_tensor(4.0f, 1));
  schema::ModelT model = model_of(builder.build({y}));
  const auto report = symmetrize(model, {.borders = UnsignedBorders::kInt8});
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_THAT(report->kept, SizeIs(1));
  EXPECT_EQ(report->kept[0].text, "its weights are computed at run time");
  EXPECT_THAT(find_asymmetries(model), SizeIs(1));
}

// ---- A real network of quantization-aware training ----

graph::EditableModel mobilenet() {
  auto model = graph::read_editable_model_file(std::filesystem::path(LOCKSTEP_MODELS_DIR) /
                                               "mobilenet_v2_224_uint8_qat.tflite");
  EXPECT_TRUE(model) << model.error().message;
  return std::move(*model);
}

// Noise of the outputs against signal, in dB, and on how many of the inputs the likeliest class is
// the same.
struct Agreement {
  double signal_to_noise = 0;
  int same_class = 0;
  int inputs = 0;
};

// Large areas of one brightness, as photos have them, rather than noise.
std::vector<float> patches(uint32_t seed) {
  constexpr size_t kExtent = 224;
  constexpr size_t kPatch = 32;
  const auto levels =
      testing::scattered_values((kExtent / kPatch) * (kExtent / kPatch) * 3, -1, 0.99f, seed);
  std::vector<float> image;
  for (size_t y = 0; y < kExtent; ++y) {
    for (size_t x = 0; x < kExtent; ++x) {
      for (size_t c = 0; c < 3; ++c) {
        image.push_back(levels[((y / kPatch) * (kExtent / kPatch) + x / kPatch) * 3 + c]);
      }
    }
  }
  return image;
}

Agreement agreement(const schema::ModelT& before, const schema::ModelT& after) {
  Agreement result;
  double signal = 0;
  double noise = 0;
  for (uint32_t seed = 1; seed <= 8; ++seed) {
    const std::vector<std::vector<float>> inputs = {patches(seed)};
    // The values in front of SOFTMAX say more: its output saturates.
    const auto expected = testing::run_in_tflite(before, inputs).front().values;
    const auto actual = testing::run_in_tflite(after, inputs).front().values;
    for (size_t i = 0; i < expected.size(); ++i) {
      signal += std::pow(expected[i], 2);
      noise += std::pow(expected[i] - actual[i], 2);
    }
    const auto likeliest = [](const std::vector<float>& values) {
      return std::max_element(values.begin(), values.end()) - values.begin();
    };
    result.same_class += likeliest(expected) == likeliest(actual) ? 1 : 0;
    ++result.inputs;
  }
  result.signal_to_noise = 10.0 * std::log10(signal / noise);
  return result;
}

// Makes the logits the network's output.
void end_with_logits(schema::ModelT& model) {
  schema::SubGraphT& subgraph = *model.subgraphs[0];
  subgraph.outputs = {subgraph.operators.back()->inputs[0]};
  subgraph.operators.pop_back();
}

class SymmetrizedMobilenet : public ::testing::Test {
 protected:
  void SetUp() override {
    if (testing::tflite_library() == nullptr) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
    if (!std::filesystem::exists(std::filesystem::path(LOCKSTEP_MODELS_DIR) /
                                 "mobilenet_v2_224_uint8_qat.tflite")) {
      GTEST_SKIP() << "no network in " << LOCKSTEP_MODELS_DIR;
    }
    before_ = mobilenet().tree;
    after_ = mobilenet().tree;
    end_with_logits(before_);
    end_with_logits(after_);
  }

  schema::ModelT before_;
  schema::ModelT after_;
};

TEST_F(SymmetrizedMobilenet, KeepsItsFunction) {
  for (const bool per_channel : {false, true}) {
    schema::ModelT after = mobilenet().tree;
    end_with_logits(after);
    ASSERT_TRUE(symmetrize(after, {.per_channel = per_channel}));
    const Agreement result = agreement(before_, after);
    RecordProperty(per_channel ? "per_channel" : "per_tensor",
                   std::to_string(result.signal_to_noise));
    EXPECT_GE(result.signal_to_noise, per_channel ? 24.0 : 17.0);
    EXPECT_GE(result.same_class, result.inputs - 1);
  }
}

// The recipe in circulation: weights without their zero point, and then without their sign.
TEST_F(SymmetrizedMobilenet, LosesItsFunctionWhereWeightsLoseTheirSign) {
  ASSERT_TRUE(symmetrize(after_, {}));
  for (const auto& op : after_.subgraphs[0]->operators) {
    const auto places = weight_places(BuiltinOperator{builtin_code(after_, *op)});
    if (!places) continue;
    const auto index = static_cast<size_t>(op->inputs[places->weights]);
    for (uint8_t& value : after_.buffers[after_.subgraphs[0]->tensors[index]->buffer]->data) {
      value = static_cast<uint8_t>(std::abs(static_cast<int8_t>(value)));
    }
  }
  const Agreement result = agreement(before_, after_);
  RecordProperty("without_signs", std::to_string(result.signal_to_noise));
  EXPECT_LE(result.signal_to_noise, 3.0);
  EXPECT_LE(result.same_class, 1);
}

}  // namespace
}  // namespace lockstep::quantization
