// The specification against the real engine: every tensor of real networks.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "graph/lowering.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"
#include "host_ref/interpreter.h"
#include "host_ref/testing/differences.h"
#include "host_ref/testing/tflite_oracle.h"

namespace lockstep::host_ref {
namespace {

using numerics::Contract;
using testing::Kernels;
using testing::TfliteOracle;

struct Case {
  std::string_view model;
  Contract contract;
};

// One of the models is uint8, for which the engine's XNNPACK has no kernels.
constexpr std::array kCases = {Case{"ad01_autoencoder_int8", Contract::kTflite},
                               Case{"ad01_autoencoder_int8", Contract::kLitert},
                               Case{"kws_dscnn_int8", Contract::kTflite},
                               Case{"kws_dscnn_int8", Contract::kLitert},
                               Case{"micro_speech_int8", Contract::kTflite},
                               Case{"micro_speech_int8", Contract::kLitert},
                               Case{"mobilenet_v2_224_int8_ptq", Contract::kTflite},
                               Case{"mobilenet_v2_224_int8_ptq", Contract::kLitert},
                               Case{"mobilenet_v2_224_uint8_qat", Contract::kTflite},
                               Case{"resnet8_cifar10_int8", Contract::kTflite},
                               Case{"resnet8_cifar10_int8", Contract::kLitert},
                               Case{"vww_mobilenet_v1_025_96_int8", Contract::kTflite},
                               Case{"vww_mobilenet_v1_025_96_int8", Contract::kLitert}};

std::vector<std::vector<std::byte>> dice(const graph::Graph& graph) {
  std::mt19937 generator(1);
  std::vector<std::vector<std::byte>> inputs;
  for (const int32_t input : graph.inputs) {
    const graph::Tensor& tensor = graph.tensors[static_cast<size_t>(input)];
    auto& bytes =
        inputs.emplace_back(static_cast<size_t>(graph::element_count(tensor.shape).value_or(0)));
    std::generate(bytes.begin(), bytes.end(),
                  [&] { return static_cast<std::byte>(generator() & 0xff); });
  }
  return inputs;
}

class TfliteModelsOracleTest : public ::testing::TestWithParam<Case> {};

TEST_P(TfliteModelsOracleTest, EveryTensorIsEqual) {
  const auto oracle = TfliteOracle::from_environment();
  ASSERT_TRUE(oracle.has_value()) << oracle.error().message;
  const std::filesystem::path path =
      std::filesystem::path(LOCKSTEP_MODELS_DIR) / fmt::format("{}.tflite", GetParam().model);
  if (*oracle == nullptr || !std::filesystem::exists(path)) {
    GTEST_SKIP() << "no engine or no model";
  }
  const auto original = graph::read_file_bytes(path);
  ASSERT_TRUE(original.has_value()) << original.error().message;
  const auto exposed = graph::expose_all_tensors(*original);
  ASSERT_TRUE(exposed.has_value()) << exposed.error().message;
  const auto graph = graph::read_tflite(*exposed, path.filename());
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  const auto inputs = dice(*graph);
  const auto engine = (*oracle)->run(
      *exposed, inputs,
      GetParam().contract == Contract::kLitert ? Kernels::kXnnpack : Kernels::kBuiltin);
  ASSERT_TRUE(engine.has_value()) << engine.error().message;

  auto lowered = graph::lower(*graph, GetParam().contract);
  ASSERT_TRUE(lowered.has_value()) << lowered.error().message;
  auto interpreter = Interpreter::create(*std::move(lowered));
  ASSERT_TRUE(interpreter.has_value()) << interpreter.error().message;
  for (size_t i = 0; i < inputs.size(); ++i) {
    ASSERT_TRUE(interpreter->set_input(i, inputs[i]).has_value());
  }
  ASSERT_TRUE(interpreter->run().has_value());
  for (size_t i = 0; i < graph->outputs.size(); ++i) {
    const auto& output = graph->tensors[static_cast<size_t>(graph->outputs[i])];
    EXPECT_EQ(
        testing::differences(output, (*engine)[i].bytes, *interpreter->tensor(graph->outputs[i])),
        "");
  }
}

INSTANTIATE_TEST_SUITE_P(Models, TfliteModelsOracleTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) {
                           return fmt::format("{}_{}", info.param.model,
                                              numerics::contract_name(info.param.contract));
                         });

}  // namespace
}  // namespace lockstep::host_ref
