#include "quantization/model_comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph_builder.h"
#include "graph/tflite_reader.h"

namespace lockstep::quantization {
namespace {

using graph::DataType;
using graph::GraphBuilder;
using graph::kAbsentTensor;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::byte> bytes_of(const std::vector<float>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

// A network that "computes" what a test says: the values of each tensor, a sample after the other.
class ScriptedNetwork final : public ComparedNetwork {
 public:
  ScriptedNetwork(graph::Graph graph, std::map<int32_t, std::vector<std::vector<float>>> script)
      : graph_(std::move(graph)), script_(std::move(script)) {}

  const graph::Graph& graph() const override { return graph_; }
  std::string engine() const override { return "script"; }

  Status run(const Sample& sample) override {
    inputs_ = sample;
    for (const auto& [tensor, values] : script_) {
      const auto bytes = tensor_bytes(graph_.tensors[static_cast<size_t>(tensor)], values[run_]);
      EXPECT_TRUE(bytes) << bytes.error().message;
      contents_[tensor] = *bytes;
    }
    ++run_;
    return {};
  }

  Result<std::span<const std::byte>> tensor(int32_t index) const override {
    for (size_t i = 0; i < graph_.inputs.size(); ++i) {
      if (graph_.inputs[i] == index) return inputs_[i];
    }
    return contents_.at(index);
  }

  const Sample& last_inputs() const { return inputs_; }

 private:
  graph::Graph graph_;
  std::map<int32_t, std::vector<std::vector<float>>> script_;
  std::map<int32_t, std::vector<std::byte>> contents_;
  Sample inputs_;
  size_t run_ = 0;
};

SampleSource source_of(const std::vector<std::vector<float>>& inputs) {
  return {
      .count = inputs.size(),
      .read = [inputs](size_t index) -> Result<Sample> { return Sample{bytes_of(inputs[index])}; },
      .name = [](size_t index) { return "sample " + std::to_string(index); }};
}

// x -> a -> b -> y, float or int8 with steps of a quarter.
struct Chain {
  graph::Graph graph;
  int32_t a = 0;
  int32_t b = 0;
  int32_t y = 0;
};
Chain chain(DataType type) {
  GraphBuilder builder("chain");
  const bool is_int8 = type == DataType::kInt8;
  const graph::Quantization quantization =
      is_int8 ? graph::per_tensor(0.25f, 10) : graph::Quantization{};
  const int32_t weights =
      is_int8 ? builder.constant<int8_t>("w", {3, 3}, std::vector<int8_t>(9), quantization)
              : builder.constant<float>("w", {3, 3}, std::vector<float>(9));
  Chain result;
  const int32_t x = builder.input("x", type, {1, 3}, quantization);
  result.a = builder.fully_connected(x, weights, kAbsentTensor, quantization);
  result.b = builder.fully_connected(result.a, weights, kAbsentTensor, quantization);
  result.y = builder.softmax(result.b, quantization);
  result.graph = builder.build_unchecked({result.y});
  for (const auto& [tensor, name] : {std::pair(result.a, "a"), {result.b, "b"}, {result.y, "y"}}) {
    result.graph.tensors[static_cast<size_t>(tensor)].name = name;
  }
  return result;
}

ModelComparison compared(ComparedNetwork& expected, ComparedNetwork& actual,
                         const SampleSource& samples, const ComparisonOptions& options = {}) {
  const auto comparison = compare_models(expected, actual, samples, options);
  EXPECT_TRUE(comparison) << comparison.error().message;
  return comparison ? *comparison : ModelComparison{};
}

TEST(ModelComparison, ComparesRealValuesOfEveryPair) {
  const Chain expected_chain = chain(DataType::kFloat32);
  const Chain actual_chain = chain(DataType::kInt8);
  ScriptedNetwork expected(expected_chain.graph, {{expected_chain.a, {{1, 2, 3}, {4, 5, 6}}},
                                                  {expected_chain.b, {{1, 1, 1}, {2, 2, 2}}},
                                                  {expected_chain.y, {{0, 0, 8}, {8, 0, 0}}}});
  ScriptedNetwork actual(actual_chain.graph, {{actual_chain.a, {{1, 2, 3}, {4, 5, 6}}},
                                              {actual_chain.b, {{1, 1.5f, 1}, {2, 2, 1}}},
                                              {actual_chain.y, {{0, 0, 8}, {4, 6, 0}}}});
  const ModelComparison comparison =
      compared(expected, actual, source_of({{0, 0.5f, 1.1f}, {2, -3, 4}}));
  EXPECT_EQ(comparison.samples, 2u);

  // The input that 1.1 becomes in steps of a quarter is 1.
  ASSERT_EQ(comparison.inputs.size(), 1u);
  EXPECT_NEAR(comparison.inputs[0].error.largest_error(), 0.1, 1e-6);

  ASSERT_EQ(comparison.layers.size(), 3u);
  EXPECT_EQ(comparison.layers[0].operator_name, "FULLY_CONNECTED");
  EXPECT_EQ(comparison.layers[2].operator_name, "SOFTMAX");
  EXPECT_EQ(comparison.layers[0].tensor.error.largest_error(), 0);
  EXPECT_EQ(comparison.layers[1].tensor.error.largest_error(), 1);
  EXPECT_EQ(comparison.layers[1].tensor.error.elements(), 6u);
  EXPECT_EQ(comparison.layers[1].tensor.differences.count(), 6u);
  EXPECT_EQ(comparison.layers[1].tensor.differences.minimum(), -1);
  EXPECT_EQ(comparison.layers[1].tensor.differences.maximum(), 0.5f);

  ASSERT_EQ(comparison.outputs.size(), 1u);
  const OutputComparison& output = comparison.outputs[0];
  EXPECT_DOUBLE_EQ(output.tensor.error.l2(), std::sqrt((16.0 + 36) / 2));
  EXPECT_EQ(output.class_count, 3u);
  EXPECT_EQ(output.agreement.count(), 2u);
  EXPECT_EQ(output.agreement.top1(), 0.5);
  ASSERT_EQ(output.samples.size(), 2u);
  EXPECT_EQ(output.samples[0].sqnr, std::numeric_limits<double>::infinity());
  EXPECT_EQ(output.samples[1].expected_class, 0u);
  EXPECT_EQ(output.samples[1].actual_class, 1u);
  EXPECT_EQ(output.samples[1].largest_error, 6);
}

TEST(ModelComparison, FindsWhereTheErrorGrows) {
  const Chain made = chain(DataType::kFloat32);
  const auto with = [&](float error_a, float error_b, float error_y) {
    return std::map<int32_t, std::vector<std::vector<float>>>{{made.a, {{1 + error_a, 1, 1}}},
                                                              {made.b, {{1 + error_b, 1, 1}}},
                                                              {made.y, {{1 + error_y, 1, 1}}}};
  };
  ScriptedNetwork expected(made.graph, with(0, 0, 0));
  // What 8 bits give is no reason to blame the first layer.
  ScriptedNetwork actual(made.graph, with(0.001f, 0.3f, 0.3f));
  const ModelComparison comparison = compared(expected, actual, source_of({{0, 0, 0}}));
  const auto largest = comparison.largest_drop();
  ASSERT_TRUE(largest);
  EXPECT_EQ(*largest, 1u);
  const double sqnr = 10 * std::log10(3 / double{0.3f * 0.3f});
  EXPECT_NEAR(comparison.layers[1].sqnr_drop(), kEightBitSqnr - sqnr, 1e-3);
  EXPECT_EQ(comparison.layers[0].sqnr_drop(), 0);
  EXPECT_NEAR(comparison.layers[2].sqnr_drop(), 0, 1e-9);

  ScriptedNetwork same(made.graph, with(0, 0, 0));
  ScriptedNetwork again(made.graph, with(0, 0, 0));
  EXPECT_FALSE(compared(same, again, source_of({{0, 0, 0}})).largest_drop());
}

TEST(ModelComparison, SamplesMayBeMadeForEitherNetwork) {
  const Chain expected_chain = chain(DataType::kInt8);
  const Chain actual_chain = chain(DataType::kFloat32);
  const std::map<int32_t, std::vector<std::vector<float>>> script = {
      {expected_chain.a, {{0, 0, 0}}},
      {expected_chain.b, {{0, 0, 0}}},
      {expected_chain.y, {{0, 0, 0}}}};
  ScriptedNetwork expected(expected_chain.graph, script);
  ScriptedNetwork actual(actual_chain.graph, script);
  compared(expected, actual, source_of({{0.6f, -1, 100}}), {.samples_for = SamplesFor::kActual});
  EXPECT_EQ(actual.last_inputs()[0], bytes_of({0.6f, -1, 100})) << "as they were read";
  EXPECT_THAT(expected.last_inputs()[0], ElementsAre(std::byte{12}, std::byte{6}, std::byte{127}));

  ScriptedNetwork quantized(expected_chain.graph, script);
  ScriptedNetwork dequantized(actual_chain.graph, script);
  const SampleSource source = {.count = 1,
                               .read = [](size_t) -> Result<Sample> {
                                 return Sample{{std::byte{12}, std::byte{6}, std::byte{127}}};
                               },
                               .name = [](size_t) { return std::string("x"); }};
  compared(quantized, dequantized, source);
  EXPECT_EQ(dequantized.last_inputs()[0], bytes_of({0.5f, -1, 29.25f}));
}

TEST(ModelComparison, NothingToCompareOnIsAnError) {
  const Chain made = chain(DataType::kFloat32);
  ScriptedNetwork expected(made.graph, {});
  ScriptedNetwork actual(made.graph, {});
  const auto refused = compare_models(expected, actual, source_of({}), {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("no samples"));
}

// A float network and its int8 version by the official converter.
class RealModels : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* library = std::getenv("LOCKSTEP_TFLITE_LIBRARY");
    if (library == nullptr) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY names no TFLite";
    auto loaded = host_ref::TfliteLibrary::load(library);
    ASSERT_TRUE(loaded) << loaded.error().message;
    library_ = std::move(*loaded);
  }

  std::unique_ptr<ComparedNetwork> open(const std::string& model) const {
    const auto path = std::filesystem::path(LOCKSTEP_MODELS_DIR) / (model + ".tflite");
    if (!std::filesystem::exists(path)) return nullptr;
    const auto bytes = graph::read_file_bytes(path);
    EXPECT_TRUE(bytes) << bytes.error().message;
    auto network = open_in_tflite(*bytes, model, library_, 1, Observed::kAllTensors);
    EXPECT_TRUE(network) << network.error().message;
    return network ? std::move(*network) : nullptr;
  }

  std::shared_ptr<const host_ref::TfliteLibrary> library_;
};

TEST_F(RealModels, AreMatchedTensorByTensor) {
  const auto expected = open("resnet8_cifar10_float32");
  const auto actual = open("resnet8_cifar10_int8");
  if (!expected || !actual) GTEST_SKIP() << "the models are absent";
  std::mt19937 dice(1);
  std::vector<std::vector<float>> inputs(3, std::vector<float>(32 * 32 * 3));
  for (auto& input : inputs) {
    for (size_t i = 0; i < input.size(); ++i) {
      input[i] = static_cast<float>((i / 50 * 37 + dice() % 40) % 256);
    }
  }
  const ModelComparison comparison = compared(*expected, *actual, source_of(inputs));
  EXPECT_EQ(comparison.layers.size(), expected->graph().operators.size());
  EXPECT_TRUE(comparison.matching.only_expected.empty());
  EXPECT_TRUE(comparison.matching.only_actual.empty());
  for (const LayerComparison& layer : comparison.layers) {
    EXPECT_GT(layer.tensor.error.sqnr(), 10) << layer.operator_name;
    EXPECT_GT(layer.tensor.error.cosine(), 0.95) << layer.operator_name;
  }
  EXPECT_EQ(comparison.layers.back().tensor.match.kind, MatchKind::kOrder) << "Identity_int8";
}

}  // namespace
}  // namespace lockstep::quantization
