#include "graph/tflite_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/testing/graph_builder.h"
#include "graph/testing/sample_graphs.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_schema_generated.h"

namespace lockstep::graph {
namespace {

using ::testing::ElementsAre;
using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::per_tensor;

void expect_equal(const Tensor& actual, const Tensor& expected) {
  EXPECT_EQ(actual.name, expected.name);
  EXPECT_EQ(actual.type, expected.type);
  EXPECT_EQ(actual.shape, expected.shape);
  EXPECT_EQ(actual.shape_signature, expected.shape_signature);
  EXPECT_EQ(actual.quantization, expected.quantization);
  EXPECT_EQ(actual.is_variable, expected.is_variable);
  EXPECT_EQ(actual.is_sparse, expected.is_sparse);
  EXPECT_THAT(actual.data, ::testing::ElementsAreArray(expected.data));
}

void expect_equal(const Graph& actual, const Graph& expected) {
  EXPECT_EQ(actual.name, expected.name);
  EXPECT_EQ(actual.inputs, expected.inputs);
  EXPECT_EQ(actual.outputs, expected.outputs);
  ASSERT_EQ(actual.tensors.size(), expected.tensors.size());
  for (size_t i = 0; i < expected.tensors.size(); ++i) {
    SCOPED_TRACE(expected.tensors[i].name);
    expect_equal(actual.tensors[i], expected.tensors[i]);
  }
  ASSERT_EQ(actual.operators.size(), expected.operators.size());
  for (size_t i = 0; i < expected.operators.size(); ++i) {
    SCOPED_TRACE(describe_operator(expected, i));
    const Operator& a = actual.operators[i];
    const Operator& b = expected.operators[i];
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.builtin_code, b.builtin_code);
    EXPECT_EQ(a.version, b.version);
    EXPECT_TRUE(a.attributes == b.attributes);
    EXPECT_EQ(a.inputs, b.inputs);
    EXPECT_EQ(a.outputs, b.outputs);
  }
}

void expect_round_trip(const Graph& graph) {
  SCOPED_TRACE(graph.name);
  const auto bytes = write_tflite(graph);
  ASSERT_TRUE(bytes) << bytes.error().message;
  const auto read = read_tflite(*bytes, graph.name);
  ASSERT_TRUE(read) << read.error().message;
  expect_equal(*read, graph);
}

TEST(TfliteWriter, EveryOperatorComesBack) {
  for (const Graph& graph : testing::sample_graphs()) expect_round_trip(graph);
  expect_round_trip(testing::sample_network());
}

TEST(TfliteWriter, FlagsSignaturesAndVersionsComeBack) {
  GraphBuilder builder("flags");
  const int32_t x = builder.input("x", DataType::kInt8, {1, 3}, per_tensor(0.5f));
  Tensor state;
  state.name = "state";
  state.type = DataType::kInt16;
  state.shape = {};
  state.is_variable = true;
  builder.tensor(state);
  Graph graph = builder.build({builder.unary(UnaryKind::kRelu, x, per_tensor(0.5f))});
  graph.tensors[0].shape_signature = {-1, 3};
  graph.operators[0].version = 2;
  expect_round_trip(graph);
}

TEST(TfliteWriter, AnAbsentOptionalInputComesBack) {
  GraphBuilder builder("no bias");
  const int32_t x = builder.input("x", DataType::kInt8, {1, 3}, per_tensor(0.5f));
  const int32_t weights =
      builder.constant<int8_t>("weights", {2, 3}, {1, 2, 3, 4, 5, 6}, per_tensor(0.5f));
  const int32_t y = builder.apply(FullyConnectedAttributes{}, {x, weights, kAbsentTensor},
                                  DataType::kInt8, per_tensor(1.0f));
  expect_round_trip(builder.build({y}));
}

TEST(TfliteWriter, ConstantsAreAlignedInTheFile) {
  const auto bytes = write_tflite(testing::sample_network());
  ASSERT_TRUE(bytes);
  const auto* model = schema::GetModel(bytes->data());
  for (const schema::Buffer* buffer : *model->buffers()) {
    if (buffer->data() == nullptr) continue;
    const auto offset = buffer->data()->Data() - reinterpret_cast<const uint8_t*>(bytes->data());
    EXPECT_EQ(offset % 16, 0);
  }
}

TEST(TfliteWriter, OperatorsOfOneCodeAndVersionShareTheirEntry) {
  GraphBuilder builder("codes");
  int32_t x = builder.input("x", DataType::kInt8, {2}, per_tensor(0.5f));
  for (int i = 0; i < 3; ++i) x = builder.unary(UnaryKind::kTanh, x, per_tensor(1.0f / 128));
  x = builder.unary(UnaryKind::kHardSwish, x, per_tensor(0.5f));
  Graph graph = builder.build({x});
  graph.operators[2].version = 2;
  const auto bytes = write_tflite(graph);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(schema::GetModel(bytes->data())->operator_codes()->size(), 3u);
}

TEST(TfliteWriter, RefusesWhatTheFormatCannotSay) {
  GraphBuilder builder("net");
  const int32_t x = builder.input("x", DataType::kInt8, {2}, per_tensor(0.5f));
  const int32_t y = builder.opaque("magic", {x}, DataType::kInt8, {2});
  const auto opaque = write_tflite(builder.build({y}));
  ASSERT_FALSE(opaque);
  EXPECT_EQ(opaque.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(opaque.error().message, HasSubstr("operator 0 (magic, output 'magic_0') is opaque"));

  Graph other = testing::sample_network();
  other.tensors[0].type = DataType::kOther;
  EXPECT_EQ(write_tflite(other).error().code, ErrorCode::kUnsupported);

  Graph sparse = testing::sample_network();
  sparse.tensors[1].is_sparse = true;
  EXPECT_EQ(write_tflite(sparse).error().code, ErrorCode::kUnsupported);

  Graph invalid = testing::sample_network();
  invalid.outputs = {-7};
  EXPECT_EQ(write_tflite(invalid).error().code, ErrorCode::kInvalidModel);
}

// ---- expose_all_tensors ----

TEST(ExposeAllTensors, ListsEveryProducedTensorInOrder) {
  const Graph graph = testing::sample_network();
  const auto bytes = write_tflite(graph);
  ASSERT_TRUE(bytes);
  const auto exposed = expose_all_tensors(*bytes);
  ASSERT_TRUE(exposed) << exposed.error().message;
  const auto read = read_tflite(*exposed, graph.name);
  ASSERT_TRUE(read) << read.error().message;

  Graph expected = graph;
  expected.outputs.clear();
  for (const Operator& op : graph.operators) expected.outputs.push_back(op.outputs[0]);
  expect_equal(*read, expected);
}

TEST(ExposeAllTensors, TouchesNothingButOneReference) {
  const auto bytes = write_tflite(testing::sample_network());
  const auto exposed = expose_all_tensors(*bytes);
  ASSERT_TRUE(exposed);
  size_t changed = 0;
  for (size_t i = 0; i < bytes->size(); ++i) changed += (*bytes)[i] != (*exposed)[i];
  EXPECT_LE(changed, sizeof(uint32_t));
}

TEST(ExposeAllTensors, KeepsOutputsThatNoOperatorMakes) {
  GraphBuilder builder("pass");
  const int32_t x = builder.input("x", DataType::kInt8, {2}, per_tensor(0.5f));
  const int32_t y = builder.unary(UnaryKind::kTanh, x, per_tensor(1.0f / 128));
  const auto exposed = expose_all_tensors(*write_tflite(builder.build({x, y})));
  ASSERT_TRUE(exposed);
  EXPECT_THAT(read_tflite(*exposed, "pass")->outputs, ElementsAre(y, x));
}

TEST(ExposeAllTensors, KeepsOperatorsWeDoNotKnow) {
  const auto bytes = write_tflite(testing::sample_network());
  schema::ModelT model;
  schema::GetModel(bytes->data())->UnPackTo(&model);
  model.operator_codes[0]->custom_code = "SomebodysOwn";
  model.operator_codes[0]->builtin_code = schema::BuiltinOperator::CUSTOM;
  model.operator_codes[0]->deprecated_builtin_code = 32;
  model.subgraphs[0]->operators[0]->custom_options = {1, 2, 3};
  flatbuffers::FlatBufferBuilder builder;
  schema::FinishModelBuffer(builder, schema::CreateModel(builder, &model));
  const auto exposed =
      expose_all_tensors(std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize())));
  ASSERT_TRUE(exposed);
  const auto* op = schema::GetModel(exposed->data())->subgraphs()->Get(0)->operators()->Get(0);
  EXPECT_THAT(*op->custom_options(), ElementsAre(1, 2, 3));
  const auto read = read_tflite(*exposed, "custom");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->operators[0].name, "SomebodysOwn");
  EXPECT_EQ(read->outputs.size(), read->operators.size());
}

TEST(ExposeAllTensors, RefusesWhatIsNoModel) {
  EXPECT_EQ(expose_all_tensors({}).error().code, ErrorCode::kInvalidModel);
  auto bytes = *write_tflite(testing::sample_network());
  bytes.resize(bytes.size() / 2);
  EXPECT_EQ(expose_all_tensors(bytes).error().code, ErrorCode::kInvalidModel);
}

}  // namespace
}  // namespace lockstep::graph
