#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "graph/graph.h"
#include "graph/testing/graph_builder.h"
#include "graph/testing/sample_graphs.h"

namespace lockstep::graph {
namespace {

using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::per_tensor;

const Quantization kScale = per_tensor(0.5f);

// The shape of one operator over constants and inputs of the builder, or its error.
Result<Shape> infer(const GraphBuilder& builder, OperatorAttributes attributes,
                    std::vector<int32_t> inputs) {
  Operator op;
  op.attributes = std::move(attributes);
  op.inputs = std::move(inputs);
  return infer_output_shape(builder.build_unchecked({}), op);
}

void expect_error(const Result<Shape>& result, ErrorCode code, const std::string& part) {
  ASSERT_FALSE(result.has_value()) << shape_to_string(*result);
  EXPECT_EQ(result.error().code, code) << result.error().message;
  EXPECT_THAT(result.error().message, HasSubstr(part));
}

class ShapeInference : public ::testing::Test {
 protected:
  int32_t input(Shape shape) {
    return builder_.input("x", DataType::kInt8, std::move(shape), kScale);
  }
  // A tensor whose contents do not matter for the shape.
  int32_t operand(Shape shape) { return input(std::move(shape)); }
  int32_t numbers(const std::vector<int32_t>& values) {
    return builder_.constant<int32_t>("numbers", {static_cast<int32_t>(values.size())}, values);
  }

  GraphBuilder builder_;
};

// ---- Windows ----

struct WindowCase {
  Padding padding;
  int32_t input, window, stride, dilation;
  int32_t output;
};

class WindowPositions : public ::testing::TestWithParam<WindowCase> {};

TEST_P(WindowPositions, FollowThePaddingRule) {
  const WindowCase& c = GetParam();
  GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kInt8, {2, c.input, 1, 3}, kScale);
  const int32_t weights = builder.input("w", DataType::kInt8, {5, c.window, 1, 3}, kScale);
  const auto shape = infer(builder,
                           Conv2dAttributes{.padding = c.padding,
                                            .stride_height = c.stride,
                                            .stride_width = 1,
                                            .dilation_height = c.dilation,
                                            .dilation_width = 1,
                                            .activation = Activation::kNone},
                           {x, weights});
  ASSERT_TRUE(shape) << shape.error().message;
  EXPECT_EQ(*shape, (Shape{2, c.output, 1, 5}));
}

INSTANTIATE_TEST_SUITE_P(All, WindowPositions,
                         ::testing::Values(WindowCase{Padding::kSame, 7, 3, 1, 1, 7},
                                           WindowCase{Padding::kSame, 7, 3, 2, 1, 4},
                                           WindowCase{Padding::kSame, 8, 3, 2, 1, 4},
                                           WindowCase{Padding::kSame, 2, 9, 3, 4, 1},
                                           WindowCase{Padding::kValid, 7, 3, 1, 1, 5},
                                           WindowCase{Padding::kValid, 8, 3, 2, 1, 3},
                                           WindowCase{Padding::kValid, 7, 3, 1, 3, 1},
                                           WindowCase{Padding::kValid, 3, 3, 5, 1, 1}));

TEST_F(ShapeInference, RefusesAValidWindowLargerThanTheImage) {
  const auto shape = infer(builder_, Conv2dAttributes{.padding = Padding::kValid},
                           {input({1, 2, 9, 1}), operand({1, 3, 1, 1})});
  expect_error(shape, ErrorCode::kInvalidModel, "does not fit an extent of 2");
}

TEST_F(ShapeInference, RefusesStridesAndDilationsBelowOne) {
  for (const auto& attributes :
       {Conv2dAttributes{.stride_height = 0}, Conv2dAttributes{.stride_width = -1},
        Conv2dAttributes{.dilation_height = 0}, Conv2dAttributes{.dilation_width = -7}}) {
    expect_error(infer(builder_, attributes, {input({1, 4, 4, 1}), operand({1, 3, 3, 1})}),
                 ErrorCode::kInvalidModel, "must be positive");
  }
  expect_error(infer(builder_, Pool2dAttributes{.filter_width = 0}, {input({1, 4, 4, 1})}),
               ErrorCode::kInvalidModel, "must be positive");
}

TEST_F(ShapeInference, RefusesWindowsBeyond32BitPositions) {
  const int32_t huge = std::numeric_limits<int32_t>::max();
  expect_error(infer(builder_, Conv2dAttributes{.dilation_height = huge},
                     {input({1, 4, 4, 1}), operand({1, 3, 3, 1})}),
               ErrorCode::kUnsupported, "too large");
  expect_error(infer(builder_, Pool2dAttributes{.filter_height = huge}, {input({1, 4, 4, 1})}),
               ErrorCode::kUnsupported, "too large");
  // A window of one tap is not widened by its dilation, but positions are computed from it.
  expect_error(infer(builder_, Conv2dAttributes{.dilation_width = huge},
                     {input({1, 4, 4, 1}), operand({1, 1, 1, 1})}),
               ErrorCode::kUnsupported, "too large");
}

// ---- Convolutions ----

TEST_F(ShapeInference, Conv2dWantsWeightsThatDivideTheChannels) {
  expect_error(infer(builder_, Conv2dAttributes{}, {input({1, 4, 4, 6}), operand({3, 1, 1, 4})}),
               ErrorCode::kInvalidModel, "into groups");
  // Three groups of two channels cannot make four outputs.
  expect_error(infer(builder_, Conv2dAttributes{}, {input({1, 4, 4, 6}), operand({4, 1, 1, 2})}),
               ErrorCode::kInvalidModel, "into groups");
  EXPECT_TRUE(infer(builder_, Conv2dAttributes{}, {input({1, 4, 4, 6}), operand({9, 1, 1, 2})}));
}

TEST_F(ShapeInference, Conv2dWantsFourDimensionsAndOneBiasAChannel) {
  expect_error(infer(builder_, Conv2dAttributes{}, {input({4, 4, 6}), operand({4, 1, 1, 6})}),
               ErrorCode::kInvalidModel, "needs 4 dimensions");
  expect_error(infer(builder_, Conv2dAttributes{}, {input({1, 4, 4, 6}), operand({4, 6})}),
               ErrorCode::kInvalidModel, "needs 4 dimensions");
  expect_error(infer(builder_, Conv2dAttributes{},
                     {input({1, 4, 4, 6}), operand({4, 1, 1, 6}), operand({3})}),
               ErrorCode::kInvalidModel, "needs 4 values");
}

TEST_F(ShapeInference, OptionalInputsMayBeAbsentOthersNot) {
  const int32_t x = input({1, 4, 4, 6});
  EXPECT_TRUE(infer(builder_, Conv2dAttributes{}, {x, operand({4, 1, 1, 6}), kAbsentTensor}));
  expect_error(infer(builder_, Conv2dAttributes{}, {x, kAbsentTensor}), ErrorCode::kInvalidModel,
               "input 1 is tensor -1");
  expect_error(infer(builder_, Conv2dAttributes{}, {x}), ErrorCode::kInvalidModel, "has 1 inputs");
  expect_error(infer(builder_, BinaryAttributes{}, {x, 99}), ErrorCode::kInvalidModel,
               "input 1 is tensor 99");
}

TEST_F(ShapeInference, DepthwiseWantsMultiplierTimesChannels) {
  const int32_t x = input({1, 4, 4, 3});
  const auto shape =
      infer(builder_, DepthwiseConv2dAttributes{.depth_multiplier = 2}, {x, operand({1, 3, 3, 6})});
  ASSERT_TRUE(shape);
  EXPECT_EQ(*shape, (Shape{1, 4, 4, 6}));
  expect_error(
      infer(builder_, DepthwiseConv2dAttributes{.depth_multiplier = 2}, {x, operand({1, 3, 3, 5})}),
      ErrorCode::kInvalidModel, "depth multiplier 2");
  expect_error(
      infer(builder_, DepthwiseConv2dAttributes{.depth_multiplier = 2}, {x, operand({2, 3, 3, 6})}),
      ErrorCode::kInvalidModel, "depth multiplier 2");
}

TEST_F(ShapeInference, FullyConnectedReadsRows) {
  const int32_t x = input({2, 3, 4});
  EXPECT_EQ(infer(builder_, FullyConnectedAttributes{}, {x, operand({5, 4})}), (Shape{6, 5}));
  EXPECT_EQ(infer(builder_, FullyConnectedAttributes{}, {x, operand({5, 12})}), (Shape{2, 5}));
  EXPECT_EQ(infer(builder_, FullyConnectedAttributes{.keep_num_dims = true}, {x, operand({5, 4})}),
            (Shape{2, 3, 5}));
  expect_error(infer(builder_, FullyConnectedAttributes{}, {x, operand({5, 7})}),
               ErrorCode::kInvalidModel, "rows of 7");
  expect_error(
      infer(builder_, FullyConnectedAttributes{.keep_num_dims = true}, {x, operand({5, 12})}),
      ErrorCode::kInvalidModel, "rows of 12");
  expect_error(infer(builder_, FullyConnectedAttributes{.default_weights_format = false},
                     {x, operand({5, 4})}),
               ErrorCode::kUnsupported, "shuffled");
}

// ---- The others ----

TEST_F(ShapeInference, BinaryOperatorsBroadcast) {
  EXPECT_EQ(infer(builder_, BinaryAttributes{}, {input({2, 1, 4}), operand({3, 1})}),
            (Shape{2, 3, 4}));
  EXPECT_EQ(infer(builder_, BinaryAttributes{}, {input({}), operand({3})}), (Shape{3}));
  expect_error(infer(builder_, BinaryAttributes{}, {input({2, 3}), operand({2, 4})}),
               ErrorCode::kInvalidModel, "2x3 and 2x4 do not broadcast");
}

TEST_F(ShapeInference, MeanReducesAxes) {
  const int32_t x = input({2, 3, 4, 5});
  EXPECT_EQ(infer(builder_, MeanAttributes{true}, {x, numbers({1, -2, 1})}), (Shape{2, 1, 1, 5}));
  EXPECT_EQ(infer(builder_, MeanAttributes{false}, {x, numbers({0, 1, 2, 3})}), (Shape{}));
  EXPECT_EQ(infer(builder_, MeanAttributes{false}, {x, numbers({})}), (Shape{2, 3, 4, 5}));
  expect_error(infer(builder_, MeanAttributes{}, {x, numbers({4})}), ErrorCode::kInvalidModel,
               "axis 4 is outside");
  expect_error(infer(builder_, MeanAttributes{}, {x, numbers({-5})}), ErrorCode::kInvalidModel,
               "axis -5 is outside");
}

TEST_F(ShapeInference, OperandsThatDecideTheShapeMustBeConstantIntegers) {
  const int32_t x = input({2, 3});
  const int32_t run_time = builder_.input("axes", DataType::kInt32, {1});
  expect_error(infer(builder_, MeanAttributes{}, {x, run_time}), ErrorCode::kUnsupported,
               "known only at run time");
  expect_error(infer(builder_, MeanAttributes{}, {x, operand({1})}), ErrorCode::kUnsupported,
               "int32 or int64 is needed");
  expect_error(infer(builder_, MeanAttributes{}, {x, numbers(std::vector<int32_t>(1000, 0))}),
               ErrorCode::kUnsupported, "has 1000 values");
  const int32_t too_short = builder_.constant<int32_t>("axes", {2}, {1});
  expect_error(infer(builder_, MeanAttributes{}, {x, too_short}), ErrorCode::kInvalidModel,
               "has 1 values");
}

TEST_F(ShapeInference, PadAddsToEveryDimension) {
  const int32_t x = input({2, 3});
  const int32_t wide = builder_.constant<int64_t>("amounts", {2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(infer(builder_, PadAttributes{}, {x, wide}), (Shape{5, 10}));
  EXPECT_EQ(infer(builder_, PadAttributes{}, {x, numbers({0, 0, 0, 1}), operand({1})}),
            (Shape{2, 4}));
  expect_error(infer(builder_, PadAttributes{}, {x, numbers({0, 0, 0})}), ErrorCode::kInvalidModel,
               "need 2x2");
  expect_error(infer(builder_, PadAttributes{}, {x, numbers({0, -1, 0, 0})}),
               ErrorCode::kInvalidModel, "pads dimension 0 by 0 and -1");
  expect_error(infer(builder_, PadAttributes{}, {x, numbers({0, 0, 0, 0}), operand({2})}),
               ErrorCode::kInvalidModel, "one element");
  const int32_t overflowing =
      builder_.constant<int64_t>("amounts", {2, 2}, {0, 0, std::numeric_limits<int64_t>::max(), 1});
  expect_error(infer(builder_, PadAttributes{}, {x, overflowing}), ErrorCode::kInvalidModel,
               "pads dimension 1");
  const int32_t huge = std::numeric_limits<int32_t>::max();
  expect_error(infer(builder_, PadAttributes{}, {x, numbers({0, 0, huge, huge})}),
               ErrorCode::kUnsupported, "extent of 4294967297");
  expect_error(infer(builder_, PadAttributes{}, {x, numbers({huge - 2, 0, huge - 3, 0})}),
               ErrorCode::kUnsupported, "too large");
}

TEST_F(ShapeInference, ConcatenationJoinsOneAxis) {
  const int32_t a = input({2, 3});
  const int32_t b = input({2, 4});
  EXPECT_EQ(infer(builder_, ConcatenationAttributes{1}, {a, b, a}), (Shape{2, 10}));
  EXPECT_EQ(infer(builder_, ConcatenationAttributes{-1}, {a, b}), (Shape{2, 7}));
  expect_error(infer(builder_, ConcatenationAttributes{0}, {a, b}), ErrorCode::kInvalidModel,
               "do not join on axis 0");
  expect_error(infer(builder_, ConcatenationAttributes{1}, {a, input({2, 3, 1})}),
               ErrorCode::kInvalidModel, "do not join");
  expect_error(infer(builder_, ConcatenationAttributes{2}, {a}), ErrorCode::kInvalidModel,
               "axis 2 is outside");
  expect_error(infer(builder_, ConcatenationAttributes{1}, {}), ErrorCode::kInvalidModel,
               "has 0 inputs");
  expect_error(infer(builder_, ConcatenationAttributes{1}, {a, kAbsentTensor}),
               ErrorCode::kInvalidModel, "input 1 is tensor -1");
}

ReshapeAttributes reshape_to(std::vector<int32_t> shape) {
  return {.kind = ReshapeKind::kReshape, .new_shape = std::move(shape), .squeezed_axes = {}};
}

ReshapeAttributes squeeze_of(std::vector<int32_t> axes) {
  return {.kind = ReshapeKind::kSqueeze, .new_shape = {}, .squeezed_axes = std::move(axes)};
}

TEST_F(ShapeInference, ReshapeKeepsTheElements) {
  const int32_t x = input({2, 6});
  EXPECT_EQ(infer(builder_, reshape_to({3, -1}), {x}), (Shape{3, 4}));
  EXPECT_EQ(infer(builder_, reshape_to({1, 12}), {x, numbers({4, 3})}), (Shape{4, 3}))
      << "the operand wins over the option";
  for (const std::vector<int32_t>& wrong : std::vector<std::vector<int32_t>>{
           {5, -1}, {-1, -1}, {3, 3}, {0, 12}, {-2, 6}, {1 << 30, 1 << 30, 1 << 30}}) {
    expect_error(infer(builder_, reshape_to(wrong), {x}), ErrorCode::kInvalidModel, "cannot take");
  }
}

TEST_F(ShapeInference, ReshapeToAScalar) {
  const int32_t x = input({1, 1});
  EXPECT_EQ(infer(builder_, reshape_to({}), {x, numbers({})}), (Shape{}));
  EXPECT_EQ(infer(builder_, reshape_to({0}), {x}), (Shape{})) << "as early converters wrote it";
}

TEST_F(ShapeInference, ReshapeWithoutAnyShapeTakesTheDeclaredOne) {
  const int32_t x = input({2, 6});
  Operator op;
  op.attributes = reshape_to({});
  op.inputs = {x};
  expect_error(infer_output_shape(builder_.build_unchecked({}), op), ErrorCode::kInvalidModel,
               "says nowhere");
  op.outputs = {input({3, 4})};
  EXPECT_EQ(infer_output_shape(builder_.build_unchecked({}), op), (Shape{3, 4}));
}

TEST_F(ShapeInference, SqueezeDropsExtentsOfOne) {
  const int32_t x = input({1, 3, 1, 2});
  EXPECT_EQ(infer(builder_, squeeze_of({}), {x}), (Shape{3, 2}));
  EXPECT_EQ(infer(builder_, squeeze_of({-2}), {x}), (Shape{1, 3, 2}));
  expect_error(infer(builder_, squeeze_of({1}), {x}), ErrorCode::kInvalidModel, "is not 1");
  expect_error(infer(builder_, squeeze_of({4}), {x}), ErrorCode::kInvalidModel, "outside");
}

TEST_F(ShapeInference, ExpandDimsInsertsAnExtentOfOne) {
  const ReshapeAttributes expand{
      .kind = ReshapeKind::kExpandDims, .new_shape = {}, .squeezed_axes = {}};
  const int32_t x = input({3, 2});
  EXPECT_EQ(infer(builder_, expand, {x, numbers({2})}), (Shape{3, 2, 1}));
  EXPECT_EQ(infer(builder_, expand, {x, numbers({-3})}), (Shape{1, 3, 2}));
  expect_error(infer(builder_, expand, {x, numbers({3})}), ErrorCode::kInvalidModel, "outside");
  expect_error(infer(builder_, expand, {x, numbers({0, 1})}), ErrorCode::kInvalidModel, "2 axes");
  expect_error(infer(builder_, expand, {x}), ErrorCode::kInvalidModel, "no axis");
}

TEST_F(ShapeInference, ResizesTakeTheirSizeFromAnOperand) {
  const int32_t x = input({2, 3, 4, 5});
  for (const ResizeKind kind : {ResizeKind::kBilinear, ResizeKind::kNearestNeighbor}) {
    const ResizeAttributes resize{.kind = kind};
    EXPECT_EQ(infer(builder_, resize, {x, numbers({7, 1})}), (Shape{2, 7, 1, 5}));
    for (const std::vector<int32_t>& wrong :
         std::vector<std::vector<int32_t>>{{0, 3}, {3, -1}, {3}, {3, 3, 3}}) {
      expect_error(infer(builder_, resize, {x, numbers(wrong)}), ErrorCode::kInvalidModel,
                   "two positive numbers");
    }
    expect_error(infer(builder_, resize, {input({2, 3}), numbers({7, 1})}),
                 ErrorCode::kInvalidModel, "needs 4 dimensions");
    expect_error(infer(builder_, resize, {x, numbers({1 << 30, 1 << 30})}), ErrorCode::kUnsupported,
                 "too large");
    const int32_t wide = builder_.constant<int64_t>("size", {2}, {int64_t{1} << 40, 1});
    expect_error(infer(builder_, resize, {x, wide}), ErrorCode::kUnsupported,
                 "extent of 1099511627776");
  }
}

TEST_F(ShapeInference, PixelBlocksMoveExtentsBetweenImageAndChannels) {
  const auto blocks = [](PixelBlockKind kind, int32_t size) {
    return PixelBlockAttributes{kind, size};
  };
  const int32_t x = input({2, 6, 9, 18});
  EXPECT_EQ(infer(builder_, blocks(PixelBlockKind::kDepthToSpace, 3), {x}), (Shape{2, 18, 27, 2}));
  EXPECT_EQ(infer(builder_, blocks(PixelBlockKind::kSpaceToDepth, 3), {x}), (Shape{2, 2, 3, 162}));
  expect_error(infer(builder_, blocks(PixelBlockKind::kDepthToSpace, 2), {x}),
               ErrorCode::kInvalidModel, "18 channels of 'x' do not fill 2x2 pixels");
  expect_error(infer(builder_, blocks(PixelBlockKind::kSpaceToDepth, 2), {x}),
               ErrorCode::kInvalidModel, "6x9 pixels of 'x' are not made of 2x2");
  for (const PixelBlockKind kind : {PixelBlockKind::kDepthToSpace, PixelBlockKind::kSpaceToDepth}) {
    for (const int32_t size : {0, -2}) {
      expect_error(infer(builder_, blocks(kind, size), {x}), ErrorCode::kInvalidModel,
                   "must be positive");
    }
    EXPECT_FALSE(infer(builder_, blocks(kind, std::numeric_limits<int32_t>::max()), {x}));
  }
}

TEST_F(ShapeInference, ElementwiseOperatorsKeepTheShape) {
  const int32_t x = input({3, 2});
  EXPECT_EQ(infer(builder_, UnaryAttributes{}, {x}), (Shape{3, 2}));
  EXPECT_EQ(infer(builder_, QuantizeAttributes{}, {x}), (Shape{3, 2}));
  EXPECT_EQ(infer(builder_, DequantizeAttributes{}, {x}), (Shape{3, 2}));
  EXPECT_EQ(infer(builder_, SoftmaxAttributes{}, {x}), (Shape{3, 2}));
}

TEST_F(ShapeInference, RefusesParametersThatAreNoNumbers) {
  const int32_t x = input({3, 2});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  expect_error(infer(builder_, SoftmaxAttributes{nan}, {x}), ErrorCode::kInvalidModel, "beta");
  expect_error(infer(builder_, UnaryAttributes{UnaryKind::kLeakyRelu, infinity}, {x}),
               ErrorCode::kInvalidModel, "alpha");
  expect_error(infer(builder_, SoftmaxAttributes{}, {input({})}), ErrorCode::kInvalidModel,
               "scalar");
}

TEST_F(ShapeInference, EmptyTensorsAreLeftToTheHost) {
  expect_error(infer(builder_, UnaryAttributes{}, {input({3, 0})}), ErrorCode::kUnsupported,
               "no elements");
}

TEST_F(ShapeInference, OpaqueOperatorsGiveTheirReason) {
  expect_error(infer(builder_, OpaqueAttributes{"custom operator 'x'"}, {}),
               ErrorCode::kUnsupported, "custom operator 'x'");
}

// ---- Resizing ----

TEST(ResizeInput, CarriesTheBatchThroughTheNetwork) {
  Graph graph = testing::sample_network();
  const Status status = resize_input(graph, graph.inputs[0], {7, 8, 8, 4});
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(graph.tensors[static_cast<size_t>(graph.outputs[0])].shape, (Shape{7, 5}));
  EXPECT_TRUE(validate(graph));
}

TEST(ResizeInput, CarriesFreeExtentsThrough) {
  Graph graph = testing::sample_network();
  Tensor& input = graph.tensors[static_cast<size_t>(graph.inputs[0])];
  input.shape_signature = {1, -1, -1, 4};
  ASSERT_TRUE(resize_input(graph, graph.inputs[0], {1, 20, 11, 4}));
  EXPECT_TRUE(validate(graph));
  EXPECT_EQ(graph.tensors[static_cast<size_t>(graph.operators[0].outputs[0])].shape,
            (Shape{1, 20, 11, 4}));
}

void expect_refused(Graph graph, int32_t tensor, const Shape& shape, const std::string& part) {
  const Graph before = graph;
  const Status status = resize_input(graph, tensor, shape);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(status.error().message, HasSubstr(part));
  for (size_t i = 0; i < graph.tensors.size(); ++i) {
    EXPECT_EQ(graph.tensors[i].shape, before.tensors[i].shape) << "tensor " << i << " changed";
  }
}

TEST(ResizeInput, RefusesFixedExtentsAndOtherTensors) {
  const Graph graph = testing::sample_network();
  const int32_t input = graph.inputs[0];
  expect_refused(graph, input, {1, 9, 8, 4}, "extent 1 is fixed");
  expect_refused(graph, input, {1, 8, 8}, "number of dimensions");
  expect_refused(graph, input, {0, 8, 8, 4}, "no elements");
  expect_refused(graph, input, {-1, 8, 8, 4}, "no elements");
  expect_refused(graph, graph.outputs[0], {2, 5}, "not a graph input");
  expect_refused(graph, -1, {2, 5}, "not a graph input");
}

TEST(ResizeInput, LeavesTheGraphAloneWhenALaterOperatorCannotFollow) {
  GraphBuilder builder("fixed");
  const int32_t x = builder.input("x", DataType::kInt8, {1, 4, 6}, kScale);
  const int32_t y = builder.unary(UnaryKind::kTanh, x, kScale);
  const int32_t z = builder.opaque("custom", {y}, DataType::kInt8, {1});
  expect_refused(builder.build({z}), x, {3, 4, 6}, "operator 1 (custom");

  GraphBuilder fixed("fixed");
  const int32_t a = fixed.input("a", DataType::kInt8, {1, 4, 6}, kScale);
  const int32_t b = fixed.unary(UnaryKind::kTanh, a, kScale);
  expect_refused(fixed.build({fixed.reshape(b, {1, 24})}), a, {3, 4, 6}, "operator 1 (RESHAPE");
}

TEST(ResizeInput, RefusesAnExtentThatScalesBelongTo) {
  GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kFloat32, {2, 3});
  const Graph graph =
      builder.build({builder.quantize(x, DataType::kInt8, testing::per_axis({0.5f, 0.25f}, 0))});
  expect_refused(graph, x, {4, 3}, "2 scales for the 4 indices of axis 0");
}

TEST(ResizeInput, ChangesInputsThatMustAgreeTogether) {
  GraphBuilder builder;
  const int32_t a = builder.input("a", DataType::kInt8, {1, 2}, kScale);
  const int32_t b = builder.input("b", DataType::kInt8, {1, 3}, kScale);
  Graph graph = builder.build({builder.concatenation({a, b}, 1, kScale)});
  expect_refused(graph, a, {4, 2}, "do not join");
  const ResizedInput both[] = {{a, {4, 2}}, {b, {4, 3}}};
  ASSERT_TRUE(resize_inputs(graph, both));
  EXPECT_EQ(graph.tensors[static_cast<size_t>(graph.outputs[0])].shape, (Shape{4, 5}));
}

TEST(Graph, DescribesOperators) {
  const Graph graph = testing::sample_network();
  EXPECT_EQ(describe_operator(graph, 0), "operator 0 (CONV_2D, output 'CONV_2D_0')");
}

TEST(Graph, CountsMultiplyAccumulates) {
  const Graph graph = testing::sample_network();
  const auto macs = [&](size_t i) { return multiply_accumulates(graph, graph.operators[i]); };
  EXPECT_EQ(macs(0), 8 * 8 * 4 * (3 * 3 * 4));
  EXPECT_EQ(macs(1), 8 * 8 * 4 * (3 * 3));
  EXPECT_EQ(macs(2), 0);
  EXPECT_EQ(macs(4), 5 * 4);
}

}  // namespace
}  // namespace lockstep::graph
