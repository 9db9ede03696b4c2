#include "quantization/weight_storage.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "quantization/testing/float_network_builder.h"
#include "quantization/testing/tflite_run.h"

namespace lockstep::quantization {
namespace {

using schema::BuiltinOperator;
using schema::TensorType;
using testing::FloatNetworkBuilder;

// A convolution of int8 weights in blocks of four channels.
schema::ModelT convolution(int32_t channels, int32_t input_channels) {
  FloatNetworkBuilder builder;
  const int32_t x = builder.input("x", {1, 3, 3, input_channels});
  const auto count = static_cast<size_t>(channels * input_channels);
  const int32_t w = builder.constant("w", {channels, 1, 1, input_channels},
                                     testing::scattered_values(count, -1, 1));
  const int32_t b =
      builder.constant("b", {channels}, std::vector<float>(static_cast<size_t>(channels)));
  schema::Conv2DOptionsT options;
  options.stride_h = options.stride_w = 1;
  return builder.build(
      {builder.apply(BuiltinOperator::CONV_2D, options, {x, w, b}, {1, 3, 3, channels})});
}

schema::TensorT& weights_of(schema::ModelT& model) {
  schema::SubGraphT& subgraph = *model.subgraphs[0];
  return *subgraph.tensors[static_cast<size_t>(subgraph.operators[0]->inputs[1])];
}

void make_int8(schema::ModelT& model) {
  schema::TensorT& weights = weights_of(model);
  auto& data = model.buffers[weights.buffer]->data;
  std::vector<float> values(data.size() / sizeof(float));
  std::memcpy(values.data(), data.data(), data.size());
  std::vector<uint8_t> bytes;
  for (const float value : values) {
    bytes.push_back(static_cast<uint8_t>(static_cast<int8_t>(std::lround(value * 127))));
  }
  data = std::move(bytes);
  weights.type = TensorType::INT8;
  weights.quantization = std::make_unique<schema::QuantizationParametersT>();
  weights.quantization->scale = {1.0f / 127};
  weights.quantization->zero_point = {0};
}

// Prunes and stores the weights.
Result<StoredWeights> stored(schema::ModelT& model, double sparsity, PruningBlock block) {
  const auto report = prune_weights(model, {.sparsity = sparsity, .block = block});
  EXPECT_TRUE(report) << report.error().message;
  return store_weights_sparsely(model, report->front().tensor, report->front().channel_axis, block);
}

size_t file_size(schema::ModelT& model) {
  remove_unused(model);
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(schema::Model::Pack(builder, &model));
  return builder.GetSize();
}

TEST(WeightStorage, BlocksOfHalfTheInt8WeightsAreSmallerAndSingleOnesAreNot) {
  for (const bool has_blocks : {true, false}) {
    schema::ModelT model = convolution(64, 128);
    make_int8(model);
    const PruningBlock block = has_blocks ? PruningBlock{.rows = 4} : PruningBlock{};
    const size_t dense_size = file_size(model);
    const auto storage = stored(model, 0.5, block);
    ASSERT_TRUE(storage) << storage.error().message;
    EXPECT_EQ(storage->reason, has_blocks ? "" : "the sparse encoding would be no smaller");
    EXPECT_EQ(storage->dense_bytes, 64u * 128u);
    if (has_blocks) {
      EXPECT_LT(storage->bytes, storage->dense_bytes);
      EXPECT_LT(file_size(model), dense_size);
    } else {
      EXPECT_EQ(storage->bytes, storage->dense_bytes);
      EXPECT_EQ(file_size(model), dense_size);
    }
  }
}

TEST(WeightStorage, SparseWeightsComputeTheSame) {
  if (testing::tflite_library() == nullptr) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  for (const bool is_float : {true, false}) {
    std::vector<std::vector<float>> outputs;
    for (const bool stays_dense : {true, false}) {
      schema::ModelT model = convolution(64, 128);
      if (!is_float) make_int8(model);
      if (stays_dense) {
        ASSERT_TRUE(prune_weights(model, {.sparsity = 0.75, .block = {.rows = 4}}));
      } else {
        EXPECT_EQ(stored(model, 0.75, {.rows = 4})->reason, "");
      }
      const auto inputs = testing::scattered_inputs(model, -1, 1);
      outputs.push_back(testing::run_in_tflite(model, inputs).front().values);
    }
    EXPECT_EQ(outputs[0], outputs[1]);
  }
}

TEST(WeightStorage, ChannelsThatFillNoBlocksAreStoredOneByOne) {
  schema::ModelT model = convolution(66, 128);
  const auto storage = stored(model, 0.75, {.rows = 4});
  ASSERT_TRUE(storage) << storage.error().message;
  EXPECT_EQ(storage->reason, "");
  EXPECT_LT(storage->bytes, storage->dense_bytes);
}

// Zeros that lie anywhere leave few blocks empty.
TEST(WeightStorage, BlocksAreUsedOnlyWhereTheyTakeLess) {
  schema::ModelT model = convolution(64, 128);
  const auto report = prune_weights(model, {.sparsity = 0.75});
  ASSERT_TRUE(report) << report.error().message;
  const auto storage = store_weights_sparsely(model, report->front().tensor, 0, {.rows = 4});
  ASSERT_TRUE(storage) << storage.error().message;
  // A quarter of the elements, and a byte of index for each.
  EXPECT_LT(storage->bytes, 64u * 128u * 5u / 4u + 2000u);
}

TEST(WeightStorage, Uint8StaysDense) {
  schema::ModelT model = convolution(64, 128);
  make_int8(model);
  weights_of(model).type = TensorType::UINT8;
  EXPECT_EQ(stored(model, 0.75, {})->reason, "TFLite has no sparse uint8");
}

}  // namespace
}  // namespace lockstep::quantization
