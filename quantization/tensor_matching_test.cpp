#include "quantization/tensor_matching.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "graph/graph_builder.h"

namespace lockstep::quantization {
namespace {

using graph::DataType;
using graph::GraphBuilder;
using graph::kAbsentTensor;
using ::testing::HasSubstr;

const graph::Quantization kScale = graph::per_tensor(0.5f);

// A network of dense layers, all of one shape, whose tensors are called as given.
struct Layers {
  std::vector<std::string> names;  // of the input and what each layer makes
  bool is_quantized = false;
  bool has_float_ends = false;  // QUANTIZE in front, DEQUANTIZE behind
};

graph::Graph network_of(const Layers& layers) {
  GraphBuilder builder("network");
  const DataType type = layers.is_quantized ? DataType::kInt8 : DataType::kFloat32;
  const graph::Quantization quantization = layers.is_quantized ? kScale : graph::Quantization{};
  int32_t tensor =
      builder.input(layers.names[0], layers.has_float_ends ? DataType::kFloat32 : type, {1, 2},
                    layers.has_float_ends ? graph::Quantization{} : quantization);
  if (layers.has_float_ends) tensor = builder.quantize(tensor, DataType::kInt8, kScale);
  const graph::Quantization weight_scale = quantization;
  const int32_t weights =
      layers.is_quantized ? builder.constant<int8_t>("weights", {2, 2}, {1, 2, 3, 4}, weight_scale)
                          : builder.constant<float>("weights", {2, 2}, {1, 2, 3, 4});
  std::vector<int32_t> made;
  for (size_t i = 1; i < layers.names.size(); ++i) {
    tensor = builder.fully_connected(tensor, weights, kAbsentTensor, quantization);
    made.push_back(tensor);
  }
  if (layers.has_float_ends) tensor = builder.dequantize(tensor);
  graph::Graph graph = builder.build_unchecked({tensor});
  for (size_t i = 0; i < made.size(); ++i) {
    graph.tensors[static_cast<size_t>(made[i])].name = layers.names[i + 1];
  }
  return graph;
}

TensorMatching matched(const graph::Graph& expected, const graph::Graph& actual) {
  const auto matching = match_tensors(expected, actual);
  EXPECT_TRUE(matching) << matching.error().message;
  return matching ? *matching : TensorMatching{};
}

// "a=b by name, ..."
std::string text_of(const graph::Graph& expected, const graph::Graph& actual,
                    const std::vector<TensorMatch>& matches) {
  std::string text;
  for (const TensorMatch& match : matches) {
    if (!text.empty()) text += ", ";
    text += expected.tensors[static_cast<size_t>(match.expected)].name + "=" +
            actual.tensors[static_cast<size_t>(match.actual)].name + " by " +
            std::string(match_kind_name(match.kind));
  }
  return text;
}

TEST(TensorMatching, EqualizedChannelsAreToldApart) {
  const auto plain = network_of({.names = {"x", "a", "b", "y"}});
  const auto equalized =
      network_of({.names = {"x", "a_equalized", "b", "y"}, .is_quantized = true});
  EXPECT_EQ(text_of(plain, equalized, matched(plain, equalized).layers),
            "a=a_equalized by equalized, b=b by name, y=y by name");
  EXPECT_EQ(text_of(equalized, plain, matched(equalized, plain).layers),
            "a_equalized=a by equalized, b=b by name, y=y by name");
  EXPECT_EQ(text_of(equalized, equalized, matched(equalized, equalized).layers),
            "a_equalized=a_equalized by name, b=b by name, y=y by name");
}

TEST(TensorMatching, EqualizedChannelsAreNoCounterpartOfOthers) {
  const auto plain = network_of({.names = {"x", "a", "b", "y"}});
  const auto other = network_of({.names = {"x", "c_equalized", "b", "y"}, .is_quantized = true});
  EXPECT_EQ(text_of(plain, other, matched(plain, other).layers), "b=b by name, y=y by name");
}

TEST(TensorMatching, NamesComeFirst) {
  const auto expected = network_of({.names = {"x", "a", "b", "y"}});
  const auto actual = network_of({.names = {"x", "b", "a", "y"}, .is_quantized = true});
  const TensorMatching matching = matched(expected, actual);
  EXPECT_EQ(text_of(expected, actual, matching.inputs), "x=x by name");
  EXPECT_EQ(text_of(expected, actual, matching.outputs), "y=y by name");
  EXPECT_EQ(text_of(expected, actual, matching.layers), "a=a by name, b=b by name, y=y by name");
}

TEST(TensorMatching, WithOtherNamesTheStructureTells) {
  const auto expected = network_of({.names = {"x", "a", "b", "y"}});
  const auto actual =
      network_of({.names = {"x_int8", "a", "b_int8", "y_int8"}, .is_quantized = true});
  const TensorMatching matching = matched(expected, actual);
  EXPECT_EQ(text_of(expected, actual, matching.inputs), "x=x_int8 by order");
  EXPECT_EQ(text_of(expected, actual, matching.layers),
            "a=a by name, b=b_int8 by structure, y=y_int8 by order");
  EXPECT_TRUE(matching.only_expected.empty());
  EXPECT_TRUE(matching.only_actual.empty());
}

TEST(TensorMatching, ConversionsAreLookedThrough) {
  const auto expected = network_of({.names = {"x", "a", "y"}});
  const auto actual = network_of(
      {.names = {"x", "a_int8", "y_int8"}, .is_quantized = true, .has_float_ends = true});
  const TensorMatching matching = matched(expected, actual);
  ASSERT_EQ(matching.layers.size(), 2u);
  EXPECT_THAT(text_of(expected, actual, matching.layers), HasSubstr("a=a_int8 by structure"));
  EXPECT_TRUE(matching.only_expected.empty());
  EXPECT_TRUE(matching.only_actual.empty()) << "y_int8 holds what the output holds";
}

TEST(TensorMatching, WhatOnlyOneNetworkMakesIsListed) {
  const auto expected = network_of({.names = {"x", "a", "y"}});
  const auto actual = network_of({.names = {"x", "a", "extra", "y"}, .is_quantized = true});
  const TensorMatching matching = matched(expected, actual);
  EXPECT_EQ(matching.layers.size(), 2u);
  ASSERT_EQ(matching.only_actual.size(), 1u);
  EXPECT_EQ(actual.tensors[static_cast<size_t>(matching.only_actual[0])].name, "extra");
}

TEST(TensorMatching, NamesThatAreThereTwiceTellNothing) {
  const auto expected = network_of({.names = {"x", "a", "a", "y"}});
  const auto actual = network_of({.names = {"x", "a", "a", "y"}, .is_quantized = true});
  const TensorMatching matching = matched(expected, actual);
  EXPECT_EQ(text_of(expected, actual, matching.layers),
            "a=a by structure, a=a by structure, y=y by name");
  EXPECT_LT(matching.layers[0].actual, matching.layers[1].actual);
}

TEST(TensorMatching, EndsThatDoNotCorrespondAreRefused) {
  const auto expected = network_of({.names = {"x", "y"}});
  auto more = expected;
  more.outputs.push_back(more.outputs[0]);
  auto refused = match_tensors(expected, more);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("has 1 outputs"));
  auto other = expected;
  other.tensors[static_cast<size_t>(other.inputs[0])].shape = {1, 3};
  refused = match_tensors(expected, other);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("1x2"));
  EXPECT_THAT(refused.error().message, HasSubstr("1x3"));
}

TEST(TensorMatching, WhatIsMadeOfConstantsIsNoActivation) {
  GraphBuilder builder("float16 weights");
  const int32_t input = builder.input("x", DataType::kFloat32, {1, 2});
  const int32_t stored = builder.constant<int8_t>("stored", {2, 2}, {1, 2, 3, 4}, kScale);
  const int32_t weights = builder.dequantize(stored);
  const auto graph =
      builder.build_unchecked({builder.fully_connected(input, weights, kAbsentTensor, {})});
  EXPECT_EQ(matched(graph, graph).layers.size(), 1u);
}

}  // namespace
}  // namespace lockstep::quantization
