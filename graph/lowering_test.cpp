// What the lowering makes of scales, zero points and shapes, against values worked out by hand.
// That those are the engine's is what host_ref/tflite_oracle_test.cpp shows.
#include "graph/lowering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "graph/testing/graph_builder.h"

namespace lockstep::graph {
namespace {

using numerics::ChannelScale;
using numerics::Contract;
using numerics::Rounding;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::per_axis;
using testing::per_tensor;

// The only operator of a graph, lowered; its operation must be of type Lowered.
template <typename Lowered>
Lowered lower_only(const Graph& graph, Contract contract) {
  const auto lowered = lower_operator(graph, 0, contract);
  if (!lowered) {
    ADD_FAILURE() << lowered.error().message;
    return {};
  }
  EXPECT_TRUE(std::holds_alternative<Lowered>(lowered->operation));
  return std::get<Lowered>(lowered->operation);
}

std::string refusal(const Graph& graph, Contract contract) {
  const auto lowered = lower_operator(graph, 0, contract);
  if (lowered) {
    return "not refused";
  }
  EXPECT_EQ(lowered.error().code, ErrorCode::kUnsupported);
  return lowered.error().message;
}

Graph convolution(DataType type, float input_scale, float weights_scale, float output_scale,
                  Conv2dAttributes attributes = {}) {
  GraphBuilder builder;
  const int32_t zero_point = type == DataType::kUint8 ? 128 : 0;
  const int32_t x = builder.input("x", type, {1, 8, 8, 1}, per_tensor(input_scale, zero_point - 3));
  const int32_t w =
      builder.constant_bytes("w", type, {1, 1, 2, 1}, std::vector<std::byte>(2, std::byte{10}),
                             per_tensor(weights_scale, zero_point));
  const int32_t b = builder.constant<int32_t>("b", {1}, {100}, per_tensor(1.0f));
  return builder.build(
      {builder.conv_2d(x, w, b, per_tensor(output_scale, zero_point), attributes)});
}

// --- Convolutions ------------------------------------------------------------------------------

TEST(LowerConvolution, MovesUint8IntoTheSignedDomain) {
  const auto lowered = lower_only<LoweredConvolution>(
      convolution(DataType::kUint8, 0.5f, 0.25f, 1.0f), Contract::kTflite);
  EXPECT_EQ(lowered.input_zero_point, -3);
  EXPECT_THAT(lowered.weights, Each(10 - 128));
  EXPECT_THAT(lowered.weights_zero_points, ElementsAre(0));
  EXPECT_EQ(lowered.output_stage.zero_point, 0);
  EXPECT_EQ(lowered.output_stage.activation_min, -128);
  EXPECT_EQ(lowered.output_stage.activation_max, 127);
}

TEST(LowerConvolution, FoldsTheInputZeroPointIntoTheBias) {
  const auto lowered = lower_only<LoweredConvolution>(
      convolution(DataType::kInt8, 0.5f, 0.25f, 1.0f), Contract::kTflite);
  EXPECT_THAT(lowered.bias, ElementsAre(100));
  EXPECT_THAT(lowered.folded_bias, ElementsAre(100 - (-3) * (10 + 10)));
}

TEST(LowerConvolution, FoldsModulo32Bits) {
  GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kInt8, {1, 1, 1, 1}, per_tensor(1.0f, -128));
  const int32_t w = builder.constant<int8_t>("w", {1, 1, 1, 1}, {127}, per_tensor(1.0f));
  const int32_t b =
      builder.constant<int32_t>("b", {1}, {std::numeric_limits<int32_t>::max()}, per_tensor(1.0f));
  const auto lowered = lower_only<LoweredConvolution>(
      builder.build({builder.conv_2d(x, w, b, per_tensor(1.0f))}), Contract::kTflite);
  // 2^31 - 1 + 128 * 127 - 2^32
  EXPECT_THAT(lowered.folded_bias,
              ElementsAre(std::numeric_limits<int32_t>::min() + 128 * 127 - 1));
}

TEST(LowerConvolution, RoundsAsTheContractSays) {
  const Graph graph = convolution(DataType::kInt8, 0.5f, 0.25f, 1.0f);
  const auto stage = [&](Contract contract) {
    return lower_only<LoweredConvolution>(graph, contract).output_stage;
  };
  EXPECT_EQ(stage(Contract::kTflite).rounding, Rounding::kDoubleTiesUp);
  EXPECT_EQ(stage(Contract::kReference).rounding, Rounding::kDoubleTiesAway);
  EXPECT_EQ(stage(Contract::kSingle).rounding, Rounding::kSingle);
  EXPECT_EQ(stage(Contract::kLitert).rounding, Rounding::kFloat32TiesEven);
  // 0.125 = 2^30 * 2^(-2 - 31) = 2^23 * 2^-26
  EXPECT_THAT(stage(Contract::kTflite).scales, ElementsAre(ChannelScale{1 << 30, -2}));
  EXPECT_THAT(stage(Contract::kLitert).scales, ElementsAre(ChannelScale{1 << 23, -26}));
}

// 1.1f * 1.3f needs more than 24 bits.
TEST(LowerConvolution, MultipliesScalesInDoubleForInt8AndInFloat32ForUint8) {
  const auto scales = [](DataType type) {
    return lower_only<LoweredConvolution>(convolution(type, 1.1f, 1.3f, 4.0f), Contract::kTflite)
        .output_stage.scales;
  };
  const double exact = double{1.1f} * double{1.3f} / 4.0;
  const double rounded = double{1.1f * 1.3f} / 4.0;
  ASSERT_NE(exact, rounded);
  EXPECT_THAT(scales(DataType::kInt8),
              ElementsAre(numerics::channel_scale(exact, Rounding::kDoubleTiesUp)));
  EXPECT_THAT(scales(DataType::kUint8),
              ElementsAre(numerics::channel_scale(rounded, Rounding::kDoubleTiesUp)));
  EXPECT_NE(scales(DataType::kInt8), scales(DataType::kUint8));
}

TEST(LowerConvolution, LeavesScalesThatXnnpackRefusesToTheBuiltinKernel) {
  const Graph graph = convolution(DataType::kInt8, 16.0f, 16.0f, 1.0f);
  const auto stage = lower_only<LoweredConvolution>(graph, Contract::kLitert).output_stage;
  EXPECT_EQ(stage.rounding, Rounding::kDoubleTiesUp);
  EXPECT_THAT(stage.scales, ElementsAre(ChannelScale{1 << 30, 9}));
}

TEST(LowerConvolution, PutsTheSmallerHalfOfThePaddingBefore) {
  const auto window = [](Conv2dAttributes attributes) {
    return lower_only<LoweredConvolution>(
               convolution(DataType::kInt8, 0.5f, 0.25f, 1.0f, attributes), Contract::kTflite)
        .window;
  };
  // A kernel of 1 row and 2 columns over 8 columns: one column is missing, and it lies behind.
  EXPECT_EQ(window({.padding = Padding::kSame}).padding_left, 0);
  // Dilated by 3 it covers 4 columns: three are missing.
  const Window2d dilated = window({.padding = Padding::kSame, .dilation_width = 3});
  EXPECT_EQ(dilated.padding_left, 1);
  EXPECT_EQ(dilated.padding_top, 0);
  EXPECT_EQ(window({.padding = Padding::kValid, .dilation_width = 3}).padding_left, 0);
}

// 6 / 4 = 1.5 and, in float32, 6 / 2.4 = 2.5: away from zero gives 2 and 3; to even, after the zero
// point 128 joined, 130 both times.
TEST(LowerConvolution, RoundsActivationBoundsAsTheEngineDoes) {
  const auto bounds = [](float scale, Contract contract) {
    const auto stage =
        lower_only<LoweredConvolution>(
            convolution(DataType::kUint8, scale, 0.25f, scale, {.activation = Activation::kRelu6}),
            contract)
            .output_stage;
    return std::pair(stage.activation_min, stage.activation_max);
  };
  EXPECT_EQ(bounds(4.0f, Contract::kTflite), std::pair(0, 2));
  EXPECT_EQ(bounds(4.0f, Contract::kLitert), std::pair(0, 2));
  EXPECT_EQ(bounds(2.4f, Contract::kTflite), std::pair(0, 3));
  EXPECT_EQ(bounds(2.4f, Contract::kLitert), std::pair(0, 2));
}

TEST(LowerConvolution, GroupsShareInputChannelsAndRoundAwayFromZero) {
  GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kInt8, {1, 2, 2, 4}, per_tensor(0.5f));
  const int32_t w = builder.constant<int8_t>("w", {6, 1, 1, 2}, std::vector<int8_t>(12, 1),
                                             per_axis({1, 2, 3, 4, 5, 6}, 0));
  const Graph graph = builder.build({builder.conv_2d(x, w, kAbsentTensor, per_tensor(1.0f))});
  const auto lowered = lower_only<LoweredConvolution>(graph, Contract::kTflite);
  EXPECT_EQ(lowered.groups, 2);
  EXPECT_THAT(lowered.bias, ElementsAre(0, 0, 0, 0, 0, 0));
  EXPECT_EQ(lowered.output_stage.rounding, Rounding::kDoubleTiesAway);
  EXPECT_EQ(lowered.output_stage.scales[1], (ChannelScale{1 << 30, 1}));
}

TEST(LowerDepthwiseConvolution, SumsWeightsOfOneChannelAndRoundsAwayFromZero) {
  GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kInt8, {1, 2, 1, 2}, per_tensor(0.5f, 7));
  const int32_t w = builder.constant<int8_t>("w", {1, 2, 1, 4}, {1, 2, 3, 4, 10, 20, 30, 40},
                                             per_axis({1, 2, 3, 4}, 3));
  const Graph graph = builder.build({builder.depthwise_conv_2d(
      x, w, kAbsentTensor, per_tensor(1.0f), {.padding = Padding::kValid})});
  const auto lowered = lower_only<LoweredDepthwiseConvolution>(graph, Contract::kTflite);
  EXPECT_EQ(lowered.depth_multiplier, 2);
  EXPECT_THAT(lowered.folded_bias, ElementsAre(-7 * 11, -7 * 22, -7 * 33, -7 * 44));
  EXPECT_EQ(lowered.output_stage.rounding, Rounding::kDoubleTiesAway);
}

TEST(LowerDepthwiseConvolution, LeavesOneWithoutBiasToTheBuiltinKernel) {
  const auto rounding = [](bool has_bias) {
    GraphBuilder builder;
    const int32_t x = builder.input("x", DataType::kInt8, {1, 2, 1, 1}, per_tensor(0.5f));
    const int32_t w = builder.constant<int8_t>("w", {1, 2, 1, 1}, {1, 2}, per_tensor(1.0f));
    const int32_t b =
        has_bias ? builder.constant<int32_t>("b", {1}, {3}, per_tensor(0.5f)) : kAbsentTensor;
    return lower_only<LoweredDepthwiseConvolution>(
               builder.build({builder.depthwise_conv_2d(x, w, b, per_tensor(1.0f))}),
               Contract::kLitert)
        .output_stage.rounding;
  };
  EXPECT_EQ(rounding(true), Rounding::kFloat32TiesEven);
  EXPECT_EQ(rounding(false), Rounding::kDoubleTiesAway);
}

TEST(LowerFullyConnected, IsAPointwiseConvolutionOverRows) {
  GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kInt8, {2, 3, 4}, per_tensor(0.5f, 1));
  const int32_t w =
      builder.constant<int8_t>("w", {5, 4}, std::vector<int8_t>(20, 3), per_tensor(0.25f, 2));
  const Graph graph =
      builder.build({builder.fully_connected(x, w, kAbsentTensor, per_tensor(1.0f))});
  const auto lowered = lower_only<LoweredConvolution>(graph, Contract::kTflite);
  EXPECT_EQ(lowered.input_extent.batch, 6);
  EXPECT_EQ(lowered.input_extent.channels, 4);
  EXPECT_EQ(lowered.output_extent.batch, 6);
  EXPECT_EQ(lowered.output_extent.channels, 5);
  EXPECT_THAT(lowered.weights_zero_points, Each(2));
  EXPECT_THAT(lowered.folded_bias, Each(-1 * 4 * (3 - 2)));
  EXPECT_EQ(lowered.output_stage.rounding, Rounding::kDoubleTiesUp);
  EXPECT_THAT(refusal(graph, Contract::kLitert), HasSubstr("zero point"));
}

TEST(LowerConvolution, RefusesWithAReason) {
  GraphBuilder floats;
  const int32_t x = floats.input("x", DataType::kFloat32, {1, 2, 2, 1});
  const int32_t w = floats.constant<float>("w", {1, 1, 1, 1}, {1.0f});
  EXPECT_THAT(refusal(floats.build({floats.conv_2d(x, w, kAbsentTensor, {})}), Contract::kTflite),
              HasSubstr("float32; int8 or uint8 is needed"));
  EXPECT_THAT(
      refusal(convolution(DataType::kInt8, 1.0f, 1.0f, 1.0f, {.activation = Activation::kTanh}),
              Contract::kTflite),
      HasSubstr("activation"));
  EXPECT_THAT(refusal(convolution(DataType::kInt8, 65536.0f, 65536.0f, 1.0f), Contract::kTflite),
              HasSubstr("scale"));
}

TEST(LowerConvolution, RefusesWeightsThatAreNotConstant) {
  GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kInt8, {1, 2, 2, 1}, per_tensor(1.0f));
  const int32_t w = builder.input("w", DataType::kInt8, {1, 1, 1, 1}, per_tensor(1.0f));
  EXPECT_THAT(refusal(builder.build({builder.conv_2d(x, w, kAbsentTensor, per_tensor(1.0f))}),
                      Contract::kTflite),
              HasSubstr("'w' is not a constant"));
}

TEST(LowerConvolution, ShowsNamesFromFilesOnlyInPrintableForm) {
  GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kInt8, {1, 2, 2, 1}, per_tensor(1.0f));
  const int32_t w = builder.input("\x1b[2J" + std::string(1000, 'w'), DataType::kInt8, {1, 1, 1, 1},
                                  per_tensor(1.0f));
  const std::string message = refusal(
      builder.build({builder.conv_2d(x, w, kAbsentTensor, per_tensor(1.0f))}), Contract::kTflite);
  EXPECT_THAT(message, HasSubstr("'?[2Jwww"));
  EXPECT_LT(message.size(), 300u);
}

// --- ADD and MUL -------------------------------------------------------------------------------

Graph add(float left, float right, float output, Shape left_shape = {4}, Shape right_shape = {4}) {
  GraphBuilder builder;
  const int32_t a = builder.input("a", DataType::kInt8, std::move(left_shape), per_tensor(left, 3));
  const int32_t b =
      builder.input("b", DataType::kInt8, std::move(right_shape), per_tensor(right, -4));
  return builder.build({builder.add(a, b, per_tensor(output, 5))});
}

TEST(LowerAdd, RescalesOperandsToTwiceTheLargerScale) {
  const auto lowered = lower_only<LoweredAdd>(add(0.5f, 0.25f, 1.0f), Contract::kTflite);
  EXPECT_EQ(lowered.arithmetic, AddArithmetic::kRescaledOperands);
  EXPECT_EQ(lowered.left_shift, 20);
  EXPECT_EQ(lowered.left_scale, (ChannelScale{1 << 30, 0}));                          // 0.5 / 1
  EXPECT_EQ(lowered.right_scale, (ChannelScale{1 << 30, -1}));                        // 0.25 / 1
  EXPECT_THAT(lowered.output_stage.scales, ElementsAre(ChannelScale{1 << 30, -19}));  // 2^-20
  EXPECT_EQ(lowered.output_stage.rounding, Rounding::kDoubleTiesAway);
}

TEST(LowerAdd, SharesOneShiftUnderLitert) {
  const auto lowered = lower_only<LoweredAdd>(add(0.5f, 0.25f, 1.0f), Contract::kLitert);
  EXPECT_EQ(lowered.arithmetic, AddArithmetic::kSharedShift);
  EXPECT_EQ(lowered.shared_shift, 21);  // 0.5 = 2^-1
  EXPECT_EQ(lowered.left_scale.multiplier, 1 << 20);
  EXPECT_EQ(lowered.right_scale.multiplier, 1 << 19);
  EXPECT_EQ(lowered.shared_bias, (1 << 20) - 3 * (1 << 20) + 4 * (1 << 19));
}

TEST(LowerAdd, FallsBackWhereXnnpackRefusesAndRefusesWhereEnginesAbort) {
  EXPECT_EQ(lower_only<LoweredAdd>(add(256.0f, 1.0f, 1.0f), Contract::kLitert).arithmetic,
            AddArithmetic::kRescaledOperands);
  EXPECT_EQ(lower_only<LoweredAdd>(add(255.9f, 1.0f, 1.0f), Contract::kLitert).arithmetic,
            AddArithmetic::kSharedShift);
  EXPECT_EQ(lower_only<LoweredAdd>(add(1.0f, 0.0009f, 1.0f), Contract::kLitert).arithmetic,
            AddArithmetic::kRescaledOperands);
  EXPECT_THAT(refusal(add(524288.0f, 1.0f, 1.0f), Contract::kTflite), HasSubstr("abort"));
}

TEST(LowerAdd, BroadcastsByStridesOfZero) {
  const auto lowered =
      lower_only<LoweredAdd>(add(0.5f, 0.5f, 1.0f, {2, 3, 4, 5}, {3, 1, 5}), Contract::kTflite);
  EXPECT_THAT(lowered.extents.output, ElementsAre(2, 3, 4, 5));
  EXPECT_THAT(lowered.extents.left_strides, ElementsAre(60, 20, 5, 1));
  EXPECT_THAT(lowered.extents.right_strides, ElementsAre(0, 5, 0, 1));
}

TEST(LowerAdd, MergesNeighboursThatAreBroadcastAlikeButNeverTheChannels) {
  const auto merged = lower_only<LoweredAdd>(
      add(0.5f, 0.5f, 1.0f, {2, 3, 4, 5, 6}, {2, 3, 1, 1, 6}), Contract::kTflite);
  EXPECT_THAT(merged.extents.output, ElementsAre(6, 4, 5, 6));
  EXPECT_THAT(merged.extents.right_strides, ElementsAre(6, 0, 0, 1));
  EXPECT_THAT(refusal(add(0.5f, 0.5f, 1.0f, {2, 3, 4, 5, 6}, {2, 1, 4, 1, 6}), Contract::kTflite),
              HasSubstr("more than 4 dimensions"));
}

TEST(LowerMul, ScalesTheProduct) {
  GraphBuilder builder;
  const int32_t a = builder.input("a", DataType::kUint8, {4}, per_tensor(0.5f, 130));
  const Graph graph = builder.build({builder.mul(a, a, per_tensor(0.125f, 128))});
  const auto lowered = lower_only<LoweredMul>(graph, Contract::kTflite);
  EXPECT_EQ(lowered.left_zero_point, 2);
  EXPECT_THAT(lowered.output_stage.scales, ElementsAre(ChannelScale{1 << 30, 2}));
  EXPECT_EQ(lower_only<LoweredMul>(graph, Contract::kLitert).output_stage.rounding,
            Rounding::kFloat32TiesEven);
}

// --- Pools and means ---------------------------------------------------------------------------

TEST(LowerPool, AveragesUint8AwayFromItsOwnZero) {
  for (const auto& [type, offset] : {std::pair{DataType::kInt8, 0}, {DataType::kUint8, 128}}) {
    GraphBuilder builder;
    const int32_t x = builder.input("x", type, {1, 4, 4, 1}, per_tensor(1.0f, 5));
    const Graph graph = builder.build(
        {builder.pool_2d(x, {.filter_height = 2, .filter_width = 3}, per_tensor(1.0f, 5))});
    const auto lowered = lower_only<LoweredPool>(graph, Contract::kTflite);
    EXPECT_EQ(lowered.accumulator_offset, offset);
    EXPECT_EQ(lowered.window.padding_left, 1);
    EXPECT_EQ(lowered.window.padding_top, 0);
  }
}

LoweredMean mean(DataType type, Shape shape, const std::vector<int32_t>& axes, bool keep_dims,
                 Quantization input, Quantization output, Contract contract) {
  GraphBuilder builder;
  const int32_t x = builder.input("x", type, std::move(shape), std::move(input));
  return lower_only<LoweredMean>(
      builder.build({builder.mean(x, axes, keep_dims, std::move(output))}), contract);
}

// With equal quantization the builtin kernel truncates sum / 4 towards zero.
TEST(LowerMean, FindsTheThresholdsOfATruncatingDivision) {
  const auto lowered = mean(DataType::kInt8, {2, 4, 3}, {1}, false, per_tensor(0.5f, 3),
                            per_tensor(0.5f, 3), Contract::kTflite);
  EXPECT_EQ(lowered.outer, 2);
  EXPECT_EQ(lowered.reduced, 4);
  EXPECT_EQ(lowered.inner, 3);
  EXPECT_EQ(lowered.thresholds[0], -4 * 127 - 3);  // -127
  EXPECT_EQ(lowered.thresholds[126], -7);          // -1
  EXPECT_EQ(lowered.thresholds[127], -3);          // 0
  EXPECT_EQ(lowered.thresholds[128], 4);           // 1
  EXPECT_EQ(lowered.thresholds[254], 4 * 127);     // 127
}

// The same sums shifted by 4 * 128, where nothing is negative: floor.
TEST(LowerMean, TakesUint8SumsInTheSignedDomain) {
  const auto lowered = mean(DataType::kUint8, {2, 4, 3}, {1}, false, per_tensor(0.5f, 3),
                            per_tensor(0.5f, 3), Contract::kTflite);
  EXPECT_EQ(lowered.thresholds[0], 4 - 512);
  EXPECT_EQ(lowered.thresholds[254], 4 * 255 - 512);
}

// XNNPACK rounds (sum - 4 * zero_point) * 0.25 to even: 0.5 gives 0, 1.5 gives 2.
TEST(LowerMean, RoundsToEvenUnderLitert) {
  const auto lowered = mean(DataType::kInt8, {1, 2, 2, 3}, {1, 2}, true, per_tensor(0.5f, 0),
                            per_tensor(0.5f, 0), Contract::kLitert);
  EXPECT_EQ(lowered.outer, 1);
  EXPECT_EQ(lowered.reduced, 4);
  EXPECT_EQ(lowered.inner, 3);
  EXPECT_EQ(lowered.thresholds[128], 3);  // 1 from 0.75 on: 0.5 is a tie
  EXPECT_EQ(lowered.thresholds[129], 6);  // 2 from 1.5 on
  EXPECT_EQ(lowered.thresholds[127], -2);
}

TEST(LowerMean, MarksValuesThatNoSumReaches) {
  const auto lowered = mean(DataType::kInt8, {1, 2, 2, 1}, {1, 2}, true, per_tensor(0.25f, 0),
                            per_tensor(0.5f, 0), Contract::kTflite);
  EXPECT_EQ(lowered.thresholds[254], 4 * 127 + 1);
  EXPECT_EQ(lowered.thresholds[0], -4 * 128);
}

TEST(LowerMean, RefusesWhatIsNotOneBlockOrTooMuch) {
  GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kInt8, {2, 3, 4}, per_tensor(1.0f));
  EXPECT_THAT(
      refusal(builder.build({builder.mean(x, {0, 2}, false, per_tensor(1.0f))}), Contract::kTflite),
      HasSubstr("not neighbours"));
  GraphBuilder large;
  const int32_t y = large.input("y", DataType::kInt8, {4096, 1025}, per_tensor(1.0f));
  EXPECT_THAT(
      refusal(large.build({large.mean(y, {0, 1}, false, per_tensor(1.0f))}), Contract::kTflite),
      HasSubstr("fit in 32 bits"));
}

// 255 * 3e38 is beyond float32, though the two scales are equal.
TEST(LowerMean, RefusesScalesWhoseProductsAreNoFloats) {
  GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kUint8, {1, 2, 2, 1}, per_tensor(3e38f, 255));
  EXPECT_THAT(refusal(builder.build({builder.mean(x, {1, 2}, true, per_tensor(3e38f, 255))}),
                      Contract::kTflite),
              HasSubstr("beyond what integers express"));
}

// --- Movement of data --------------------------------------------------------------------------

TEST(LowerPad, MergesUnpaddedDimensionsIntoTheirOuterNeighbours) {
  GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kUint8, {2, 3, 4, 5, 6}, per_tensor(1.0f, 100));
  const Graph graph = builder.build({builder.pad(x, {0, 0, 1, 2, 0, 0, 0, 0, 3, 0})});
  const auto lowered = lower_only<LoweredPad>(graph, Contract::kTflite);
  EXPECT_THAT(lowered.input_extents, ElementsAre(2, 12, 5, 6));
  EXPECT_THAT(lowered.output_extents, ElementsAre(2, 24, 5, 9));
  EXPECT_THAT(lowered.before, ElementsAre(0, 4, 0, 3));
  EXPECT_EQ(lowered.value, 100 - 128);
}

TEST(LowerConcatenation, GivesATableToInputsOfAnotherQuantization) {
  GraphBuilder builder;
  const int32_t a = builder.input("a", DataType::kUint8, {2, 3, 4}, per_tensor(0.5f, 10));
  const int32_t b = builder.input("b", DataType::kUint8, {2, 1, 4}, per_tensor(1.0f, 20));
  const Graph graph = builder.build({builder.concatenation({a, b}, -2, per_tensor(0.5f, 10))});
  const auto lowered = lower_only<LoweredConcatenation>(graph, Contract::kTflite);
  EXPECT_EQ(lowered.outer, 2);
  EXPECT_THAT(lowered.axis_sizes, ElementsAre(12, 4));
  EXPECT_TRUE(lowered.tables[0].empty());
  ASSERT_EQ(lowered.tables[1].size(), 256u);
  EXPECT_EQ(lowered.tables[1][20], 10 - 128);          // real 0
  EXPECT_EQ(lowered.tables[1][23], 10 + 2 * 3 - 128);  // real 3
  EXPECT_EQ(lowered.tables[1][255], 127);              // real 235, beyond 122.5
  EXPECT_EQ(lowered.tables[1][0], -128);               // real -20, below -5
}

TEST(LowerConcatenation, RefusesScalesWhoseRatioIsNoFloat) {
  GraphBuilder builder;
  const int32_t a = builder.input("a", DataType::kUint8, {2}, per_tensor(1.0f, 10));
  for (const float output_scale : {1e-40f, 1e-37f}) {
    EXPECT_THAT(refusal(builder.build({builder.concatenation({a}, 0, per_tensor(output_scale, 0))}),
                        Contract::kTflite),
                HasSubstr("beyond what integers express"));
  }
}

TEST(LowerPixelBlocks, SwapsTheBlocksRowsWithTheImagesColumns) {
  const auto transposition = [](bool spreads, Shape shape) {
    GraphBuilder builder;
    const int32_t x = builder.input("x", DataType::kInt8, std::move(shape), per_tensor(1.0f));
    const int32_t y = spreads ? builder.depth_to_space(x, 2) : builder.space_to_depth(x, 2);
    return lower_only<LoweredTransposition>(builder.build({y}), Contract::kTflite);
  };
  const LoweredTransposition spread = transposition(true, {2, 3, 5, 12});
  EXPECT_EQ(spread.outer, 2 * 3);
  EXPECT_EQ(spread.rows, 5);
  EXPECT_EQ(spread.columns, 2);
  EXPECT_EQ(spread.inner, 2 * 3);
  const LoweredTransposition back = transposition(false, {2, 6, 10, 3});
  EXPECT_EQ(back.outer, spread.outer);
  EXPECT_EQ(back.rows, spread.columns);
  EXPECT_EQ(back.columns, spread.rows);
  EXPECT_EQ(back.inner, spread.inner);
}

// --- Resizing ----------------------------------------------------------------------------------

struct Resizing {
  DataType type = DataType::kInt8;
  int32_t from = 1;  // rows; the image has one column
  int32_t to = 1;
  ResizeAttributes attributes{};
};

Graph resized(const Resizing& resizing) {
  GraphBuilder builder;
  const int32_t x =
      builder.input("x", resizing.type, {1, resizing.from, 1, 3}, per_tensor(1.0f, 3));
  return builder.build({builder.resize(x, resizing.to, 1, resizing.attributes)});
}

LoweredResizeBilinear bilinear(const Resizing& resizing, Contract contract) {
  return lower_only<LoweredResizeBilinear>(resized(resizing), contract);
}

TEST(LowerResizeBilinear, WeighsInTenBitsForBuiltinKernels) {
  // 2 / 3 of 1024 is 682.67.
  const auto lowered = bilinear({.from = 2, .to = 3}, Contract::kTflite);
  EXPECT_EQ(lowered.arithmetic, InterpolationArithmetic::kFixedPointTiesAway);
  EXPECT_EQ(lowered.fraction_bits, 10);
  EXPECT_THAT(lowered.rows,
              ElementsAre(Interpolation{0, 0, 1024, 0}, Interpolation{0, 1, 1024 - 683, 683},
                          Interpolation{1, 1, 1024, 0}));
  EXPECT_THAT(lowered.columns, ElementsAre(Interpolation{0, 0, 1024, 0}));
  EXPECT_EQ(bilinear({.from = 2, .to = 3}, Contract::kSingle).arithmetic,
            InterpolationArithmetic::kFixedPointTiesUp);
}

TEST(LowerResizeBilinear, WeighsInElevenBitsForXnnpack) {
  const auto lowered = bilinear({.from = 2, .to = 3}, Contract::kLitert);
  EXPECT_EQ(lowered.arithmetic, InterpolationArithmetic::kFixedPointTiesUp);
  EXPECT_EQ(lowered.fraction_bits, 11);
  EXPECT_THAT(lowered.rows,
              ElementsAre(Interpolation{0, 1, 2048, 0}, Interpolation{0, 1, 2048 - 1365, 1365},
                          Interpolation{1, 1, 2048, 0}));
}

TEST(LowerResizeBilinear, PlacesPixelsAsTheOptionsSay) {
  const auto second_weights = [](ResizeAttributes attributes) {
    std::vector<int32_t> weights;
    for (const Interpolation& row :
         bilinear({.from = 2, .to = 4, .attributes = attributes}, Contract::kTflite).rows) {
      weights.push_back(row.first * 1024 + row.second_weight);
    }
    return weights;
  };
  EXPECT_THAT(second_weights({}), ElementsAre(0, 512, 1024, 1024));
  EXPECT_THAT(second_weights({.align_corners = true}), ElementsAre(0, 341, 682, 1023));
  EXPECT_THAT(second_weights({.half_pixel_centers = true}), ElementsAre(0, 256, 768, 1024));
}

TEST(LowerResizeBilinear, WeighsUint8InIntegersWhereFloatsAreExact) {
  const ResizeAttributes half_pixels{.half_pixel_centers = true};
  const auto exact = bilinear({DataType::kUint8, 2, 4, half_pixels}, Contract::kTflite);
  EXPECT_EQ(exact.arithmetic, InterpolationArithmetic::kFixedPointTiesUp);
  EXPECT_EQ(exact.fraction_bits, 7);
  EXPECT_THAT(exact.rows, ElementsAre(Interpolation{0, 0, 128, 0}, Interpolation{0, 1, 96, 32},
                                      Interpolation{0, 1, 32, 96}, Interpolation{1, 1, 128, 0}));
  const auto inexact = bilinear({DataType::kUint8, 2, 3, half_pixels}, Contract::kTflite);
  EXPECT_EQ(inexact.arithmetic, InterpolationArithmetic::kFloat32);
  const float before_the_first = 0.5f * (2.0f / 3.0f) - 0.5f;
  EXPECT_EQ(inexact.rows[0], (Interpolation{0, 0, std::bit_cast<int32_t>(1.0f - before_the_first),
                                            std::bit_cast<int32_t>(before_the_first)}));
  EXPECT_EQ(bilinear({DataType::kUint8, 2, 3, half_pixels}, Contract::kLitert).fraction_bits, 11);
}

TEST(LowerResizeBilinear, RefusesWhatEnginesDoNotCompute) {
  EXPECT_THAT(refusal(resized({.from = 2,
                               .to = 3,
                               .attributes = {.align_corners = true, .half_pixel_centers = true}}),
                      Contract::kTflite),
              HasSubstr("not both"));
  // 1024 * 15 / 10000 is rounded to 2: the last row would be 19998 / 1024 = 19.5.
  EXPECT_THAT(refusal(resized({.from = 15, .to = 10'000}), Contract::kTflite),
              HasSubstr("behind the image's end"));
  EXPECT_EQ(bilinear({.from = 15, .to = 10'000}, Contract::kLitert).rows.back().second, 14);
}

TEST(LowerResize, RefusesImagesThatAreTooLong) {
  for (const ResizeKind kind : {ResizeKind::kBilinear, ResizeKind::kNearestNeighbor}) {
    for (const auto& [from, to] : {std::pair{65'537, 2}, {2, 65'537}}) {
      EXPECT_THAT(refusal(resized({.from = from, .to = to, .attributes = {.kind = kind}}),
                          Contract::kTflite),
                  HasSubstr("65537 pixels long; at most 65536"));
    }
  }
}

TEST(LowerResizeNearestNeighbor, ChoosesRowsAsTheOptionsSay) {
  const auto rows = [](DataType type, int32_t from, int32_t to, bool align_corners,
                       bool half_pixel_centers) {
    return lower_only<LoweredResizeNearestNeighbor>(
               resized({type,
                        from,
                        to,
                        {ResizeKind::kNearestNeighbor, align_corners, half_pixel_centers}}),
               Contract::kTflite)
        .rows;
  };
  for (const DataType type : {DataType::kInt8, DataType::kUint8}) {
    EXPECT_THAT(rows(type, 4, 3, false, false), ElementsAre(0, 1, 2));
    EXPECT_THAT(rows(type, 4, 3, true, false), ElementsAre(0, 2, 3));  // 1.5 is rounded away
    EXPECT_THAT(rows(type, 4, 3, false, true), ElementsAre(0, 2, 3));
    EXPECT_THAT(rows(type, 2, 5, false, false), ElementsAre(0, 0, 0, 1, 1));
  }
}

// 41 * float32(2 / 82) is below 1, 41 * (2^17 / 82 + 1) is above 2^16.
TEST(LowerResizeNearestNeighbor, CountsUint8RowsInSixteenBits) {
  const auto row_41 = [](DataType type) {
    return lower_only<LoweredResizeNearestNeighbor>(
               resized({type, 2, 82, {ResizeKind::kNearestNeighbor}}), Contract::kLitert)
        .rows[41];
  };
  EXPECT_EQ(row_41(DataType::kInt8), 0);
  EXPECT_EQ(row_41(DataType::kUint8), 1);
  EXPECT_THAT(refusal(resized({DataType::kUint8, 32'768, 2, {ResizeKind::kNearestNeighbor}}),
                      Contract::kTflite),
              HasSubstr("less than 32768"));
  const auto lowered = lower_only<LoweredResizeNearestNeighbor>(
      resized({DataType::kUint8, 32'767, 2, {ResizeKind::kNearestNeighbor}}), Contract::kTflite);
  EXPECT_THAT(lowered.rows, ElementsAre(0, 16383));
}

// --- Tables ------------------------------------------------------------------------------------

LoweredTable table(UnaryKind kind, Quantization input, Quantization output,
                   Contract contract = Contract::kTflite, float alpha = 0.0f) {
  GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kInt8, {4}, std::move(input));
  return lower_only<LoweredTable>(builder.build({builder.unary(kind, x, std::move(output), alpha)}),
                                  contract);
}

int8_t entry(const LoweredTable& lowered, int32_t value) {
  return lowered.table[static_cast<size_t>(value + 128)];
}

TEST(LowerUnary, LogisticIsHalfAtZeroAndSaturates) {
  const auto lowered =
      table(UnaryKind::kLogistic, per_tensor(0.5f, 0), per_tensor(1.0f / 256.0f, -128));
  EXPECT_EQ(entry(lowered, 0), 0);
  EXPECT_EQ(entry(lowered, 2), 59);  // 256 * 0.7310586 = 187.15
  EXPECT_EQ(entry(lowered, 127), 127);
  EXPECT_EQ(entry(lowered, -128), -128);
}

TEST(LowerUnary, ReluRescalesAndClampsAtRealZero) {
  const auto lowered = table(UnaryKind::kRelu, per_tensor(0.5f, 10), per_tensor(1.0f, -20));
  EXPECT_EQ(entry(lowered, 10), -20);
  EXPECT_EQ(entry(lowered, -128), -20);
  EXPECT_EQ(entry(lowered, 13), -18);  // real 1.5: a tie, up
  const auto relu6 = table(UnaryKind::kRelu6, per_tensor(0.5f, 10), per_tensor(1.0f, -20));
  EXPECT_EQ(entry(relu6, 127), -14);
}

TEST(LowerUnary, LeakyReluHasASlopeOfItsOwnBelowZero) {
  const auto lowered = table(UnaryKind::kLeakyRelu, per_tensor(1.0f, 0), per_tensor(1.0f, 1),
                             Contract::kTflite, -0.25f);
  EXPECT_EQ(entry(lowered, 7), 8);
  EXPECT_EQ(entry(lowered, -100), 26);
}

TEST(LowerUnary, HardSwishIsZeroBelowMinusThreeAndTheIdentityAboveThree) {
  const auto lowered = table(UnaryKind::kHardSwish, per_tensor(0.0625f, 0), per_tensor(0.0625f, 0));
  EXPECT_EQ(entry(lowered, -48), 0);
  EXPECT_EQ(entry(lowered, -128), 0);
  EXPECT_EQ(entry(lowered, 0), 0);
  EXPECT_EQ(entry(lowered, 100), 100);
  EXPECT_EQ(entry(lowered, 16), 11);  // 1 * 4 / 6 = 10.67 sixteenths
}

// 1 / 1e-40 is beyond float32; so is 1e5 / 128 / 1e-40.
TEST(LowerUnary, RefusesScalesWhoseRatioIsNoFloat) {
  const auto refused = [](UnaryKind kind, float input_scale) {
    GraphBuilder builder;
    const int32_t x = builder.input("x", DataType::kInt8, {4}, per_tensor(input_scale));
    return refusal(builder.build({builder.unary(kind, x, per_tensor(1e-40f))}), Contract::kTflite);
  };
  EXPECT_THAT(refused(UnaryKind::kTanh, 1.0f), HasSubstr("scale"));
  EXPECT_THAT(refused(UnaryKind::kLogistic, 1.0f), HasSubstr("scale"));
  EXPECT_THAT(refused(UnaryKind::kHardSwish, 1e5f), HasSubstr("scale"));
}

TEST(LowerSoftmax, RefusesAnOutputScaleWithoutInverse) {
  GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kInt8, {4}, per_tensor(1.0f));
  EXPECT_THAT(refusal(builder.build({builder.softmax(x, per_tensor(1e-40f))}), Contract::kTflite),
              HasSubstr("scale"));
}

TEST(LowerQuantize, RequantizesBetweenTypesByATable) {
  GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kUint8, {4}, per_tensor(0.5f, 128));
  const Graph graph = builder.build({builder.quantize(x, DataType::kInt8, per_tensor(1.0f, 7))});
  const auto lowered = lower_only<LoweredTable>(graph, Contract::kTflite);
  EXPECT_EQ(entry(lowered, 0), 7);
  // Without a right shift only the high multiply rounds, and its ties go up.
  EXPECT_EQ(entry(lowered, 3), 9);   // 1.5
  EXPECT_EQ(entry(lowered, -3), 6);  // -1.5
}

TEST(LowerSoftmax, TabulatesTheExponentials) {
  GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kUint8, {2, 3, 5}, per_tensor(0.5f, 128));
  const Graph graph = builder.build({builder.softmax(x, per_tensor(1.0f / 256.0f, 0), 2.0f)});
  const auto lowered = lower_only<LoweredSoftmax>(graph, Contract::kTflite);
  EXPECT_EQ(lowered.rows, 6);
  EXPECT_EQ(lowered.depth, 5);
  EXPECT_TRUE(lowered.output_is_unsigned);
  EXPECT_EQ(lowered.exponentials[0], 1.0f);
  EXPECT_FLOAT_EQ(lowered.exponentials[1], 0.36787945f);
}

// --- Graphs ------------------------------------------------------------------------------------

TEST(Lower, KeepsTensorIndicesAndStoresConstantOperands) {
  GraphBuilder builder("net");
  const int32_t x = builder.input("x", DataType::kUint8, {2}, per_tensor(1.0f, 0));
  const int32_t c = builder.constant<uint8_t>("c", {2}, {0, 255}, per_tensor(1.0f, 0));
  const int32_t y = builder.add(x, c, per_tensor(1.0f, 0));
  const Graph graph = builder.build({y});
  const auto lowered = lower(graph, Contract::kSingle);
  ASSERT_TRUE(lowered.has_value()) << lowered.error().message;
  EXPECT_EQ(lowered->contract, Contract::kSingle);
  EXPECT_EQ(lowered->name, "net");
  EXPECT_EQ(lowered->tensors.size(), graph.tensors.size());
  EXPECT_THAT(lowered->tensors[static_cast<size_t>(c)].constant,
              ElementsAre(std::byte{0x80}, std::byte{0x7f}));
  EXPECT_TRUE(lowered->tensors[static_cast<size_t>(x)].constant.empty());
  EXPECT_THAT(operation_inputs(lowered->operators[0].operation), ElementsAre(x, c));
  EXPECT_EQ(operation_output(lowered->operators[0].operation), y);
}

TEST(Lower, NamesTheOperatorThatItCannotLower) {
  GraphBuilder builder("net");
  const int32_t x = builder.input("x", DataType::kInt8, {2}, per_tensor(1.0f));
  const int32_t y = builder.unary(UnaryKind::kRelu, x, per_tensor(1.0f));
  const int32_t z = builder.opaque("FANCY", {y}, DataType::kInt8, {2}, per_tensor(1.0f));
  const Graph graph = builder.build({z});
  const auto whole = lower(graph, Contract::kTflite);
  ASSERT_FALSE(whole.has_value());
  EXPECT_THAT(whole.error().message, HasSubstr("net: operator 1 (FANCY"));
  const std::array<size_t, 1> first{0};
  const std::array inputs{x};
  const std::array outputs{y};
  EXPECT_TRUE(lower(graph, first, inputs, outputs, Contract::kTflite).has_value());
  const std::array missing{int32_t{99}};
  EXPECT_FALSE(lower(graph, first, missing, outputs, Contract::kTflite).has_value());
  EXPECT_FALSE(lower_operator(graph, 2, Contract::kTflite).has_value());
}

TEST(StoredDomain, FlipsTheSignBitOfUint8Only) {
  const std::array source{std::byte{0}, std::byte{128}, std::byte{255}};
  std::array<std::byte, 3> stored{};
  to_stored(DataType::kUint8, source.data(), stored.data(), 3);
  EXPECT_THAT(stored, ElementsAre(std::byte{0x80}, std::byte{0}, std::byte{0x7f}));
  from_stored(DataType::kUint8, stored.data(), stored.data(), 3);
  EXPECT_EQ(stored, source);
  to_stored(DataType::kInt8, source.data(), stored.data(), 3);
  EXPECT_EQ(stored, source);
}

}  // namespace
}  // namespace lockstep::graph
