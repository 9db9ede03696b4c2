// `lockstep weights` as a user meets it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "graph/editable_model.h"
#include "graph/testing/graph_builder.h"
#include "graph/tflite_writer.h"
#include "quantization/model_editing.h"
#include "quantization/sparse_storage.h"
#include "tools/testing/command_test.h"
#include "tools/testing/numpy.h"

namespace lockstep::tools {
namespace {

using graph::testing::GraphBuilder;
using graph::testing::per_tensor;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::lockstep;
using testing::Outcome;
namespace schema = graph::schema;

// A folder with a small int8 network: FULLY_CONNECTED with a scale for each output, then RESHAPE.
class WeightsCommand : public testing::CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    GraphBuilder builder("small");
    const int32_t input = builder.input("x", graph::DataType::kInt8, {1, 3}, per_tensor(0.5f, -1));
    const int32_t weights =
        builder.constant<int8_t>("../layer/weights;a", {2, 3}, {1, -2, 0, 4, 5, 127},
                                 {.scales = {0.5f, 0.25f}, .zero_points = {0, 0}, .axis = 0});
    const int32_t bias = builder.constant<int32_t>(
        "bias", {2}, {100, -8}, {.scales = {0.25f, 0.125f}, .zero_points = {0, 0}, .axis = 0});
    const int32_t output = builder.fully_connected(input, weights, bias, per_tensor(1.0f, 3));
    const auto bytes = graph::write_tflite(builder.build({output}));
    ASSERT_TRUE(bytes) << bytes.error().message;
    write("small.tflite", *bytes);
  }

  // The same network, changed.
  void write_changed(const std::string& name, void (*change)(schema::ModelT&)) {
    auto model = graph::read_editable_model_file(path("small.tflite"));
    ASSERT_TRUE(model) << model.error().message;
    change(model->tree);
    const auto bytes = graph::write_editable_model(*model);
    ASSERT_TRUE(bytes) << bytes.error().message;
    write(name, *bytes);
  }
};

TEST_F(WeightsCommand, ListTellsWhatConstantsAre) {
  const Outcome outcome = lockstep("weights list " + path("small.tflite"));
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.text, AllOf(HasSubstr("../layer/weights;a"), HasSubstr("2x3"),
                                  HasSubstr("0.25 to 0.5 (axis 0)"), HasSubstr("-1 to 31.75"),
                                  HasSubstr("16.7 %"), HasSubstr("FULLY_CONNECTED #0 input 1"),
                                  HasSubstr("2 constants, 14 bytes")));
}

TEST_F(WeightsCommand, ListAsJsonHasEveryScale) {
  const Outcome outcome = lockstep("weights list --json " + path("small.tflite"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  const nlohmann::json constants = nlohmann::json::parse(outcome.text)["constants"];
  ASSERT_EQ(constants.size(), 2u);
  EXPECT_EQ(constants[0]["type"], "int8");
  EXPECT_EQ(constants[0]["shape"], nlohmann::json({2, 3}));
  EXPECT_EQ(constants[0]["scales"], nlohmann::json({0.5, 0.25}));
  EXPECT_EQ(constants[0]["axis"], 0);
  EXPECT_EQ(constants[0]["range"]["maximum"], 31.75);
  EXPECT_EQ(constants[1]["read_by"], nlohmann::json({"FULLY_CONNECTED #0 input 2"}));
  EXPECT_EQ(constants[1]["bytes"], 8);
}

TEST_F(WeightsCommand, ExtractedIntegersAreLoadedByNumpy) {
  const Outcome outcome =
      lockstep("weights extract " + path("small.tflite") + " -o " + path("arrays"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  const nlohmann::json constants = read_json("arrays/constants.json")["constants"];
  ASSERT_EQ(constants.size(), 2u);
  EXPECT_EQ(constants[0]["name"], "../layer/weights;a");
  EXPECT_EQ(constants[0]["array"], "1_.._layer_weights_a");
  EXPECT_EQ(constants[0]["scales"], nlohmann::json({0.5, 0.25}));
  EXPECT_EQ(constants[0]["zero_points"], nlohmann::json({0, 0}));
  EXPECT_EQ(constants[0]["dequantized"], false);
  const auto numpy = testing::run_numpy(
      "for name in ('1_.._layer_weights_a', '2_bias'):\n"
      "  a = numpy.load('" +
      path("arrays") +
      "/' + name + '.npy')\n"
      "  print(a.dtype, a.shape, a.tolist())");
  if (!numpy) GTEST_SKIP() << "no numpy";
  EXPECT_EQ(*numpy, "int8 (2, 3) [[1, -2, 0], [4, 5, 127]]\nint32 (2,) [100, -8]\n");
}

TEST_F(WeightsCommand, ExtractedRealNumbersAreLoadedByNumpy) {
  const Outcome outcome = lockstep("weights extract --dequantize " + path("small.tflite") + " -o " +
                                   path("arrays.npz"));
  if (outcome.text.find("libzip") != std::string::npos) GTEST_SKIP() << outcome.text;
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  EXPECT_EQ(read_json("arrays.json")["constants"][0]["dequantized"], true);
  const auto numpy = testing::run_numpy(
      "arrays = numpy.load('" + path("arrays.npz") +
      "')\n"
      "for name in arrays: print(name, arrays[name].dtype, arrays[name].tolist())");
  if (!numpy) GTEST_SKIP() << "no numpy";
  EXPECT_EQ(*numpy,
            "1_.._layer_weights_a float32 [[0.5, -1.0, 0.0], [1.0, 1.25, 31.75]]\n"
            "2_bias float32 [25.0, -1.0]\n");
}

TEST_F(WeightsCommand, ConstantsThatNumpyHasNoTypeForAreNamed) {
  write_changed("text.tflite", [](schema::ModelT& model) {
    schema::TensorT text;
    text.name = "labels";
    text.type = schema::TensorType::STRING;
    text.shape = {1};
    schema::SubGraphT& subgraph = *model.subgraphs[0];
    const int32_t index = quantization::add_tensor(subgraph, std::move(text));
    quantization::set_contents(model, *subgraph.tensors[static_cast<size_t>(index)],
                               std::vector<std::byte>(12, std::byte{1}));
  });
  const Outcome outcome =
      lockstep("weights extract " + path("text.tflite") + " -o " + path("arrays"));
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.text, HasSubstr("left out, as numpy has no such type: 'labels' (string)"));
  EXPECT_EQ(read_json("arrays/constants.json")["constants"].size(), 2u);
}

TEST_F(WeightsCommand, DensifyUndoesSparseStorage) {
  write_changed("sparse.tflite", [](schema::ModelT& model) {
    schema::SubGraphT& subgraph = *model.subgraphs[0];
    schema::TensorT weights;
    weights.name = "sparse";
    weights.type = schema::TensorType::FLOAT32;
    weights.shape = {64, 64};
    const int32_t index = quantization::add_tensor(subgraph, std::move(weights));
    schema::TensorT& added = *subgraph.tensors[static_cast<size_t>(index)];
    std::vector<std::byte> contents(64 * 64 * sizeof(float));
    contents[3] = std::byte{0x40};
    quantization::set_contents(model, added, contents);
    subgraph.outputs.push_back(index);
    ASSERT_TRUE(quantization::store_sparsely(model, subgraph, index, std::vector{1, 1}).value());
  });
  EXPECT_THAT(lockstep("weights list " + path("sparse.tflite")).text, HasSubstr("float32 sparse"));
  const Outcome outcome =
      lockstep("weights densify " + path("sparse.tflite") + " -o " + path("dense.tflite"));
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.text, HasSubstr("1 sparse constants made dense"));
  const auto model = graph::read_editable_model_file(path("dense.tflite"));
  ASSERT_TRUE(model) << model.error().message;
  const schema::SubGraphT& subgraph = *model->tree.subgraphs[0];
  EXPECT_EQ(subgraph.operators.size(), 1u);
  const schema::TensorT& tensor = *subgraph.tensors[static_cast<size_t>(subgraph.outputs[1])];
  EXPECT_EQ(tensor.name, "sparse");
  EXPECT_EQ(model->tree.buffers[tensor.buffer]->data.size(), 64u * 64u * sizeof(float));
}

TEST_F(WeightsCommand, MistakesAreErrorsThatSayWhatIsWrong) {
  EXPECT_EQ(lockstep("weights").exit_code, 2);
  EXPECT_EQ(lockstep("weights frobnicate").exit_code, 2);
  write("damaged.tflite", std::vector<std::byte>(100));
  for (const char* command : {"list", "extract -o x", "densify -o x"}) {
    const Outcome outcome =
        lockstep(std::string("weights ") + command + " " + path("damaged.tflite"));
    EXPECT_EQ(outcome.exit_code, 2) << command;
    EXPECT_THAT(outcome.text, HasSubstr("damaged.tflite: not a .tflite file")) << command;
  }
  const Outcome outcome =
      lockstep("weights extract " + path("small.tflite") + " -o " + path("small.tflite/arrays"));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.text, HasSubstr("small.tflite/arrays"));
}

TEST_F(WeightsCommand, AConstantThatContradictsItselfIsNamed) {
  write_changed("wrong.tflite", [](schema::ModelT& model) {
    model.subgraphs[0]->tensors[1]->quantization->scale = {0.5f, 0.25f, 1.0f};
  });
  const Outcome outcome = lockstep("weights list " + path("wrong.tflite"));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.text, AllOf(HasSubstr("wrong.tflite"), HasSubstr("../layer/weights;a"),
                                  HasSubstr("3 scales but 2 zero points")));
}

}  // namespace
}  // namespace lockstep::tools
