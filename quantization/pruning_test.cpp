#include "quantization/pruning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "numerics/float16.h"
#include "quantization/testing/float_network_builder.h"

namespace lockstep::quantization {
namespace {

using schema::BuiltinOperator;
using schema::TensorType;
using ::testing::ElementsAre;
using testing::FloatNetworkBuilder;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Layers one behind the other, each a matrix of [rows, columns].
schema::ModelT matrices(const std::vector<std::pair<graph::Shape, std::vector<float>>>& layers) {
  FloatNetworkBuilder builder;
  int32_t x = builder.input("x", {1, layers.front().first[1]});
  for (const auto& [shape, values] : layers) {
    const int32_t weights = builder.constant("w", shape, values);
    x = builder.apply(BuiltinOperator::FULLY_CONNECTED, schema::FullyConnectedOptionsT{},
                      {x, weights, -1}, {1, shape[0]});
  }
  return builder.build({x});
}

schema::TensorT& weights_of(schema::ModelT& model, size_t op = 0) {
  schema::SubGraphT& subgraph = *model.subgraphs[0];
  return *subgraph.tensors[static_cast<size_t>(subgraph.operators[op]->inputs[1])];
}

std::vector<float> floats_of(schema::ModelT& model, size_t op = 0) {
  const auto& data = model.buffers[weights_of(model, op).buffer]->data;
  std::vector<float> values(data.size() / sizeof(float));
  std::memcpy(values.data(), data.data(), data.size());
  return values;
}

std::vector<PrunedWeights> pruned(schema::ModelT& model, const PruningOptions& options) {
  auto report = prune_weights(model, options);
  EXPECT_TRUE(report) << report.error().message;
  return std::move(*report);
}

// Gives the weights of the first operator other bytes.
void set_weights(schema::ModelT& model, TensorType type, const std::vector<uint8_t>& bytes,
                 std::vector<float> scales, std::vector<int64_t> zero_points) {
  schema::TensorT& weights = weights_of(model);
  weights.type = type;
  model.buffers[weights.buffer]->data = bytes;
  weights.quantization = std::make_unique<schema::QuantizationParametersT>();
  weights.quantization->scale = std::move(scales);
  weights.quantization->zero_point = std::move(zero_points);
}

TEST(PruneWeights, TheSmallestGoFirst) {
  schema::ModelT model = matrices({{{2, 4}, {1, -8, 3, -2, 7, -5, 6, 4}}});
  const auto report = pruned(model, {.sparsity = 0.5});
  EXPECT_THAT(floats_of(model), ElementsAre(0, -8, 0, 0, 7, -5, 6, 0));
  ASSERT_THAT(report, SizeIs(1));
  EXPECT_EQ(report[0].elements, 8u);
  EXPECT_EQ(report[0].zeros_before, 0u);
  EXPECT_EQ(report[0].zeros, 4u);
}

TEST(PruneWeights, NoMoreThanTheShareGoesAndZerosCount) {
  schema::ModelT model = matrices({{{1, 7}, {0, 5, 0, 3, -3, 4, 1}}});
  EXPECT_EQ(pruned(model, {.sparsity = 0.5})[0].zeros_before, 2u);
  EXPECT_THAT(floats_of(model), ElementsAre(0, 5, 0, 3, -3, 4, 0));
  EXPECT_EQ(pruned(model, {.sparsity = 0.6})[0].zeros, 4u) << "of equal ones the first";
  EXPECT_THAT(floats_of(model), ElementsAre(0, 5, 0, 0, -3, 4, 0));
  EXPECT_EQ(pruned(model, {.sparsity = 0.0})[0].zeros, 4u);
}

TEST(PruneWeights, BlocksGoTogetherAndMayBeSmallerAtTheEnd) {
  // Blocks of 2x2: root mean squares 5, 1 and 3 on top, 4, 2 and 6 in the last row.
  schema::ModelT model = matrices({{{3, 5},
                                    {5, 5, 1, 1, 3,  //
                                     5, 5, 1, 1, 3,  //
                                     4, 4, 2, 2, 6}}});
  pruned(model, {.sparsity = 0.55, .block = {.rows = 2, .columns = 2}});
  EXPECT_THAT(floats_of(model), ElementsAre(5, 5, 0, 0, 0,  //
                                            5, 5, 0, 0, 0,  //
                                            4, 4, 0, 0, 6));
}

TEST(PruneWeights, ZeroOfQuantizedWeightsIsTheirZeroPoint) {
  schema::ModelT model = matrices({{{2, 2}, {0, 0, 0, 0}}});
  // Real values 10, -3 in one scale, 20, 1 in another.
  set_weights(model, TensorType::INT8, {13, 0, 17, 252}, {1.0f, 1.0f}, {3, -3});
  pruned(model, {.sparsity = 0.5});
  EXPECT_THAT(model.buffers[weights_of(model).buffer]->data, ElementsAre(13, 3, 17, 253));
  set_weights(model, TensorType::UINT8, {200, 3, 128, 250}, {0.5f}, {128});
  pruned(model, {.sparsity = 0.25});
  EXPECT_THAT(model.buffers[weights_of(model).buffer]->data, ElementsAre(200, 3, 128, 250));
  pruned(model, {.sparsity = 0.5});
  EXPECT_THAT(model.buffers[weights_of(model).buffer]->data, ElementsAre(128, 3, 128, 250));
}

TEST(PruneWeights, MagnitudesAreThoseOfRealNumbers) {
  schema::ModelT model = matrices({{{2, 2}, {0, 0, 0, 0}}});
  set_weights(model, TensorType::INT8, {100, 90, 1, 2}, {0.01f, 1.0f}, {0, 0});
  pruned(model, {.sparsity = 0.5});
  EXPECT_THAT(model.buffers[weights_of(model).buffer]->data, ElementsAre(0, 0, 1, 2));
}

TEST(PruneWeights, LayersOfSmallNumbersDoNotGoBeforeOthers) {
  const auto network = [] {
    return matrices({{{2, 2}, {10, 20, 30, 40}}, {{2, 2}, {1, 1, 1, 9}}});
  };
  schema::ModelT model = network();
  pruned(model, {.sparsity = 0.5, .scope = PruningScope::kLayer});
  EXPECT_THAT(floats_of(model, 0), ElementsAre(0, 0, 30, 40));
  EXPECT_THAT(floats_of(model, 1), ElementsAre(0, 0, 1, 9));
  model = network();
  pruned(model, {.sparsity = 0.5, .scope = PruningScope::kNetwork});
  EXPECT_THAT(floats_of(model, 0), ElementsAre(0, 20, 30, 40));
  EXPECT_THAT(floats_of(model, 1), ElementsAre(0, 0, 0, 9));
}

schema::ModelT depthwise() {
  FloatNetworkBuilder builder;
  const int32_t x = builder.input("x", {1, 3, 3, 2});
  const int32_t w = builder.constant("w", {1, 1, 2, 2}, {1, 8, 2, 9});
  const int32_t b = builder.constant("b", {2}, {0, 0});
  schema::DepthwiseConv2DOptionsT options;
  options.stride_h = options.stride_w = 1;
  options.depth_multiplier = 1;
  return builder.build(
      {builder.apply(BuiltinOperator::DEPTHWISE_CONV_2D, options, {x, w, b}, {1, 3, 3, 2})});
}

TEST(PruneWeights, DepthwiseConvolutionsOnlyWhereAskedFor) {
  schema::ModelT model = depthwise();
  EXPECT_THAT(pruned(model, {.sparsity = 0.5}), SizeIs(0));
  // A row of the matrix is a channel, which lies in the last dimension.
  pruned(model, {.sparsity = 0.5, .block = {.rows = 1, .columns = 2}, .depthwise = true});
  EXPECT_THAT(floats_of(model), ElementsAre(0, 8, 0, 9));
}

TEST(PruneWeights, Float16BehindDequantize) {
  schema::ModelT model = matrices({{{1, 4}, {0, 0, 0, 0}}});
  schema::SubGraphT& subgraph = *model.subgraphs[0];
  schema::TensorT half = weights_of(model);
  half.type = TensorType::FLOAT16;
  half.buffer = 0;
  std::vector<uint16_t> bits;
  for (const float value : {1.0f, -4.0f, 2.0f, 3.0f})
    bits.push_back(numerics::float_to_float16(value));
  set_contents(model, half, std::as_bytes(std::span(bits)));
  weights_of(model).buffer = 0;
  auto op = std::make_unique<schema::OperatorT>();
  op->opcode_index = find_or_add_operator_code(model, BuiltinOperator::DEQUANTIZE, 3);
  op->outputs = {subgraph.operators[0]->inputs[1]};
  op->inputs = {add_tensor(subgraph, std::move(half))};
  const auto source = static_cast<size_t>(op->inputs[0]);
  subgraph.operators.insert(subgraph.operators.begin(), std::move(op));
  pruned(model, {.sparsity = 0.5});
  bits[0] = bits[2] = 0;
  std::vector<uint16_t> left(4);
  std::memcpy(left.data(), model.buffers[subgraph.tensors[source]->buffer]->data.data(), 8);
  EXPECT_EQ(left, bits);
}

TEST(PruneWeights, WhatCannotBeIsRefused) {
  schema::ModelT model = matrices({{{1, 2}, {1, std::numeric_limits<float>::quiet_NaN()}}});
  const auto odd = prune_weights(model, {});
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(odd.error().message, HasSubstr("'w': element 1 is nan"));
  for (const double sparsity : {-0.5, 1.0, std::nan("")}) {
    EXPECT_EQ(prune_weights(model, {.sparsity = sparsity}).error().code,
              ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(prune_weights(model, {.block = {.rows = 0}}).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace lockstep::quantization
