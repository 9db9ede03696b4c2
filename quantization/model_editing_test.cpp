#include "quantization/model_editing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/graph.h"
#include "graph/testing/graph_builder.h"
#include "graph/testing/sample_graphs.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"

namespace lockstep::quantization {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

graph::EditableModel sample() {
  const auto bytes = graph::write_tflite(graph::testing::sample_network());
  return graph::read_editable_model(bytes.value(), "sample").value();
}

graph::Graph read(const graph::EditableModel& model) {
  const auto bytes = graph::write_editable_model(model);
  EXPECT_TRUE(bytes) << bytes.error().message;
  auto graph = graph::read_tflite(*bytes, "edited");
  EXPECT_TRUE(graph) << graph.error().message;
  return std::move(*graph);
}

int32_t tensor_named(const schema::SubGraphT& subgraph, const std::string& name) {
  for (size_t i = 0; i < subgraph.tensors.size(); ++i) {
    if (subgraph.tensors[i]->name == name) return static_cast<int32_t>(i);
  }
  ADD_FAILURE() << "no tensor " << name;
  return 0;
}

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

TEST(ModelEditing, CodesOfOldAndNewFilesMeanTheSameOperator) {
  auto model = sample();
  schema::OperatorCodeT& code = *model.tree.operator_codes[0];
  schema::OperatorT op;
  op.opcode_index = 0;
  code.builtin_code = schema::BuiltinOperator::ADD;
  code.deprecated_builtin_code = 40;
  EXPECT_EQ(operator_name(model.tree, op), "MEAN");
  code.builtin_code = schema::BuiltinOperator::CUMSUM;
  code.deprecated_builtin_code = 127;
  EXPECT_EQ(operator_name(model.tree, op), "CUMSUM");
  EXPECT_EQ(builtin_code(model.tree, op), 128);
  code.builtin_code = schema::BuiltinOperator::CUSTOM;
  code.deprecated_builtin_code = 32;
  code.custom_code = "Mine";
  EXPECT_EQ(operator_name(model.tree, op), "Mine");
}

TEST(ModelEditing, OperatorCodesAreSharedByVersion) {
  schema::ModelT model;
  using schema::BuiltinOperator;
  EXPECT_EQ(find_or_add_operator_code(model, BuiltinOperator::QUANTIZE, 1), 0u);
  EXPECT_EQ(find_or_add_operator_code(model, BuiltinOperator::QUANTIZE, 2), 1u);
  EXPECT_EQ(find_or_add_operator_code(model, BuiltinOperator::GELU, 1), 2u);
  EXPECT_EQ(find_or_add_operator_code(model, BuiltinOperator::QUANTIZE, 1), 0u);
  EXPECT_EQ(model.operator_codes.size(), 3u);
  EXPECT_EQ(model.operator_codes[0]->deprecated_builtin_code, 114);
  EXPECT_EQ(model.operator_codes[2]->deprecated_builtin_code, 127);
}

TEST(ModelEditing, UsesListWhoMakesAndWhoReads) {
  graph::testing::GraphBuilder builder("uses");
  const auto quantization = graph::testing::per_tensor(0.5f);
  const int32_t x = builder.input("x", graph::DataType::kInt8, {2}, quantization);
  const int32_t y =
      builder.unary(graph::UnaryKind::kTanh, x, graph::testing::per_tensor(1.f / 128));
  const int32_t z = builder.add(y, y, quantization);
  const auto bytes = graph::write_tflite(builder.build({z, y}));
  const auto model = graph::read_editable_model(bytes.value(), "uses").value();
  const TensorUses uses = tensor_uses(*model.tree.subgraphs[0]);
  EXPECT_THAT(uses.producers, ElementsAre(-1, 0, 1));
  EXPECT_THAT(uses.consumers[static_cast<size_t>(x)], ElementsAre(0));
  EXPECT_THAT(uses.consumers[static_cast<size_t>(y)], ElementsAre(1, 1));
  EXPECT_THAT(uses.consumers[static_cast<size_t>(z)], IsEmpty());
  EXPECT_THAT(uses.is_output, ElementsAre(false, true, true));
}

TEST(ModelEditing, ContentsOfOthersAreNotTouched) {
  auto model = sample();
  schema::SubGraphT& subgraph = *model.tree.subgraphs[0];
  schema::TensorT& weights =
      *subgraph.tensors[static_cast<size_t>(tensor_named(subgraph, "weights"))];
  const uint32_t buffer = weights.buffer;
  const std::vector<uint8_t> before = model.tree.buffers[buffer]->data;

  schema::TensorT yet_to_be_added = weights;
  set_contents(model.tree, yet_to_be_added, bytes_of({1, 2}));
  EXPECT_NE(yet_to_be_added.buffer, buffer);

  const int32_t added = add_tensor(subgraph, weights);
  set_contents(model.tree, weights, bytes_of({1, 2}));
  EXPECT_NE(weights.buffer, buffer);
  EXPECT_THAT(model.tree.buffers[weights.buffer]->data, ElementsAre(1, 2));
  EXPECT_EQ(model.tree.buffers[buffer]->data, before);
  EXPECT_EQ(subgraph.tensors[static_cast<size_t>(added)]->buffer, buffer);

  const uint32_t own = weights.buffer;
  set_contents(model.tree, weights, bytes_of({3, 4}));
  EXPECT_EQ(weights.buffer, own) << "a buffer of its own is used again";
  EXPECT_THAT(model.tree.buffers[own]->data, ElementsAre(3, 4));

  schema::TensorT& activation = *subgraph.tensors[static_cast<size_t>(subgraph.outputs[0])];
  ASSERT_FALSE(is_constant(model.tree, activation));
  set_contents(model.tree, activation, bytes_of({3}));
  EXPECT_TRUE(is_constant(model.tree, activation));
  EXPECT_THAT(model.tree.buffers[0]->data, IsEmpty());
}

TEST(ModelEditing, ABufferOfMetadataIsNotTouchedEither) {
  auto model = sample();
  schema::SubGraphT& subgraph = *model.tree.subgraphs[0];
  schema::TensorT& weights =
      *subgraph.tensors[static_cast<size_t>(tensor_named(subgraph, "weights"))];
  const uint32_t buffer = weights.buffer;
  model.tree.metadata.push_back(std::make_unique<schema::MetadataT>());
  model.tree.metadata[0]->buffer = buffer;
  set_contents(model.tree, weights, bytes_of({1}));
  EXPECT_NE(weights.buffer, buffer);
}

TEST(ModelEditing, WhatNobodyUsesGoesAndTheRestStaysTheSameNetwork) {
  auto model = sample();
  const graph::Graph before = read(model);
  schema::SubGraphT& subgraph = *model.tree.subgraphs[0];

  // Something unused in front of everything: all indices change.
  subgraph.tensors.insert(subgraph.tensors.begin(), std::make_unique<schema::TensorT>());
  const auto shift = [](std::vector<int32_t>& indices) {
    for (int32_t& index : indices) index += index >= 0;
  };
  shift(subgraph.inputs);
  shift(subgraph.outputs);
  for (auto& op : subgraph.operators) {
    shift(op->inputs);
    shift(op->outputs);
    ++op->opcode_index;
  }
  model.tree.operator_codes.insert(model.tree.operator_codes.begin(),
                                   std::make_unique<schema::OperatorCodeT>());
  model.tree.buffers.insert(model.tree.buffers.begin() + 1, std::make_unique<schema::BufferT>());
  for (auto& tensor : subgraph.tensors) tensor->buffer += tensor->buffer > 0;
  const size_t last = subgraph.tensors.size() - 1;
  model.tree.signature_defs.push_back(std::make_unique<schema::SignatureDefT>());
  model.tree.signature_defs[0]->outputs.push_back(std::make_unique<schema::TensorMapT>());
  model.tree.signature_defs[0]->outputs[0]->tensor_index = static_cast<uint32_t>(last);

  const size_t buffers = model.tree.buffers.size();
  remove_unused(model.tree);
  EXPECT_EQ(model.tree.buffers.size(), buffers - 1);
  EXPECT_EQ(model.tree.signature_defs[0]->outputs[0]->tensor_index, last - 1);
  const graph::Graph after = read(model);
  EXPECT_EQ(after.inputs, before.inputs);
  EXPECT_EQ(after.outputs, before.outputs);
  ASSERT_EQ(after.tensors.size(), before.tensors.size());
  for (size_t i = 0; i < after.tensors.size(); ++i) {
    EXPECT_EQ(after.tensors[i].name, before.tensors[i].name);
    EXPECT_TRUE(std::ranges::equal(after.tensors[i].data, before.tensors[i].data));
  }
  ASSERT_EQ(after.operators.size(), before.operators.size());
  for (size_t i = 0; i < after.operators.size(); ++i) {
    EXPECT_EQ(after.operators[i].attributes, before.operators[i].attributes);
    EXPECT_EQ(after.operators[i].inputs, before.operators[i].inputs);
  }
}

}  // namespace
}  // namespace lockstep::quantization
