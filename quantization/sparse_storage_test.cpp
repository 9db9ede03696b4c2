#include "quantization/sparse_storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

#include "graph/testing/graph_builder.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"
#include "host_ref/testing/tflite_oracle.h"
#include "quantization/testing/float_network_builder.h"

namespace lockstep::quantization {
namespace {

using host_ref::testing::Kernels;
using host_ref::testing::TfliteOracle;
using schema::BuiltinOperator;
using testing::FloatNetworkBuilder;
using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;
using Block = std::vector<int32_t>;

// Small whole numbers, so that sums are exact in whatever order an engine adds. Of four groups of
// sixteen neighbours three are zero.
std::vector<float> sparse_values(size_t count, uint32_t seed = 1) {
  std::mt19937 generator(seed);
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(static_cast<int>(generator() % 7) - 3);
    values[i] = i / 16 % 4 == 1 ? value : 0.0f;
  }
  return values;
}

struct Network {
  schema::ModelT model;
  int32_t weights = 0;

  schema::SubGraphT& subgraph() { return *model.subgraphs[0]; }
  size_t operators() { return subgraph().operators.size(); }
  Result<bool> store(const Block& block) {
    return store_sparsely(model, subgraph(), weights, block);
  }
};

Network fully_connected(int32_t rows, int32_t columns, const std::vector<float>& values) {
  FloatNetworkBuilder builder;
  Network network;
  const int32_t input = builder.input("x", {3, columns});
  network.weights = builder.constant("weights", {rows, columns}, values);
  const int32_t output =
      builder.apply(BuiltinOperator::FULLY_CONNECTED, schema::FullyConnectedOptionsT{},
                    {input, network.weights, -1}, {3, rows});
  network.model = builder.build({output});
  return network;
}

Network fully_connected() { return fully_connected(32, 64, sparse_values(32 * 64)); }

Network convolution() {
  FloatNetworkBuilder builder;
  Network network;
  const int32_t input = builder.input("x", {1, 5, 5, 16});
  network.weights = builder.constant("weights", {32, 3, 3, 16}, sparse_values(32 * 9 * 16));
  const int32_t bias = builder.constant("bias", {32}, sparse_values(32));
  schema::Conv2DOptionsT options;
  options.stride_h = options.stride_w = 1;
  const int32_t output = builder.apply(BuiltinOperator::CONV_2D, std::move(options),
                                       {input, network.weights, bias}, {1, 5, 5, 32});
  network.model = builder.build({output});
  return network;
}

// The float network with int8 weights: TFLite quantizes its inputs while it runs.
void make_weights_int8(Network& network) {
  schema::TensorT& weights = *network.subgraph().tensors[static_cast<size_t>(network.weights)];
  const auto& floats = network.model.buffers[weights.buffer]->data;
  Bytes integers(floats.size() / sizeof(float));
  for (size_t i = 0; i < integers.size(); ++i) {
    float value = 0;
    std::memcpy(&value, floats.data() + i * sizeof(value), sizeof(value));
    integers[i] = static_cast<std::byte>(static_cast<int>(value));
  }
  set_contents(network.model, weights, integers);
  weights.type = schema::TensorType::INT8;
  weights.quantization = std::make_unique<schema::QuantizationParametersT>();
  weights.quantization->scale = {0.5f};
  weights.quantization->zero_point = {0};
}

Bytes file_of(const schema::ModelT& model) {
  const auto bytes = graph::write_editable_model({.tree = model, .archive = {}});
  EXPECT_TRUE(bytes) << bytes.error().message;
  return *bytes;
}

// Outputs of the real TFLite for inputs of whole numbers (or any bytes, where they are integers).
Bytes run(const Bytes& file) {
  const auto oracle = TfliteOracle::from_environment().value();
  const graph::Graph graph = graph::read_tflite(file, "network").value();
  std::vector<Bytes> inputs;
  for (const int32_t input : graph.inputs) {
    const graph::Tensor& tensor = graph.tensors[static_cast<size_t>(input)];
    std::mt19937 generator(7);
    std::vector<float> values(static_cast<size_t>(*graph::element_count(tensor.shape)));
    for (float& value : values) value = static_cast<float>(generator() % 9) - 4.0f;
    const auto bytes = std::as_bytes(std::span(values));
    inputs.emplace_back(bytes.begin(),
                        bytes.begin() + static_cast<std::ptrdiff_t>(
                                            values.size() * graph::data_type_size(tensor.type)));
  }
  const auto outputs = oracle->run(file, inputs, Kernels::kBuiltin);
  EXPECT_TRUE(outputs) << outputs.error().message;
  Bytes all;
  if (!outputs) return all;
  for (const auto& output : *outputs) {
    all.insert(all.end(), output.bytes.begin(), output.bytes.end());
  }
  return all;
}

bool has_tflite() { return TfliteOracle::from_environment().value() != nullptr; }

// Stores the weights and expects the network to be smaller, and the same in TFLite.
void expect_stored(Network network, const Block& block, bool with_densify) {
  SCOPED_TRACE(graph::shape_to_string(block));
  const Bytes dense = file_of(network.model);
  const size_t operators = network.operators();
  const auto is_stored = network.store(block);
  ASSERT_TRUE(is_stored) << is_stored.error().message;
  ASSERT_TRUE(*is_stored);
  EXPECT_EQ(network.operators(), operators + with_densify);
  const Bytes sparse = file_of(network.model);
  EXPECT_LT(sparse.size(), dense.size());
  if (has_tflite()) {
    EXPECT_EQ(run(sparse), run(dense));
  }
  ASSERT_TRUE(densify(network.model));
  EXPECT_EQ(network.operators(), operators);
  // Contents that lie in another order are aligned otherwise.
  EXPECT_NEAR(static_cast<double>(file_of(network.model).size()), static_cast<double>(dense.size()),
              16);
  if (has_tflite()) {
    EXPECT_EQ(run(file_of(network.model)), run(dense));
  }
}

TEST(SparseStorage, FullyConnectedReadsWhatItsKernelsKnow) {
  expect_stored(fully_connected(), {1, 1}, false);
  expect_stored(fully_connected(), {1, 4}, false);
}

TEST(SparseStorage, EverythingElseGoesThroughDensify) {
  expect_stored(fully_connected(), {4, 1}, true);
  expect_stored(fully_connected(), {1, 16}, true);
  expect_stored(fully_connected(), {2, 8}, true);
  expect_stored(convolution(), {1, 1, 1, 1}, true);
  expect_stored(convolution(), {4, 1, 1, 1}, true);
  expect_stored(convolution(), {1, 1, 1, 4}, true);
}

TEST(SparseStorage, Int8WeightsUnderFloats) {
  Network network = fully_connected();
  make_weights_int8(network);
  expect_stored(network, {1, 16}, false);
  expect_stored(network, {1, 4}, true);
  expect_stored(network, {4, 1}, true);
}

TEST(SparseStorage, Int8NetworksGoThroughDensify) {
  const std::vector<float> values = sparse_values(32 * 9 * 16);
  const std::vector<int8_t> weights(values.begin(), values.end());
  graph::Quantization per_channel{.scales = std::vector<float>(32, 0.25f),
                                  .zero_points = std::vector<int32_t>(32, 0)};
  per_channel.scales[5] = 0.125f;
  graph::testing::GraphBuilder builder("int8");
  const int32_t x =
      builder.input("x", graph::DataType::kInt8, {1, 5, 5, 16}, graph::testing::per_tensor(0.5f));
  const int32_t filter = builder.constant("weights", {32, 3, 3, 16}, weights, per_channel);
  for (float& scale : per_channel.scales) scale *= 0.5f;
  const int32_t bias = builder.constant("bias", {32}, std::vector<int32_t>(32, 3), per_channel);
  const int32_t y = builder.conv_2d(x, filter, bias, graph::testing::per_tensor(2.0f),
                                    {.padding = graph::Padding::kSame});
  const auto file = graph::write_tflite(builder.build({y}));
  ASSERT_TRUE(file) << file.error().message;
  Network network{.model = graph::read_editable_model(*file, "int8").value().tree,
                  .weights = filter};
  expect_stored(network, {1, 1, 1, 16}, true);
}

TEST(SparseStorage, NothingIsStoredWhereItWouldGrow) {
  FloatNetworkBuilder builder;
  const int32_t input = builder.input("x", {1, 8});
  const int32_t weights =
      builder.constant("weights", {4, 8}, testing::scattered_values(32, -1.0f, 1.0f));
  const int32_t output =
      builder.apply(BuiltinOperator::FULLY_CONNECTED, schema::FullyConnectedOptionsT{},
                    {input, weights, -1}, {1, 4});
  schema::ModelT model = builder.build({output});
  const Bytes before = file_of(model);
  EXPECT_FALSE(store_sparsely(model, *model.subgraphs[0], weights, Block{1, 1}).value());
  EXPECT_FALSE(store_sparsely(model, *model.subgraphs[0], weights, Block{4, 1}).value());
  EXPECT_EQ(file_of(model), before);
}

// Around the size where it begins to pay, too.
TEST(SparseStorage, TheFileNeverGrows) {
  size_t stored = 0;
  size_t left = 0;
  for (const int32_t rows : {4, 8, 16, 32, 64}) {
    for (const uint32_t percent_zero : {0u, 30u, 50u, 60u, 70u, 80u, 90u, 95u, 100u}) {
      for (const Block& block : {Block{1, 1}, Block{1, 4}, Block{4, 1}}) {
        SCOPED_TRACE(fmt::format("{} rows, {} % zeros, blocks of {}", rows, percent_zero,
                                 graph::shape_to_string(block)));
        std::mt19937 generator(percent_zero);
        std::vector<float> values(static_cast<size_t>(rows) * 16);
        for (float& value : values) value = generator() % 100 < percent_zero ? 0.0f : 1.5f;
        Network network = fully_connected(rows, 16, values);
        const size_t before = file_of(network.model).size();
        const bool is_stored = network.store(block).value();
        const size_t after = file_of(network.model).size();
        if (is_stored) {
          EXPECT_LT(after, before);
        } else {
          EXPECT_EQ(after, before);
        }
        ++(is_stored ? stored : left);
      }
    }
  }
  EXPECT_GT(stored, 20u);
  EXPECT_GT(left, 20u);
}

TEST(SparseStorage, SparseConstantsStayAsTheyAre) {
  Network network = fully_connected();
  ASSERT_TRUE(network.store({1, 4}).value());
  EXPECT_FALSE(network.store({1, 1}).value());
}

TEST(SparseStorage, TypesThatTfliteDoesNotKnowAreRefused) {
  Network network = fully_connected();
  make_weights_int8(network);
  network.subgraph().tensors[static_cast<size_t>(network.weights)]->type =
      schema::TensorType::UINT8;
  const auto stored = network.store({1, 1});
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(stored.error().message, HasSubstr("'weights': TFLite makes no sparse tensors"));
}

// A constant that two operators read, one of which knows the encoding.
TEST(SparseStorage, OneReaderThatNeedsDensifyIsEnough) {
  FloatNetworkBuilder builder;
  const int32_t input = builder.input("x", {3, 64});
  const int32_t weights = builder.constant("weights", {32, 64}, sparse_values(32 * 64));
  const int32_t product =
      builder.apply(BuiltinOperator::FULLY_CONNECTED, schema::FullyConnectedOptionsT{},
                    {input, weights, -1}, {3, 32});
  const int32_t sum =
      builder.apply(BuiltinOperator::ADD, schema::AddOptionsT{}, {weights, weights}, {32, 64});
  expect_stored({.model = builder.build({product, sum, weights}), .weights = weights}, {1, 1},
                true);
}

TEST(SparseStorage, DensifyNamesTheTensorThatIsDamaged) {
  Network network = fully_connected();
  ASSERT_TRUE(network.store({1, 1}).value());
  schema::TensorT& weights = *network.subgraph().tensors[static_cast<size_t>(network.weights)];
  weights.sparsity->traversal_order = {0, 0};
  const auto status = densify(network.model);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("tensor 'weights': sparse encoding"));
}

TEST(SparseStorage, BlazeFaceComputesTheSameBitsWithoutIt) {
  const char* folder = std::getenv("LOCKSTEP_FACES_DIR");
  if (folder == nullptr || !has_tflite()) GTEST_SKIP() << "no networks or no engine";
  const auto path = std::filesystem::path(folder) / "full_range_sparse_float16.tflite";
  auto model = graph::read_editable_model_file(path);
  ASSERT_TRUE(model) << model.error().message;
  const size_t operators = model->tree.subgraphs[0]->operators.size();
  const Bytes before = run(graph::read_file_bytes(path).value());
  ASSERT_TRUE(densify(model->tree));
  EXPECT_EQ(model->tree.subgraphs[0]->operators.size(), operators - 46);
  EXPECT_EQ(run(file_of(model->tree)), before);
}

}  // namespace
}  // namespace lockstep::quantization
