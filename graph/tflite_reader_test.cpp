#include "graph/tflite_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>

#include "graph/builtin_operators.h"
#include "graph/testing/graph_builder.h"
#include "graph/testing/sample_graphs.h"
#include "graph/tflite_schema_generated.h"
#include "graph/tflite_writer.h"

namespace lockstep::graph {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::per_tensor;

using Bytes = std::vector<std::byte>;

schema::ModelT unpack(const Graph& graph) {
  const auto bytes = write_tflite(graph);
  schema::ModelT model;
  schema::GetModel(bytes.value().data())->UnPackTo(&model);
  return model;
}

Bytes pack(const schema::ModelT& model, const char* identifier = "TFL3") {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(schema::CreateModel(builder, &model), identifier);
  const auto bytes = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  return {bytes.begin(), bytes.end()};
}

// The sample network's file after a change to its unpacked form.
using Change = std::function<void(schema::ModelT&)>;

Result<Graph> read_changed(const Change& change) {
  schema::ModelT model = unpack(testing::sample_network());
  change(model);
  return read_tflite(pack(model), "net.tflite");
}

schema::SubGraphT& subgraph(schema::ModelT& model) { return *model.subgraphs[0]; }

schema::TensorT& tensor_named(schema::ModelT& model, const std::string& name) {
  for (const auto& tensor : subgraph(model).tensors) {
    if (tensor->name == name) return *tensor;
  }
  throw std::logic_error("no tensor " + name);
}

// ---- Files that are refused ----

struct BadFile {
  std::string name;
  Change change;
  std::string message;
  ErrorCode code = ErrorCode::kInvalidModel;
};

class TfliteReaderRefuses : public ::testing::TestWithParam<BadFile> {};

TEST_P(TfliteReaderRefuses, AndSaysWhy) {
  const auto graph = read_changed(GetParam().change);
  ASSERT_FALSE(graph);
  EXPECT_EQ(graph.error().code, GetParam().code);
  EXPECT_THAT(graph.error().message,
              AllOf(HasSubstr("net.tflite: "), HasSubstr(GetParam().message)));
}

const std::vector<BadFile> kBadFiles = {
    {"AnotherVersion", [](schema::ModelT& m) { m.version = 2; }, "schema version 2",
     ErrorCode::kUnsupported},
    {"NoSubgraph", [](schema::ModelT& m) { m.subgraphs.clear(); }, "holds no subgraph"},
    {"BufferOutOfRange", [](schema::ModelT& m) { tensor_named(m, "weights").buffer = 99; },
     "('weights'): its data are buffer 99 of"},
    {"NoBuffers", [](schema::ModelT& m) { m.buffers.clear(); }, "of 0"},
    {"BufferBehindTheFile",
     [](schema::ModelT& m) {
       auto& buffer = *m.buffers[tensor_named(m, "weights").buffer];
       buffer.data.clear();
       buffer.offset = 1000;
       buffer.size = 144;
     },
     "('weights'): its data lie behind the flatbuffer", ErrorCode::kUnsupported},
    {"BufferInAnotherFile",
     [](schema::ModelT& m) { tensor_named(m, "weights").external_buffer = 1; },
     "('weights'): its data lie in another file", ErrorCode::kUnsupported},
    {"BufferTooShort",
     [](schema::ModelT& m) { m.buffers[tensor_named(m, "weights").buffer]->data.pop_back(); },
     "143 bytes of data, the shape needs 144"},
    {"NoZeroPoint",
     [](schema::ModelT& m) { tensor_named(m, "image").quantization->zero_point.clear(); },
     "('image'): 1 scales but 0 zero points"},
    {"ZeroPointCount",
     [](schema::ModelT& m) {
       tensor_named(m, "weights").quantization->zero_point = {0, 0};
     },
     "4 scales but 2 zero points"},
    {"ZeroPointBeyond32Bits",
     [](schema::ModelT& m) {
       tensor_named(m, "image").quantization->zero_point = {int64_t{1} << 32};
     },
     "zero point 4294967296 is outside"},
    {"ZeroPointBeyondType",
     [](schema::ModelT& m) { tensor_named(m, "image").quantization->zero_point = {-129}; },
     "zero point -129 is outside"},
    {"ZeroScale", [](schema::ModelT& m) { tensor_named(m, "image").quantization->scale = {0.0f}; },
     "scale 0 is not a positive number"},
    {"AxisOfAnotherExtent",
     [](schema::ModelT& m) { tensor_named(m, "weights").quantization->quantized_dimension = 1; },
     "4 scales for the 3 indices of axis 1"},
    // Both dimensions 0 and 3 have four indices: which one is meant cannot be known.
    {"AxisThatDoesNotExist",
     [](schema::ModelT& m) { tensor_named(m, "weights").quantization->quantized_dimension = 4; },
     "quantized along axis 4 of 4 dimensions"},
    {"NegativeExtent", [](schema::ModelT& m) { tensor_named(m, "image").shape[0] = -1; },
     "the shape is negative or too large"},
    {"HugeShape",
     [](schema::ModelT& m) {
       tensor_named(m, "image").shape.assign(40, std::numeric_limits<int32_t>::max());
     },
     "the shape is negative or too large"},
    {"CodeOutOfRange", [](schema::ModelT& m) { subgraph(m).operators[3]->opcode_index = 77; },
     "operator 3: its code is entry 77 of"},
    {"NoCodes", [](schema::ModelT& m) { m.operator_codes.clear(); },
     "operator 0: its code is entry 0 of 0"},
    {"TensorOutOfRange", [](schema::ModelT& m) { subgraph(m).operators[0]->inputs[1] = 1000; },
     "operator 0 (CONV_2D, output 'CONV_2D_0'): input 1000 is not one of"},
    {"NoTensors", [](schema::ModelT& m) { subgraph(m).tensors.clear(); },
     "graph input 0 is not one of the 0 tensors"},
    {"TwoProducers",
     [](schema::ModelT& m) {
       subgraph(m).operators[1]->outputs = subgraph(m).operators[0]->outputs;
     },
     "another operator's output"},
    {"WrongOrder",
     [](schema::ModelT& m) { std::swap(subgraph(m).operators[1], subgraph(m).operators[2]); },
     "is read before any operator has made it"},
    {"ContradictingShapes",
     [](schema::ModelT& m) {
       tensor_named(m, "CONV_2D_0").shape = {1, 8, 8, 5};
     },
     "operator 0 (CONV_2D, output 'CONV_2D_0'): the output is declared 1x8x8x5"},
    {"StrideZero",
     [](schema::ModelT& m) {
       subgraph(m).operators[0]->builtin_options.AsConv2DOptions()->stride_h = 0;
     },
     "stride 0"},
};

INSTANTIATE_TEST_SUITE_P(Files, TfliteReaderRefuses, ::testing::ValuesIn(kBadFiles),
                         [](const auto& test) { return test.param.name; });

TEST(TfliteReader, RefusesBytesThatAreNoModel) {
  const auto message = [](std::span<const std::byte> bytes) {
    const auto graph = read_tflite(bytes, "net.tflite");
    return graph ? std::string() : graph.error().message;
  };
  EXPECT_THAT(message({}), HasSubstr("not a .tflite file"));
  EXPECT_THAT(message(Bytes(7)), HasSubstr("not a .tflite file"));
  EXPECT_THAT(message(Bytes(100)), HasSubstr("not a .tflite file"));
  EXPECT_THAT(message(pack(unpack(testing::sample_network()), "TFL2")),
              HasSubstr("not a .tflite file"));
  Bytes bytes = pack(unpack(testing::sample_network()));
  const uint32_t root = 0x7fffffff;
  std::memcpy(bytes.data(), &root, sizeof(root));
  EXPECT_THAT(message(bytes), HasSubstr("damaged or cut off"));
}

TEST(TfliteReader, RefusesSmallFilesThatUnfoldIntoLargeGraphs) {
  // 60,000 tensors that all point to one table with a name of 100,000 bytes: 6 GB if believed.
  flatbuffers::FlatBufferBuilder builder;
  const auto name = builder.CreateString(std::string(100'000, 'n'));
  schema::TensorBuilder tensor_builder(builder);
  tensor_builder.add_name(name);
  const std::vector<flatbuffers::Offset<schema::Tensor>> tensors(60'000, tensor_builder.Finish());
  const std::vector<flatbuffers::Offset<schema::SubGraph>> subgraphs{
      schema::CreateSubGraphDirect(builder, &tensors)};
  schema::FinishModelBuffer(builder, schema::CreateModelDirect(builder, 3, nullptr, &subgraphs));
  const auto graph = read_tflite(
      std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize())), "net.tflite");
  ASSERT_FALSE(graph);
  EXPECT_THAT(graph.error().message, HasSubstr("share lists that are far longer than the file"));
}

// Each operator that is left to the host would explain itself with the whole of one long shape.
TEST(TfliteReader, RefusesSmallFilesThatUnfoldIntoLongMessages) {
  const auto graph =
      read_changed([](schema::ModelT& m) { tensor_named(m, "image").shape.assign(100'000, 1); });
  ASSERT_FALSE(graph);
  EXPECT_THAT(graph.error().message, HasSubstr("100000 dimensions, at most 32 are read"));
  EXPECT_LT(graph.error().message.size(), 1000u);
}

TEST(TfliteReader, RefusesFilesOfTwoGibibytesUnread) {
  const std::filesystem::path path =
      std::filesystem::path(::testing::TempDir()) / "lockstep_tflite_reader_test_huge.tflite";
  std::ofstream(path, std::ios::binary) << "not a model";
  std::filesystem::resize_file(path, uintmax_t{1} << 31);  // sparse: takes no room on the disk
  const auto graph = read_tflite_file(path);
  std::filesystem::remove(path);
  ASSERT_FALSE(graph);
  EXPECT_EQ(graph.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(graph.error().message, HasSubstr("2 GiB"));
}

// ---- Operators that are left to the host ----

struct LeftToTheHost {
  std::string name;
  Change change;
  std::string reason;
};

class TfliteReaderLeaves : public ::testing::TestWithParam<LeftToTheHost> {};

TEST_P(TfliteReaderLeaves, TheOperatorOpaque) {
  const auto graph = read_changed(GetParam().change);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_TRUE(validate(*graph));
  const auto* opaque = std::get_if<OpaqueAttributes>(&graph->operators[0].attributes);
  ASSERT_NE(opaque, nullptr);
  EXPECT_THAT(opaque->reason, HasSubstr(GetParam().reason));
  EXPECT_FALSE(std::holds_alternative<OpaqueAttributes>(graph->operators[1].attributes));
}

const std::vector<LeftToTheHost> kLeft = {
    {"OfAVersionToCome", [](schema::ModelT& m) { m.operator_codes[0]->version = 99; },
     "version 99 of CONV_2D is not known"},
    {"OfVersionZero", [](schema::ModelT& m) { m.operator_codes[0]->version = 0; },
     "version 0 of CONV_2D is not known"},
    {"WithoutOptions", [](schema::ModelT& m) { subgraph(m).operators[0]->builtin_options.Reset(); },
     "CONV_2D comes without its options"},
    {"WithOptionsOfAnother",
     [](schema::ModelT& m) {
       subgraph(m).operators[0]->builtin_options.Set(schema::Pool2DOptionsT{});
     },
     "CONV_2D comes without its options"},
    {"WithUnknownPadding",
     [](schema::ModelT& m) {
       subgraph(m).operators[0]->builtin_options.AsConv2DOptions()->padding = schema::Padding{2};
     },
     "padding 2 is not known"},
    {"WithUnknownActivation",
     [](schema::ModelT& m) {
       subgraph(m).operators[0]->builtin_options.AsConv2DOptions()->fused_activation_function =
           schema::ActivationFunctionType{17};
     },
     "fused activation 17 is not known"},
    {"OfAKindWeDoNotCompute",
     [](schema::ModelT& m) {
       m.operator_codes[0]->builtin_code = schema::BuiltinOperator::TRANSPOSE_CONV;
       m.operator_codes[0]->deprecated_builtin_code = 67;
     },
     "TRANSPOSE_CONV is not supported"},
    {"OfACodeWithoutName",
     [](schema::ModelT& m) {
       m.operator_codes[0]->builtin_code = schema::BuiltinOperator{9999};
       m.operator_codes[0]->deprecated_builtin_code = 127;
     },
     "BUILTIN_9999 is not supported"},
    {"OfItsOwnMaker",
     [](schema::ModelT& m) {
       m.operator_codes[0]->builtin_code = schema::BuiltinOperator::CUSTOM;
       m.operator_codes[0]->custom_code = "Magic";
     },
     "custom operator 'Magic'"},
    {"WithSparseWeights",
     [](schema::ModelT& m) {
       tensor_named(m, "weights").sparsity = std::make_unique<schema::SparsityParametersT>();
       m.buffers[tensor_named(m, "weights").buffer]->data.resize(10);
     },
     "'weights' is in the sparse encoding"},
    {"WithShapesKnownAtRunTime",
     [](schema::ModelT& m) {
       tensor_named(m, "image").shape_signature = {1, -1, 8, 4};
       tensor_named(m, "image").shape = {1, 8, 8, 4};
       subgraph(m).operators[0]->builtin_options.AsConv2DOptions()->stride_h = 2;
     },
     "the output is declared 1x8x8x4, the inputs give 1x4x8x4"},
};

INSTANTIATE_TEST_SUITE_P(Operators, TfliteReaderLeaves, ::testing::ValuesIn(kLeft),
                         [](const auto& test) { return test.param.name; });

TEST(TfliteReader, UnknownOptionsOfLaterReleasesAreSkipped) {
  // Options number 200 exist in no release; the value is a table all the same.
  flatbuffers::FlatBufferBuilder builder;
  const std::vector<int32_t> shape{2}, input{0}, output{1};
  const std::vector<flatbuffers::Offset<schema::Tensor>> tensors{
      schema::CreateTensorDirect(builder, &shape), schema::CreateTensorDirect(builder, &shape)};
  const std::vector<flatbuffers::Offset<schema::OperatorCode>> codes{
      schema::CreateOperatorCodeDirect(builder, 127, nullptr, 1, schema::BuiltinOperator{400})};
  const auto options = schema::CreateSoftmaxOptions(builder, 1.0f).Union();
  const std::vector<flatbuffers::Offset<schema::Operator>> operators{schema::CreateOperatorDirect(
      builder, 0, &input, &output, schema::BuiltinOptions{200}, options)};
  const std::vector<flatbuffers::Offset<schema::SubGraph>> subgraphs{
      schema::CreateSubGraphDirect(builder, &tensors, &input, &output, &operators)};
  schema::FinishModelBuffer(builder, schema::CreateModelDirect(builder, 3, &codes, &subgraphs));
  const auto graph = read_tflite(
      std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize())), "later.tflite");
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->operators[0].name, "BUILTIN_400");
}

// ---- Readings that need care ----

TEST(TfliteReader, EverythingOptionalMayBeAbsent) {
  schema::ModelT model;
  model.version = 3;
  model.subgraphs.push_back(std::make_unique<schema::SubGraphT>());
  model.subgraphs[0]->tensors.push_back(std::make_unique<schema::TensorT>());
  const auto graph = read_tflite(pack(model), "empty.tflite");
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->tensors.size(), 1u);
  EXPECT_EQ(graph->tensors[0].shape, Shape{});
  EXPECT_TRUE(graph->operators.empty());
}

TEST(TfliteReader, TheCodeIsTheLargerOfTheOldAndTheNewField) {
  const auto code_read = [](int8_t old_field, int32_t new_field) {
    const auto graph = read_changed([=](schema::ModelT& m) {
      m.operator_codes[0]->deprecated_builtin_code = old_field;
      m.operator_codes[0]->builtin_code = schema::BuiltinOperator{new_field};
    });
    return graph.value().operators[0].builtin_code;
  };
  EXPECT_EQ(code_read(3, 0), builtin::kConv2d) << "old files have no new field";
  EXPECT_EQ(code_read(0, 3), builtin::kConv2d);
  EXPECT_EQ(code_read(127, 150), 150);
}

TEST(TfliteReader, ReadsTheFirstOfSeveralSubgraphs) {
  const auto graph = read_changed([](schema::ModelT& m) {
    m.subgraphs.push_back(std::make_unique<schema::SubGraphT>());
    m.subgraphs[1]->inputs = {1, 2, 3};
  });
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->operators.size(), testing::sample_network().operators.size());
}

TEST(TfliteReader, ABiasMayCarryTheAxisOfItsWeights) {
  const auto graph = read_changed([](schema::ModelT& m) {
    auto quantization = std::make_unique<schema::QuantizationParametersT>();
    quantization->scale = {1, 2, 3, 4};
    quantization->zero_point = {0, 0, 0, 0};
    quantization->quantized_dimension = 3;
    tensor_named(m, "bias").quantization = std::move(quantization);
  });
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->tensors[2].quantization.axis, 0);
}

TEST(TfliteReader, OneZeroPointMayServeAllScales) {
  const auto graph = read_changed(
      [](schema::ModelT& m) { tensor_named(m, "weights").quantization->zero_point = {3}; });
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_THAT(graph->tensors[1].quantization.zero_points, ElementsAre(3, 3, 3, 3));
}

TEST(TfliteReader, IgnoresScalesOfTypesThatHaveNone) {
  const auto graph = read_changed([](schema::ModelT& m) {
    tensor_named(m, "image").type = schema::TensorType::FLOAT32;
    tensor_named(m, "image").quantization->scale = {-1.0f};
  });
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_FALSE(graph->tensors[0].quantization.is_quantized());
}

TEST(TfliteReader, IgnoresSchemesThatAreNotAffine) {
  const auto graph = read_changed([](schema::ModelT& m) {
    tensor_named(m, "image").quantization->details.Set(schema::CustomQuantizationT{});
  });
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_FALSE(graph->tensors[0].quantization.is_quantized());
}

TEST(TfliteReader, TakesTheDepthMultiplierFromTheShapes) {
  const auto graph = read_changed([](schema::ModelT& m) {
    subgraph(m).operators[1]->builtin_options.AsDepthwiseConv2DOptions()->depth_multiplier = 0;
  });
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(std::get<DepthwiseConv2dAttributes>(graph->operators[1].attributes).depth_multiplier,
            1);
}

TEST(TfliteReader, TheEmptyBufferHoldsNoConstants) {
  const auto graph = read_changed([](schema::ModelT& m) { m.buffers[0]->data = {1, 2, 3}; });
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_FALSE(graph->tensors[0].is_constant());
}

TEST(TfliteReader, UnknownElementTypesArePassedThrough) {
  const auto graph = read_changed(
      [](schema::ModelT& m) { tensor_named(m, "image").type = schema::TensorType{99}; });
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->tensors[0].type, DataType::kOther);
}

// ---- Ownership ----

bool points_into(std::span<const std::byte> part, std::span<const std::byte> whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

TEST(TfliteReader, CopiesOnlyWithoutAnOwner) {
  const auto owner = std::make_shared<const Bytes>(write_tflite(testing::sample_network()).value());
  const auto shared = read_tflite(*owner, "net", owner);
  ASSERT_TRUE(shared);
  EXPECT_TRUE(points_into(shared->tensors[1].data, *owner));
  EXPECT_EQ(shared->storage, owner);

  const auto copied = read_tflite(*owner, "net");
  ASSERT_TRUE(copied);
  EXPECT_FALSE(points_into(copied->tensors[1].data, *owner));
  EXPECT_THAT(copied->tensors[1].data, ::testing::ElementsAreArray(shared->tensors[1].data));
}

TEST(TfliteReader, CopiesBytesThatAreNotAligned) {
  const Bytes file = write_tflite(testing::sample_network()).value();
  const auto owner = std::make_shared<Bytes>(file.size() + 1);
  std::copy(file.begin(), file.end(), owner->begin() + 1);
  const auto graph = read_tflite(std::span(*owner).subspan(1), "net", owner);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_FALSE(points_into(graph->tensors[1].data, *owner));
}

TEST(TfliteReader, ReadsFiles) {
  const std::filesystem::path path =
      std::filesystem::path(::testing::TempDir()) / "lockstep_tflite_reader_test.tflite";
  const Bytes bytes = write_tflite(testing::sample_network()).value();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  const auto graph = read_tflite_file(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->name, path.string());
}

TEST(TfliteReader, SaysWhatIsWrongWithAPath) {
  const auto missing = read_tflite_file("/nowhere/net.tflite");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("/nowhere/net.tflite: "));
  EXPECT_EQ(read_tflite_file(::testing::TempDir()).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace lockstep::graph
