#include "conformance/case_shrinking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <variant>

#include "conformance/generator.h"
#include "conformance/runner.h"
#include "conformance/testing/simple_cases.h"
#include "graph/graph_builder.h"
#include "graph/testing/sample_graphs.h"

namespace lockstep::conformance {
namespace {

using graph::DataType;
using graph::GraphBuilder;
using graph::per_axis;
using graph::per_tensor;

Case with_counting_inputs(graph::Graph graph) {
  Case result;
  result.name = graph.name;
  result.family = "test";
  for (const int32_t input : graph.inputs) {
    const graph::Tensor& tensor = graph.tensors[static_cast<size_t>(input)];
    auto& bytes =
        result.inputs.emplace_back(static_cast<size_t>(graph::element_count(tensor.shape).value()) *
                                   graph::data_type_size(tensor.type));
    // Of float32 the bytes are small finite numbers.
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i % 64);
  }
  result.graph = std::move(graph);
  return result;
}

std::vector<Case> smaller_cases(const Case& source, ShrinkStage stage) {
  const auto shared = std::make_shared<const Case>(source);
  std::vector<Case> cases;
  for (const ShrinkStep& step : shrink_steps(shared, stage, {})) {
    if (auto made = step.make()) cases.push_back(std::move(*made));
  }
  return cases;
}

TEST(CaseShrinking, EveryCandidateIsValidAndSmaller) {
  int64_t candidates = 0;
  for (graph::Graph& graph : graph::testing::sample_graphs()) {
    const Case source = with_counting_inputs(std::move(graph));
    for (const ShrinkStage stage : kAllShrinkStages) {
      for (const Case& smaller : smaller_cases(source, stage)) {
        ++candidates;
        EXPECT_TRUE(graph::validate(smaller.graph)) << source.name;
        EXPECT_LT(measure_case(smaller), measure_case(source)) << source.name;
        ASSERT_EQ(smaller.inputs.size(), smaller.graph.inputs.size()) << source.name;
      }
    }
  }
  EXPECT_GT(candidates, 1000);
}

// All operators that the graph knows can be made smaller in every extent that is free: none is
// left out because its shapes were not understood.
TEST(CaseShrinking, EveryUnderstoodOperatorCanShrinkItsExtents) {
  for (graph::Graph& graph : graph::testing::sample_graphs()) {
    const Case source = with_counting_inputs(std::move(graph));
    const bool is_understood =
        std::ranges::none_of(source.graph.operators, [](const graph::Operator& op) {
          return std::holds_alternative<graph::OpaqueAttributes>(op.attributes);
        });
    if (!is_understood) continue;
    // Several dimensions that become several others stay as they are.
    const auto output = static_cast<size_t>(source.graph.outputs[0]);
    if (source.graph.tensors[output].shape == graph::Shape{1, 10, 12}) continue;
    EXPECT_FALSE(smaller_cases(source, ShrinkStage::kExtents).empty()) << source.name;
  }
}

class Shrinking : public ::testing::Test {
 protected:
  // Batch 2, 5x4 image, 4 channels; 6 outputs with a scale each; bias; stride 2, SAME, RELU6.
  Shrinking() {
    GraphBuilder builder("convolution");
    const int32_t input = builder.input("x", DataType::kInt8, {2, 5, 4, 4}, per_tensor(0.3f, 5));
    std::vector<int8_t> weights(6 * 3 * 3 * 4);
    for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<int8_t>(i % 200);
    const int32_t w = builder.constant<int8_t>("w", {6, 3, 3, 4}, weights,
                                               per_axis({0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f}, 0));
    const int32_t b =
        builder.constant<int32_t>("b", {6}, {10, 20, 30, 40, 50, 60}, per_tensor(0.03f));
    const int32_t output = builder.conv_2d(
        input, w, b, per_tensor(0.7f, -3),
        {.stride_height = 2, .stride_width = 2, .activation = graph::Activation::kRelu6});
    source_ = with_counting_inputs(builder.build({output}).value());
  }

  const graph::Tensor& tensor(const Case& made, size_t index) const {
    return made.graph.tensors[index];
  }

  Case source_;
};

TEST_F(Shrinking, CutsOutputChannelsWithTheirWeightsBiasAndScales) {
  const auto cases = smaller_cases(source_, ShrinkStage::kExtents);
  const auto found = std::ranges::find_if(cases, [&](const Case& made) {
    return tensor(made, 1).shape == graph::Shape{3, 3, 3, 4} &&
           graph::constant_values<int32_t>(tensor(made, 2)) == std::vector<int32_t>{40, 50, 60};
  });
  ASSERT_NE(found, cases.end()) << "the last three output channels";
  EXPECT_EQ(tensor(*found, 1).quantization.scales, (std::vector<float>{0.4f, 0.5f, 0.6f}));
  const auto whole = graph::constant_values<int8_t>(source_.graph.tensors[1]);
  EXPECT_EQ(graph::constant_values<int8_t>(tensor(*found, 1)),
            std::vector<int8_t>(whole.begin() + 3 * 36, whole.end()));
  EXPECT_EQ(tensor(*found, 3).shape, (graph::Shape{2, 3, 2, 3}));
}

TEST_F(Shrinking, CutsInputChannelsOfImageAndWeights) {
  const auto cases = smaller_cases(source_, ShrinkStage::kExtents);
  const auto found = std::ranges::find_if(cases, [&](const Case& made) {
    return tensor(made, 0).shape == graph::Shape{2, 5, 4, 1} && made.inputs[0][1] == std::byte{7};
  });
  ASSERT_NE(found, cases.end()) << "the last input channel: elements 3, 7, 11, ...";
  EXPECT_EQ(found->inputs[0][0], std::byte{3});
  EXPECT_EQ(tensor(*found, 1).shape, (graph::Shape{6, 3, 3, 1}));
}

TEST_F(Shrinking, ReachesEveryDimension) {
  std::set<graph::Shape> inputs;
  std::set<graph::Shape> weights;
  for (const Case& made : smaller_cases(source_, ShrinkStage::kExtents)) {
    inputs.insert(tensor(made, 0).shape);
    weights.insert(tensor(made, 1).shape);
  }
  for (const graph::Shape& shape : {graph::Shape{1, 5, 4, 4}, graph::Shape{2, 4, 4, 4},
                                    graph::Shape{2, 5, 3, 4}, graph::Shape{2, 5, 4, 3}}) {
    EXPECT_TRUE(inputs.contains(shape)) << graph::shape_to_string(shape);
  }
  for (const graph::Shape& shape :
       {graph::Shape{5, 3, 3, 4}, graph::Shape{6, 2, 3, 4}, graph::Shape{6, 3, 2, 4}}) {
    EXPECT_TRUE(weights.contains(shape)) << graph::shape_to_string(shape);
  }
}

TEST_F(Shrinking, SimplifiesEveryParameter) {
  bool has_stride_1 = false;
  bool has_valid = false;
  bool has_no_activation = false;
  bool has_zero_point_0 = false;
  bool has_plain_scales = false;
  bool has_one_scale = false;
  for (const Case& made : smaller_cases(source_, ShrinkStage::kParameters)) {
    const auto& attributes = std::get<graph::Conv2dAttributes>(made.graph.operators[0].attributes);
    has_stride_1 = has_stride_1 || (attributes.stride_height == 1 && attributes.stride_width == 1);
    has_valid = has_valid || attributes.padding == graph::Padding::kValid;
    has_no_activation = has_no_activation || attributes.activation == graph::Activation::kNone;
    const auto has_zero = [](const graph::Tensor& one) {
      return one.quantization.zero_points ==
             std::vector<int32_t>(one.quantization.zero_points.size(), 0);
    };
    has_zero_point_0 = has_zero_point_0 || std::ranges::all_of(made.graph.tensors, has_zero);
    const auto is_plain = [](const graph::Tensor& one) {
      return std::ranges::all_of(one.quantization.scales, is_power_of_two);
    };
    has_plain_scales = has_plain_scales || std::ranges::all_of(made.graph.tensors, is_plain);
    has_one_scale = has_one_scale || !tensor(made, 1).quantization.is_per_axis();
  }
  EXPECT_TRUE(has_stride_1);
  EXPECT_TRUE(has_valid);
  EXPECT_TRUE(has_no_activation);
  EXPECT_TRUE(has_zero_point_0);
  EXPECT_TRUE(has_plain_scales);
  EXPECT_TRUE(has_one_scale);
}

TEST_F(Shrinking, PutsBlocksAndSinglesOfValuesToTheZeroPoint) {
  const CaseMeasure before = measure_case(source_);
  std::set<int64_t> removed;
  for (const Case& made : smaller_cases(source_, ShrinkStage::kValues)) {
    removed.insert(before.values - measure_case(made).values);
  }
  EXPECT_TRUE(removed.contains(6)) << "the whole bias";
  EXPECT_TRUE(removed.contains(1)) << "a single value";
  EXPECT_TRUE(removed.contains(0)) << "a value nearer to the zero point";
}

TEST(CaseShrinkingOfGroups, CutsWholeGroupsOnly) {
  GraphBuilder builder("groups");
  const int32_t input = builder.input("x", DataType::kInt8, {1, 2, 2, 6}, per_tensor(0.5f));
  const std::vector<int8_t> values(9 * 2, 3);
  const int32_t weights = builder.constant<int8_t>("w", {9, 1, 1, 2}, values, per_tensor(0.25f));
  const int32_t output = builder.conv_2d(input, weights, graph::kAbsentTensor, per_tensor(1.0f));
  const Case source = with_counting_inputs(builder.build({output}).value());
  std::set<std::pair<int32_t, int32_t>> channels;
  for (const Case& made : smaller_cases(source, ShrinkStage::kExtents)) {
    const int32_t in = made.graph.tensors[0].shape[3];
    const int32_t out = made.graph.tensors[1].shape[0];
    EXPECT_EQ(made.graph.tensors[1].shape[3], 2);
    if (in != 6) channels.emplace(in, out);
  }
  EXPECT_EQ(channels, (std::set<std::pair<int32_t, int32_t>>{{2, 3}, {4, 6}}));
}

TEST(CaseShrinkingOfNetworks, CutPartsComputeWhatTheWholeDid) {
  const Case source = with_counting_inputs(graph::testing::sample_network());
  const auto contract = numerics::Contract::kTflite;
  const auto lowered = lower_case(source, contract);
  ASSERT_TRUE(lowered) << lowered.error().message;
  const auto whole = compute_reference(*lowered);
  ASSERT_TRUE(whole);
  int32_t with_last_output = 0;
  for (const Case& part : smaller_cases(source, ShrinkStage::kCut)) {
    EXPECT_LT(part.graph.operators.size(), source.graph.operators.size());
    const auto& name = part.graph.tensors[static_cast<size_t>(part.graph.outputs[0])].name;
    if (name != source.graph.tensors[static_cast<size_t>(source.graph.outputs[0])].name) continue;
    ++with_last_output;
    const auto part_lowered = lower_case(part, contract);
    ASSERT_TRUE(part_lowered) << part_lowered.error().message;
    const auto computed = compute_reference(*part_lowered);
    ASSERT_TRUE(computed);
    EXPECT_EQ(computed->outputs[0], whole->outputs[0]);
  }
  EXPECT_GE(with_last_output, 3);
}

TEST(CaseShrinkingOfNetworks, TriesTheFailingOperatorFirst) {
  const auto source =
      std::make_shared<const Case>(with_counting_inputs(graph::testing::sample_network()));
  for (const graph::Operator& op : source->graph.operators) {
    const std::string& name = source->graph.tensors[static_cast<size_t>(op.outputs[0])].name;
    const auto steps =
        shrink_steps(source, ShrinkStage::kCut, {.failing_tensor = name + " (accumulators)"});
    ASSERT_FALSE(steps.empty());
    const auto first = steps[0].make();
    ASSERT_TRUE(first) << first.error().message;
    ASSERT_EQ(first->graph.operators.size(), 1u);
    EXPECT_EQ(first->graph.tensors[static_cast<size_t>(first->graph.outputs[0])].name, name);
  }
}

TEST(CaseShrinkingOfConcatenation, DropsInputsAndTheirContents) {
  GraphBuilder builder("join");
  const auto quantization = per_tensor(0.5f, 1);
  const int32_t a = builder.input("a", DataType::kInt8, {1, 2}, quantization);
  const int32_t b = builder.input("b", DataType::kInt8, {1, 3}, quantization);
  const int32_t output = builder.concatenation({a, b}, 1, quantization);
  const Case source = with_counting_inputs(builder.build({output}).value());
  const auto cases = smaller_cases(source, ShrinkStage::kExtents);
  EXPECT_TRUE(std::ranges::any_of(cases, [](const Case& made) {
    return made.inputs.size() == 1 && made.inputs[0].size() == 3 &&
           made.graph.tensors.back().shape == graph::Shape{1, 3};
  }));
}

}  // namespace
}  // namespace lockstep::conformance
