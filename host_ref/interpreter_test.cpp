#include "host_ref/interpreter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "graph/lowering.h"
#include "graph/testing/graph_builder.h"
#include "graph/testing/sample_graphs.h"

namespace lockstep::host_ref {
namespace {

using graph::DataType;
using graph::testing::GraphBuilder;
using graph::testing::per_tensor;
using numerics::Contract;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::byte operator""_b(unsigned long long value) { return static_cast<std::byte>(value); }

// x + constant {1, 2}, then RELU, all uint8 with zero point 100 and scale 1.
struct TwoOperators {
  GraphBuilder builder{"two"};
  int32_t x = builder.input("x", DataType::kUint8, {2}, per_tensor(1.0f, 100));
  int32_t c = builder.constant<uint8_t>("c", {2}, {101, 102}, per_tensor(1.0f, 100));
  int32_t sum = builder.add(x, c, per_tensor(1.0f, 100));
  int32_t y = builder.unary(graph::UnaryKind::kRelu, sum, per_tensor(1.0f, 100));

  graph::LoweredGraph lowered() const {
    return *graph::lower(builder.build({y}), Contract::kTflite);
  }
};

TEST(Interpreter, KeepsEveryTensorAsTheHostSeesIt) {
  const TwoOperators network;
  auto interpreter = Interpreter::create(network.lowered());
  ASSERT_TRUE(interpreter.has_value()) << interpreter.error().message;
  ASSERT_TRUE(interpreter->set_input(0, std::array{90_b, 110_b}).has_value());
  ASSERT_TRUE(interpreter->run().has_value());
  EXPECT_THAT(*interpreter->tensor(network.x), ElementsAre(90_b, 110_b));
  EXPECT_THAT(*interpreter->tensor(network.c), ElementsAre(101_b, 102_b));
  EXPECT_THAT(*interpreter->tensor(network.sum), ElementsAre(91_b, 112_b));
  EXPECT_THAT(*interpreter->tensor(network.y), ElementsAre(100_b, 112_b));
  EXPECT_THAT(interpreter->stored_tensor(network.sum), ElementsAre(0xdb_b, 0xf0_b));
}

TEST(Interpreter, RunsAgainWithAnotherInput) {
  const TwoOperators network;
  auto interpreter = Interpreter::create(network.lowered());
  ASSERT_TRUE(interpreter->set_input(0, std::array{90_b, 110_b}).has_value());
  ASSERT_TRUE(interpreter->run().has_value());
  ASSERT_TRUE(interpreter->set_input(0, std::array{120_b, 130_b}).has_value());
  ASSERT_TRUE(interpreter->run().has_value());
  EXPECT_THAT(*interpreter->tensor(network.y), ElementsAre(121_b, 132_b));
}

TEST(Interpreter, RefusesInputsOfTheWrongSizeOrNumber) {
  auto interpreter = Interpreter::create(TwoOperators().lowered());
  EXPECT_FALSE(interpreter->set_input(0, std::array{1_b}).has_value());
  EXPECT_FALSE(interpreter->set_input(1, std::array{1_b, 2_b}).has_value());
  EXPECT_FALSE(interpreter->tensor(-1).has_value());
  EXPECT_FALSE(interpreter->tensor(99).has_value());
}

TEST(Interpreter, RefusesGraphsThatCannotRun) {
  const TwoOperators network;
  auto unfilled = network.lowered();
  unfilled.inputs.clear();
  EXPECT_THAT(Interpreter::create(unfilled).error().message, HasSubstr("nothing fills"));
  auto reversed = network.lowered();
  std::swap(reversed.operators[0], reversed.operators[1]);
  EXPECT_FALSE(Interpreter::create(reversed).has_value());
  auto named_oddly = unfilled;
  for (auto& tensor : named_oddly.tensors) tensor.name = "\x1b[2J";
  EXPECT_THAT(Interpreter::create(named_oddly).error().message, HasSubstr("'?[2J'"));
  auto resized = network.lowered();
  resized.tensors[static_cast<size_t>(network.sum)].shape = {3};
  EXPECT_THAT(Interpreter::create(resized).error().message, HasSubstr("'ADD"));
  auto retyped = network.lowered();
  retyped.tensors[static_cast<size_t>(network.y)].type = DataType::kInt32;
  EXPECT_FALSE(Interpreter::create(retyped).has_value());
  auto astray = network.lowered();
  astray.inputs = {77};
  EXPECT_FALSE(Interpreter::create(astray).has_value());
}

// A 1x1 convolution and a depthwise one of the same two pixels, both with raw accumulators.
TEST(Interpreter, StoresAccumulatorsWhereAConvolutionAsksForThem) {
  graph::LoweredGraph graph;
  graph.tensors = {{"x", DataType::kInt8, {1, 2, 1, 1}, {}},
                   {"convolution", DataType::kInt32, {1, 2, 1, 2}, {}},
                   {"depthwise", DataType::kInt32, {1, 2, 1, 1}, {}}};
  graph::LoweredConvolution convolution;
  convolution.input = 0;
  convolution.output = 1;
  convolution.input_extent = {1, 2, 1, 1};
  convolution.output_extent = {1, 2, 1, 2};
  convolution.weights = {100, -100};
  convolution.weights_zero_points = {0, 0};
  convolution.bias = {70000, 0};
  convolution.output_stage.stores_accumulators = true;
  graph::LoweredDepthwiseConvolution depthwise;
  depthwise.input = 0;
  depthwise.output = 2;
  depthwise.input_extent = {1, 2, 1, 1};
  depthwise.output_extent = {1, 2, 1, 1};
  depthwise.weights = {3};
  depthwise.weights_zero_points = {0};
  depthwise.bias = {-1000};
  depthwise.output_stage.stores_accumulators = true;
  graph.operators = {{"CONV_2D", 0, convolution}, {"DEPTHWISE_CONV_2D", 1, depthwise}};
  graph.inputs = {0};
  graph.outputs = {1, 2};

  auto interpreter = Interpreter::create(graph);
  ASSERT_TRUE(interpreter.has_value()) << interpreter.error().message;
  ASSERT_TRUE(interpreter->set_input(0, std::array{5_b, 7_b}).has_value());
  ASSERT_TRUE(interpreter->run().has_value());
  const auto words = [&](int32_t tensor) {
    const std::vector<std::byte> bytes = *interpreter->tensor(tensor);
    std::vector<int32_t> values(bytes.size() / sizeof(int32_t));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  };
  EXPECT_THAT(words(1), ElementsAre(70500, -500, 70700, -700));
  EXPECT_THAT(words(2), ElementsAre(-985, -979));

  for (const size_t output : {1u, 2u}) {
    graph::LoweredGraph narrow = graph;
    narrow.tensors[output].type = DataType::kInt8;
    EXPECT_FALSE(Interpreter::create(narrow).has_value());
  }
}

TEST(Interpreter, RunsEverySampleUnderEveryContract) {
  for (const graph::Graph& sample : graph::testing::sample_graphs()) {
    for (const Contract contract : numerics::kAllContracts) {
      SCOPED_TRACE(sample.name);
      const auto lowered = graph::lower(sample, contract);
      ASSERT_TRUE(lowered.has_value()) << lowered.error().message;
      auto interpreter = Interpreter::create(*lowered);
      ASSERT_TRUE(interpreter.has_value()) << interpreter.error().message;
      EXPECT_TRUE(interpreter->run().has_value());
    }
  }
}

TEST(Interpreter, ReshapesAnyType) {
  GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kInt32, {2, 1});
  const int32_t y = builder.reshape(x, {2});
  auto interpreter = Interpreter::create(*graph::lower(builder.build({y}), Contract::kTflite));
  ASSERT_TRUE(interpreter.has_value()) << interpreter.error().message;
  const std::array<std::byte, 8> bytes = {1_b, 2_b, 3_b, 4_b, 5_b, 6_b, 7_b, 8_b};
  ASSERT_TRUE(interpreter->set_input(0, bytes).has_value());
  ASSERT_TRUE(interpreter->run().has_value());
  EXPECT_THAT(*interpreter->tensor(y), ::testing::ElementsAreArray(bytes));
}

}  // namespace
}  // namespace lockstep::host_ref
