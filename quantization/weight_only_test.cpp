#include "quantization/weight_only.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "graph/editable_model.h"
#include "quantization/testing/float_network_builder.h"
#include "quantization/testing/network_text.h"
#include "quantization/testing/tflite_run.h"

namespace lockstep::quantization {
namespace {

using schema::BuiltinOperator;
using schema::TensorType;
using ::testing::ElementsAre;
using testing::FloatNetworkBuilder;
using ::testing::HasSubstr;
using testing::network_text;
using testing::scattered_values;

// A convolution, a depthwise one, a transposed one and a fully connected layer, with 1024 or more
// weights each.
schema::ModelT layers() {
  FloatNetworkBuilder builder;
  schema::Conv2DOptionsT convolution;
  convolution.stride_w = convolution.stride_h = 1;
  const int32_t x = builder.input("x", {1, 6, 6, 16});
  const int32_t a = builder.apply(
      BuiltinOperator::CONV_2D, convolution,
      {x, builder.constant("a_weights", {120, 3, 3, 16}, scattered_values(17280, -0.1f, 0.1f, 2)),
       builder.constant("a_bias", {120}, scattered_values(120, -1, 1))},
      {1, 6, 6, 120});
  schema::DepthwiseConv2DOptionsT depthwise;
  depthwise.stride_w = depthwise.stride_h = 1;
  depthwise.depth_multiplier = 1;
  const int32_t b = builder.apply(
      BuiltinOperator::DEPTHWISE_CONV_2D, depthwise,
      {a, builder.constant("b_weights", {1, 3, 3, 120}, scattered_values(1080, -0.5f, 0.5f, 3)),
       builder.constant("b_bias", {120}, scattered_values(120, -1, 1))},
      {1, 6, 6, 120});
  schema::TransposeConvOptionsT transposed;
  transposed.stride_w = transposed.stride_h = 1;
  const int32_t c = builder.apply(
      BuiltinOperator::TRANSPOSE_CONV, transposed,
      {builder.integers("c_shape", {4}, {1, 6, 6, 4}),
       builder.constant("c_weights", {4, 3, 3, 120}, scattered_values(4320, -0.1f, 0.1f, 4)), b},
      {1, 6, 6, 4});
  const int32_t y = builder.apply(
      BuiltinOperator::FULLY_CONNECTED, schema::FullyConnectedOptionsT{},
      {c, builder.constant("y_weights", {10, 144}, scattered_values(1440, -0.2f, 0.2f, 5)),
       builder.constant("y_bias", {10}, scattered_values(10, -1, 1))},
      {1, 10});
  return builder.build({y});
}

const schema::TensorT& tensor(const schema::ModelT& model, const std::string& name) {
  for (const auto& candidate : model.subgraphs.front()->tensors) {
    if (candidate->name == name) return *candidate;
  }
  throw std::logic_error("no tensor '" + name + "'");
}

std::vector<int32_t> versions_of(const schema::ModelT& model, BuiltinOperator code) {
  std::vector<int32_t> versions;
  for (const auto& entry : model.operator_codes) {
    if (entry->builtin_code == code) versions.push_back(entry->version);
  }
  return versions;
}

double signal_to_noise(const schema::ModelT& expected, const schema::ModelT& actual) {
  double signal = 0;
  double noise = 0;
  const auto inputs = testing::scattered_inputs(expected, -1, 1);
  const auto reference = testing::run_in_tflite(expected, inputs).front().values;
  const auto outputs = testing::run_in_tflite(actual, inputs).front().values;
  for (size_t i = 0; i < reference.size(); ++i) {
    signal += std::pow(double{reference[i]}, 2);
    noise += std::pow(double{outputs[i]} - double{reference[i]}, 2);
  }
  return 10 * std::log10(signal / noise);
}

size_t file_size(schema::ModelT model) {
  return graph::write_editable_model({std::move(model), {}}).value().size();
}

// ---- float16 ----

TEST(Float16StorageTest, ConstantsStandBehindDequantizeAndKeepTheirNames) {
  FloatNetworkBuilder builder;
  const int32_t x = builder.input("x", {128});
  const int32_t weights = builder.constant("weights", {128}, scattered_values(128, -1, 1));
  const int32_t y = builder.activation("y", TensorType::FLOAT32, {128});
  builder.add_operator(BuiltinOperator::ADD, schema::AddOptionsT{}, {x, weights}, {y});
  schema::ModelT model = builder.build({y});
  const auto report = store_as_float16(model);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(network_text(model),
            "x:FLOAT32\n"
            "float1:FLOAT32 = DEQUANTIZE()\n"
            "y:FLOAT32 = ADD(x, float1)\n"
            "-> y\n");
  EXPECT_EQ(tensor(model, "weights").type, TensorType::FLOAT16);
  EXPECT_THAT(versions_of(model, BuiltinOperator::DEQUANTIZE), ElementsAre(3));
  EXPECT_EQ(report->count(Storage::kFloat16), 1u);
}

TEST(Float16StorageTest, SmallConstantsAndThoseBeyondItsRangeStay) {
  FloatNetworkBuilder builder;
  const int32_t x = builder.input("x", {128});
  const int32_t small = builder.constant("small", {1}, {0.1f});
  std::vector<float> values(128, 1.0f);
  values[7] = 65536;
  const int32_t large = builder.constant("large", {128}, values);
  const int32_t sum = builder.apply(BuiltinOperator::ADD, schema::AddOptionsT{}, {x, small}, {128});
  schema::ModelT model = builder.build(
      {builder.apply(BuiltinOperator::ADD, schema::AddOptionsT{}, {sum, large}, {128})});
  const auto report = store_as_float16(model);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->count(Storage::kFloat32), 2u);
  EXPECT_EQ(report->constants[0].reason, "it is small");
  EXPECT_THAT(report->constants[1].reason, HasSubstr("65536"));
}

TEST(Float16StorageTest, InfinityStaysInfinity) {
  FloatNetworkBuilder builder;
  const int32_t x = builder.input("x", {128});
  std::vector<float> values(128, -std::numeric_limits<float>::infinity());
  const int32_t mask = builder.constant("mask", {128}, values);
  schema::ModelT model =
      builder.build({builder.apply(BuiltinOperator::ADD, schema::AddOptionsT{}, {x, mask}, {128})});
  ASSERT_TRUE(store_as_float16(model).has_value());
  const auto& bytes = model.buffers[tensor(model, "mask").buffer]->data;
  EXPECT_EQ(bytes[0], 0x00);
  EXPECT_EQ(bytes[1], 0xfc);
}

TEST(Float16StorageTest, HalvesTheFileAndComputesNearlyTheSame) {
  if (testing::tflite_library() == nullptr) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  schema::ModelT model = layers();
  const auto report = store_as_float16(model);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->count(Storage::kFloat16), 6u);
  EXPECT_GT(signal_to_noise(layers(), model), 60);
  EXPECT_LT(static_cast<double>(file_size(std::move(model))),
            0.52 * static_cast<double>(file_size(layers())));
}

// ---- Dynamic range ----

TEST(DynamicRangeTest, KernelsThatTakeInt8WeightsGetThem) {
  schema::ModelT model = layers();
  const auto report = store_as_dynamic_range(model);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(network_text(model),
            "x:FLOAT32\n"
            "float2:FLOAT32 = DEQUANTIZE()\n"
            "CONV_2D 3:FLOAT32 = CONV_2D(x, float2)\n"
            "float5:FLOAT32 = DEQUANTIZE()\n"
            "DEPTHWISE_CONV_2D 6:FLOAT32 = DEPTHWISE_CONV_2D(CONV_2D 3, float5)\n"
            "float8:FLOAT32 = DEQUANTIZE()\n"
            "TRANSPOSE_CONV 9:FLOAT32 = TRANSPOSE_CONV(float8, DEPTHWISE_CONV_2D 6)\n"
            "FULLY_CONNECTED 12:FLOAT32 = FULLY_CONNECTED(TRANSPOSE_CONV 9)\n"
            "-> FULLY_CONNECTED 12\n");
  EXPECT_EQ(tensor(model, "a_weights").quantization->scale.size(), 120u);
  EXPECT_EQ(tensor(model, "b_weights").quantization->scale.size(), 120u);
  EXPECT_EQ(tensor(model, "b_weights").quantization->quantized_dimension, 3);
  EXPECT_EQ(tensor(model, "c_weights").quantization->scale.size(), 4u);
  EXPECT_EQ(tensor(model, "y_weights").quantization->scale.size(), 1u);
  EXPECT_EQ(tensor(model, "a_bias").type, TensorType::FLOAT16);
  EXPECT_EQ(tensor(model, "y_bias").type, TensorType::FLOAT32);
  EXPECT_THAT(versions_of(model, BuiltinOperator::CONV_2D), ElementsAre(5));
  EXPECT_THAT(versions_of(model, BuiltinOperator::DEPTHWISE_CONV_2D), ElementsAre(6));
  EXPECT_THAT(versions_of(model, BuiltinOperator::FULLY_CONNECTED), ElementsAre(9));
  EXPECT_THAT(versions_of(model, BuiltinOperator::DEQUANTIZE), ElementsAre(3, 5));
  EXPECT_EQ(report->count(Storage::kInt8ForHybrid), 3u);
  EXPECT_EQ(report->count(Storage::kFloat16), 2u);
  EXPECT_EQ(report->count(Storage::kInt8), 1u);
}

// A scale for each channel takes 12 bytes: weights of four float32 a channel would save nothing.
TEST(DynamicRangeTest, WeightsStayWhereTheirScalesWouldTakeAsMuch) {
  const auto storage_of = [](int32_t input_channels) {
    FloatNetworkBuilder builder;
    schema::Conv2DOptionsT convolution;
    convolution.stride_w = convolution.stride_h = 1;
    const int32_t x = builder.input("x", {1, 4, 4, input_channels});
    const int32_t weights =
        builder.constant("w", {64, 1, 1, input_channels},
                         scattered_values(static_cast<size_t>(64 * input_channels), -1, 1));
    schema::ModelT model = builder.build(
        {builder.apply(BuiltinOperator::CONV_2D, convolution, {x, weights}, {1, 4, 4, 64})});
    return store_as_dynamic_range(model)->constants.front().storage;
  };
  EXPECT_EQ(storage_of(4), Storage::kFloat32);
  EXPECT_EQ(storage_of(5), Storage::kInt8ForHybrid);
}

TEST(DynamicRangeTest, WeightsThatAnOtherOperatorReadsTooAreConvertedForBoth) {
  FloatNetworkBuilder builder;
  const int32_t x = builder.input("x", {1, 32});
  const int32_t weights = builder.constant("weights", {32, 32}, scattered_values(1024, -1, 1));
  const int32_t y = builder.activation("y", TensorType::FLOAT32, {1, 32});
  builder.add_operator(BuiltinOperator::FULLY_CONNECTED, schema::FullyConnectedOptionsT{},
                       {x, weights}, {y});
  const int32_t z = builder.activation("z", TensorType::FLOAT32, {32, 32});
  builder.add_operator(BuiltinOperator::ADD, schema::AddOptionsT{}, {y, weights}, {z});
  schema::ModelT model = builder.build({z});
  ASSERT_TRUE(store_as_dynamic_range(model).has_value());
  EXPECT_EQ(network_text(model),
            "x:FLOAT32\n"
            "float1:FLOAT32 = DEQUANTIZE()\n"
            "y:FLOAT32 = FULLY_CONNECTED(x, float1)\n"
            "z:FLOAT32 = ADD(y, float1)\n"
            "-> z\n");
}

TEST(DynamicRangeTest, WeightsThatAreNotFiniteAreRefused) {
  FloatNetworkBuilder builder;
  const int32_t x = builder.input("x", {2});
  const int32_t weights =
      builder.constant("weights", {2}, {1, std::numeric_limits<float>::quiet_NaN()});
  schema::ModelT model = builder.build(
      {builder.apply(BuiltinOperator::ADD, schema::AddOptionsT{}, {x, weights}, {2})});
  const auto report = store_as_dynamic_range(model);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(report.error().message, HasSubstr("'weights'"));
}

TEST(DynamicRangeTest, QuartersTheFileAndComputesAboutTheSame) {
  if (testing::tflite_library() == nullptr) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  schema::ModelT model = layers();
  ASSERT_TRUE(store_as_dynamic_range(model).has_value());
  EXPECT_GT(signal_to_noise(layers(), model), 30);
  EXPECT_LT(static_cast<double>(file_size(std::move(model))),
            0.32 * static_cast<double>(file_size(layers())));
}

}  // namespace
}  // namespace lockstep::quantization
