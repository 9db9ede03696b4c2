#include "graph/editable_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>

#include "graph/testing/sample_graphs.h"
#include "graph/tflite_file.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"

namespace lockstep::graph {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

// The generated code writes every field of every object: equal trees give equal bytes.
Bytes generated_bytes(const schema::ModelT& model) {
  flatbuffers::FlatBufferBuilder builder;
  schema::FinishModelBuffer(builder, schema::Model::Pack(builder, &model));
  const auto bytes = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  return {bytes.begin(), bytes.end()};
}

EditableModel sample() {
  return read_editable_model(write_tflite(testing::sample_network()).value(), "sample").value();
}

// The model of the model's file; a failure where they differ.
EditableModel expect_round_trip(const EditableModel& model) {
  const auto bytes = write_editable_model(model);
  EXPECT_TRUE(bytes) << bytes.error().message;
  auto again = read_editable_model(*bytes, "again");
  EXPECT_TRUE(again) << again.error().message;
  EXPECT_TRUE(generated_bytes(model.tree) == generated_bytes(again->tree));
  EXPECT_TRUE(model.archive == again->archive);
  return std::move(*again);
}

std::vector<std::filesystem::path> real_networks() {
  std::vector<std::filesystem::path> networks;
  const char* const ssd = std::getenv("LOCKSTEP_SSD_MODEL");
  if (ssd != nullptr) networks.emplace_back(ssd);
  const char* const folders[] = {LOCKSTEP_MODELS_DIR, std::getenv("LOCKSTEP_FACES_DIR")};
  for (const char* folder : folders) {
    if (folder == nullptr || !std::filesystem::is_directory(folder)) continue;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".tflite") networks.push_back(entry.path());
    }
  }
  return networks;
}

TEST(EditableModel, RealNetworksComeThroughWhole) {
  const auto networks = real_networks();
  if (networks.empty()) GTEST_SKIP() << "no networks in " << LOCKSTEP_MODELS_DIR;
  for (const auto& path : networks) {
    SCOPED_TRACE(path);
    const auto model = read_editable_model_file(path);
    ASSERT_TRUE(model) << model.error().message;
    expect_round_trip(*model);
    const auto size = static_cast<double>(std::filesystem::file_size(path));
    EXPECT_LE(static_cast<double>(write_editable_model(*model)->size()), 1.02 * size + 4096);
  }
}

TEST(EditableModel, SampleNetworkGivesTheSameGraph) {
  for (const Graph& graph : testing::sample_graphs()) {
    SCOPED_TRACE(graph.name);
    const auto model = read_editable_model(write_tflite(graph).value(), "sample");
    ASSERT_TRUE(model) << model.error().message;
    const auto bytes = write_editable_model(*model);
    ASSERT_TRUE(bytes) << bytes.error().message;
    const auto again = read_tflite(*bytes, graph.name);
    ASSERT_TRUE(again) << again.error().message;
    ASSERT_EQ(again->tensors.size(), graph.tensors.size());
    for (size_t i = 0; i < graph.tensors.size(); ++i) {
      EXPECT_TRUE(std::ranges::equal(again->tensors[i].data, graph.tensors[i].data));
      EXPECT_EQ(again->tensors[i].quantization, graph.tensors[i].quantization);
    }
    ASSERT_EQ(again->operators.size(), graph.operators.size());
    for (size_t i = 0; i < graph.operators.size(); ++i) {
      EXPECT_EQ(again->operators[i].attributes, graph.operators[i].attributes);
    }
  }
}

TEST(EditableModel, WhatWeDoNotInterpretSurvives) {
  EditableModel edited = sample();
  schema::ModelT& model = edited.tree;
  model.metadata.push_back(std::make_unique<schema::MetadataT>());
  model.metadata[0]->name = "labels";
  model.metadata[0]->buffer = static_cast<uint32_t>(model.buffers.size());
  model.buffers.push_back(std::make_unique<schema::BufferT>());
  model.buffers.back()->data = {'c', 'a', 't'};
  model.signature_defs.push_back(std::make_unique<schema::SignatureDefT>());
  schema::SignatureDefT& signature = *model.signature_defs[0];
  signature.signature_key = "serving_default";
  signature.deprecated_tag = "serve";
  signature.inputs.push_back(std::make_unique<schema::TensorMapT>());
  signature.inputs[0]->name = std::string("image\0of a cat", 14);
  signature.inputs[0]->tensor_index = 3;
  schema::OperatorT& op = *model.subgraphs[0]->operators[0];
  op.custom_options = {1, 2, 3};
  op.intermediates = {4};
  schema::StablehloPadOptionsT padding;
  padding.edge_padding_low = {1, 2};
  op.builtin_options_2.Set(std::move(padding));
  op.debug_metadata_index = 7;
  model.subgraphs.push_back(std::make_unique<schema::SubGraphT>(*model.subgraphs[0]));
  model.subgraphs[1]->name = "body";

  const schema::ModelT again = expect_round_trip(edited).tree;
  EXPECT_EQ(again.metadata[0]->name, "labels");
  EXPECT_THAT(again.buffers[again.metadata[0]->buffer]->data, ElementsAre('c', 'a', 't'));
  EXPECT_EQ(again.signature_defs[0]->deprecated_tag, "serve");
  EXPECT_EQ(again.signature_defs[0]->inputs[0]->name.size(), 14u);
  EXPECT_THAT(again.subgraphs[1]->operators[0]->custom_options, ElementsAre(1, 2, 3));
  EXPECT_EQ(again.subgraphs[1]->operators[0]->debug_metadata_index, 7);
}

TEST(EditableModel, ListsThatEnginesAskForAreWrittenEvenWhenEmpty) {
  EditableModel model;
  model.tree.version = 3;
  model.tree.subgraphs.push_back(std::make_unique<schema::SubGraphT>());
  model.tree.signature_defs.push_back(std::make_unique<schema::SignatureDefT>());
  const auto bytes = write_editable_model(model);
  ASSERT_TRUE(bytes) << bytes.error().message;
  const schema::Model& file = *schema::GetModel(bytes->data());
  EXPECT_NE(file.buffers(), nullptr);
  EXPECT_NE(file.operator_codes(), nullptr);
  EXPECT_NE(file.subgraphs()->Get(0)->operators(), nullptr);
  EXPECT_NE(file.subgraphs()->Get(0)->inputs(), nullptr);
  EXPECT_NE(file.signature_defs()->Get(0)->outputs(), nullptr);
  EXPECT_NE(file.signature_defs()->Get(0)->signature_key(), nullptr);
}

TEST(EditableModel, WhatIsEqualIsWrittenOnce) {
  constexpr size_t kChannels = 1000;
  EditableModel model = sample();
  const auto add_layers = [&](size_t count) {
    schema::SubGraphT& subgraph = *model.tree.subgraphs.front();
    for (size_t i = 0; i < count; ++i) {
      schema::TensorT tensor;
      tensor.name = "weights";
      tensor.shape = {kChannels, 3};
      tensor.quantization = std::make_unique<schema::QuantizationParametersT>();
      // Equal as numbers, but not as bits: those stay apart.
      tensor.quantization->scale.assign(kChannels, i % 2 == 0 ? 0.0f : -0.0f);
      tensor.quantization->zero_point.assign(kChannels, 0);
      subgraph.tensors.push_back(std::make_unique<schema::TensorT>(std::move(tensor)));
    }
  };
  add_layers(2);
  const size_t two = write_editable_model(model)->size();
  add_layers(8);
  const EditableModel again = expect_round_trip(model);
  const size_t ten = write_editable_model(again)->size();
  EXPECT_LT(ten - two, 8u * 50);
  const auto& tensors = again.tree.subgraphs.front()->tensors;
  EXPECT_TRUE(std::signbit(tensors.back()->quantization->scale.front()));
  EXPECT_FALSE(std::signbit(tensors[tensors.size() - 2]->quantization->scale.front()));
}

TEST(EditableModel, ContentsLieAlignedForEveryEngine) {
  const auto bytes = write_editable_model(sample());
  for (const schema::Buffer* buffer : *schema::GetModel(bytes->data())->buffers()) {
    if (buffer->data() == nullptr) continue;
    const auto offset = reinterpret_cast<const std::byte*>(buffer->data()->Data()) - bytes->data();
    EXPECT_EQ(offset % 16, 0);
  }
}

// ---- Files that would lose something ----

// Bytes of a file in which `table` says it has one field more than our schema knows.
Bytes with_a_future_field(const flatbuffers::Table* table, Bytes bytes, const std::byte* base) {
  // A longer list of fields, behind the file; the table's field lies in the table's first bytes.
  const auto place = static_cast<size_t>(reinterpret_cast<const std::byte*>(table) - base);
  const uint8_t* old_list = table->GetVTable();
  const auto size = flatbuffers::ReadScalar<uint16_t>(old_list);
  constexpr size_t kLongList = 64;
  while (bytes.size() % 4 != 0) bytes.push_back(std::byte{0});
  const size_t list = bytes.size();
  bytes.resize(list + kLongList);
  std::memcpy(bytes.data() + list, old_list, size);
  const auto put = [&](size_t at, auto value) { std::memcpy(&bytes[at], &value, sizeof(value)); };
  put(list, static_cast<uint16_t>(kLongList));
  put(list + kLongList - 2, uint16_t{4});
  put(place, static_cast<int32_t>(static_cast<int64_t>(place) - static_cast<int64_t>(list)));
  return bytes;
}

Status reading(const Bytes& bytes) {
  const auto model = read_editable_model(bytes, "net.tflite");
  return model ? Status{} : tl::unexpected(model.error());
}

TEST(EditableModel, FieldsFromTheFutureAreRefusedByName) {
  const Bytes bytes = *write_editable_model(sample());
  ASSERT_TRUE(reading(bytes));
  const schema::Model& file = *schema::GetModel(bytes.data());
  const schema::SubGraph& subgraph = *file.subgraphs()->Get(0);
  const std::pair<const void*, std::string> places[] = {
      {&file, "net.tflite: model: field 29 is of a newer version"},
      {subgraph.tensors()->Get(2), "model.subgraphs[0].tensors[2]: field 29"},
      {subgraph.operators()->Get(1)->builtin_options(),
       "model.subgraphs[0].operators[1].builtin_options: field 29"},
  };
  for (const auto& [table, message] : places) {
    const auto status = reading(
        with_a_future_field(static_cast<const flatbuffers::Table*>(table), bytes, bytes.data()));
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(status.error().message, HasSubstr(message));
  }
}

TEST(EditableModel, OptionsFromTheFutureAreRefusedByName) {
  Bytes bytes = *write_editable_model(sample());
  auto* op = reinterpret_cast<flatbuffers::Table*>(const_cast<schema::Operator*>(
      schema::GetModel(bytes.data())->subgraphs()->Get(0)->operators()->Get(0)));
  ASSERT_TRUE(op->SetField<uint8_t>(schema::Operator::VT_BUILTIN_OPTIONS_TYPE, 200, 0));
  const auto status = reading(bytes);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(status.error().message,
              HasSubstr("model.subgraphs[0].operators[0].builtin_options: kind 200 is of a newer"));
}

TEST(EditableModel, OptionsThatAreAnnouncedButAbsentAreRefused) {
  Bytes bytes = *write_editable_model(sample());
  auto* op = reinterpret_cast<flatbuffers::Table*>(const_cast<schema::Operator*>(
      schema::GetModel(bytes.data())->subgraphs()->Get(0)->operators()->Get(0)));
  ASSERT_TRUE(op->SetField<uint8_t>(schema::Operator::VT_BUILTIN_OPTIONS_TYPE, 0, 0));
  const auto status = reading(bytes);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidModel);
  EXPECT_THAT(status.error().message, HasSubstr("its kind is NONE, but its contents are there"));
}

TEST(EditableModel, DataOutsideTheFlatbufferAreRefused) {
  const auto refusal = [](const auto& change) {
    EditableModel model = sample();
    change(model.tree);
    const auto status = reading(*write_editable_model(model));
    return status ? "accepted" : status.error().message;
  };
  EXPECT_THAT(refusal([](schema::ModelT& m) { m.buffers[2]->offset = 5000; }),
              HasSubstr("the contents of buffer 2 lie behind the flatbuffer"));
  EXPECT_THAT(refusal([](schema::ModelT& m) {
                m.subgraphs[0]->operators[1]->large_custom_options_offset = 5000;
              }),
              HasSubstr("the options of operator 1 of subgraph 'main' lie behind"));
  EXPECT_THAT(refusal([](schema::ModelT& m) {
                m.external_buffers.push_back(std::make_unique<schema::ExternalBufferT>());
              }),
              HasSubstr("lie in other files"));
}

TEST(EditableModel, BytesBehindTheFlatbufferStayThere) {
  Bytes bytes = *write_editable_model(sample());
  bytes.resize(bytes.size() + 12);
  EXPECT_TRUE(read_editable_model(bytes, "zeros are padding")->archive.empty());
  bytes.back() = std::byte{1};
  const auto model = read_editable_model(bytes, "an object that nothing points to");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_THAT(model->archive, ElementsAre(std::byte{1}));
  EXPECT_EQ(write_editable_model(*model)->back(), std::byte{1});
}

TEST(EditableModel, DamagedFilesAreRefused) {
  const Bytes bytes = *write_editable_model(sample());
  EXPECT_EQ(reading({}).error().code, ErrorCode::kInvalidModel);
  EXPECT_EQ(reading(Bytes(bytes.begin(), bytes.begin() + 100)).error().code,
            ErrorCode::kInvalidModel);
  EXPECT_EQ(read_editable_model_file("/nowhere.tflite").error().code, ErrorCode::kNotFound);
}

TEST(EditableModel, IndicesThatLeadNowhereAreRefused) {
  const auto refusal = [](const auto& change) {
    EditableModel model = sample();
    change(model.tree);
    const auto bytes = write_editable_model(model);
    EXPECT_FALSE(bytes);
    const auto read = read_editable_model(generated_bytes(model.tree), "net.tflite");
    EXPECT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::kInvalidModel);
    return read.error().message;
  };
  EXPECT_THAT(refusal([](schema::ModelT& m) { m.subgraphs[0]->operators[1]->inputs[0] = 99; }),
              HasSubstr("net.tflite: subgraph 0, operator 1: tensor 99 is not one of"));
  EXPECT_THAT(refusal([](schema::ModelT& m) { m.subgraphs[0]->operators[1]->outputs[0] = -2; }),
              HasSubstr("operator 1: tensor -2"));
  EXPECT_THAT(refusal([](schema::ModelT& m) { m.subgraphs[0]->operators[1]->opcode_index = 77; }),
              HasSubstr("operator 1: code 77"));
  EXPECT_THAT(refusal([](schema::ModelT& m) { m.subgraphs[0]->outputs[0] = -1; }),
              HasSubstr("subgraph 0: tensor -1"));
  EXPECT_THAT(refusal([](schema::ModelT& m) { m.subgraphs[0]->tensors[0]->buffer = 99; }),
              HasSubstr("buffer 99"));
  EXPECT_THAT(refusal([](schema::ModelT& m) {
                m.metadata.push_back(std::make_unique<schema::MetadataT>());
                m.metadata[0]->name = "labels";
                m.metadata[0]->buffer = 1000;
              }),
              HasSubstr("metadata 'labels': buffer 1000"));
  EXPECT_THAT(refusal([](schema::ModelT& m) {
                m.signature_defs.push_back(std::make_unique<schema::SignatureDefT>());
                m.signature_defs[0]->subgraph_index = 1;
              }),
              HasSubstr("signature '': subgraph 1"));
}

// Thousands of tensors that are one and the same in the file, with a long list in it.
TEST(EditableModel, PartsThatAreUsedAgainAndAgainAreRefused) {
  flatbuffers::FlatBufferBuilder builder;
  const std::vector<int32_t> shape(100'000, 1);
  const auto tensor = schema::CreateTensorDirect(builder, &shape);
  const std::vector<flatbuffers::Offset<schema::Tensor>> tensors(10'000, tensor);
  const std::vector<flatbuffers::Offset<schema::SubGraph>> subgraphs{
      schema::CreateSubGraphDirect(builder, &tensors)};
  schema::FinishModelBuffer(builder, schema::CreateModelDirect(builder, 3, nullptr, &subgraphs));
  const auto bytes = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  const auto model = read_editable_model(bytes, "net.tflite");
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, ErrorCode::kInvalidModel);
  EXPECT_THAT(model.error().message, AllOf(HasSubstr("tensors["), HasSubstr("far larger")));
}

}  // namespace
}  // namespace lockstep::graph
