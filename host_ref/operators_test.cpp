// The operators without weights, each against values worked out by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "host_ref/data_movement.h"
#include "host_ref/elementwise.h"
#include "host_ref/mean.h"
#include "host_ref/pool.h"
#include "host_ref/quantize.h"
#include "host_ref/resize.h"
#include "host_ref/softmax.h"
#include "host_ref/table.h"

namespace lockstep::host_ref {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

template <size_t kSize>
using Values = std::array<int8_t, kSize>;

// --- ADD and MUL -------------------------------------------------------------------------------

// Both operands in units of the output: scales 1/2 and 1/2 of the common one, and back.
graph::LoweredAdd rescaled_sum() {
  return {.extents = {},
          .left_zero_point = 3,
          .right_zero_point = -4,
          .left_shift = 20,
          .left_scale = {1 << 30, 0},
          .right_scale = {1 << 30, 0},
          .output_stage = {.rounding = numerics::Rounding::kDoubleTiesAway,
                           .scales = {{1 << 30, -18}},  // 2^-19
                           .zero_point = 5}};
}

TEST(Add, RescalesOperandsAndSum) {
  const auto operation = rescaled_sum();
  EXPECT_EQ(add_element(operation, 3, -4), 5);
  EXPECT_EQ(add_element(operation, 13, -2), 5 + 10 + 2);
  EXPECT_EQ(add_element(operation, 127, 127), 127);
  EXPECT_EQ(add_element(operation, -128, -128), -128);
}

TEST(Add, RoundsTiesAsTheStageSays) {
  auto operation = rescaled_sum();
  operation.output_stage.scales = {{1 << 30, -19}};     // half as large
  EXPECT_EQ(add_element(operation, 3 - 1, -4), 5 - 1);  // -0.5, away from zero
  EXPECT_EQ(add_element(operation, 3 + 1, -4), 5 + 1);
  operation.output_stage.rounding = numerics::Rounding::kDoubleTiesUp;
  EXPECT_EQ(add_element(operation, 3 - 1, -4), 5);
}

// (left - 3) / 2 + (right + 4) / 4, ties up.
TEST(Add, SharesOneShift) {
  const graph::LoweredAdd operation{
      .extents = {},
      .arithmetic = graph::AddArithmetic::kSharedShift,
      .left_scale = {1 << 20, 0},
      .right_scale = {1 << 19, 0},
      .shared_bias = (1 << 20) - 3 * (1 << 20) + 4 * (1 << 19),
      .shared_shift = 21,
      .output_stage = {.scales = {}, .zero_point = 5, .activation_max = 20}};
  EXPECT_EQ(add_element(operation, 3, -4), 5);
  EXPECT_EQ(add_element(operation, 13, 0), 5 + 5 + 1);
  EXPECT_EQ(add_element(operation, 2, -4), 5);      // -0.5
  EXPECT_EQ(add_element(operation, 4, -4), 5 + 1);  // 0.5
  EXPECT_EQ(add_element(operation, 127, 127), 20);
}

TEST(Add, BroadcastsByStrides) {
  auto operation = rescaled_sum();
  operation.left_zero_point = operation.right_zero_point = operation.output_stage.zero_point = 0;
  operation.extents = {
      .output = {1, 1, 2, 3}, .left_strides = {0, 0, 3, 1}, .right_strides = {0, 0, 1, 0}};
  const Values<6> left = {1, 2, 3, 4, 5, 6};
  const Values<2> right = {10, 20};
  Values<6> output{};
  add(operation, left, right, output);
  EXPECT_THAT(output, ElementsAre(11, 12, 13, 24, 25, 26));
}

TEST(Multiply, TakesZeroPointsOffBothFactors) {
  graph::LoweredMul operation{.extents = {.output = {1, 1, 1, 2},
                                          .left_strides = {0, 0, 0, 1},
                                          .right_strides = {0, 0, 0, 0}},
                              .left_zero_point = -2,
                              .right_zero_point = 1,
                              .output_stage = {.rounding = numerics::Rounding::kFloat32TiesEven,
                                               .scales = {{1 << 23, -24}},  // 0.5
                                               .zero_point = 10}};
  EXPECT_EQ(multiply_element(operation, 1, 8), 10 + 10);  // 3 * 7 / 2 = 10.5
  EXPECT_EQ(multiply_element(operation, 1, 6), 10 + 8);   // 3 * 5 / 2 = 7.5
  const Values<2> left = {-2, 2};
  const Values<1> right = {4};
  Values<2> output{};
  multiply(operation, left, right, output);
  EXPECT_THAT(output, ElementsAre(10, 16));
}

// --- Pools and means ---------------------------------------------------------------------------

TEST(Pool, AverageRoundsHalfAwayFromZero) {
  EXPECT_EQ(rounded_average(5, 2), 3);
  EXPECT_EQ(rounded_average(-5, 2), -3);
  EXPECT_EQ(rounded_average(-4, 3), -1);
  EXPECT_EQ(rounded_average(0, 9), 0);
}

graph::LoweredPool two_by_two(graph::PoolKind kind) {
  return {.kind = kind,
          .input_extent = {1, 2, 3, 1},
          .output_extent = {1, 2, 3, 1},
          .window = {.kernel_height = 2, .kernel_width = 2}};
}

constexpr Values<6> kImage = {-4, 7, 0, -1, -8, 100};

TEST(Pool, AveragesOnlyTapsInTheImage) {
  Values<6> output{};
  pool(two_by_two(graph::PoolKind::kAverage), kImage, output);
  EXPECT_THAT(output, ElementsAre(-2,  // (-4 + 7 - 1 - 8) / 4 = -1.5
                                  25,  // 99 / 4 = 24.75
                                  50,  // (0 + 100) / 2
                                  -5,  // (-1 - 8) / 2 = -4.5
                                  46, 100));
}

// The same bytes as uint8 outside: 124, 135, 120, 127 average to 126.5, which goes up.
TEST(Pool, AveragesUint8FromItsOwnZero) {
  auto operation = two_by_two(graph::PoolKind::kAverage);
  operation.accumulator_offset = 128;
  Values<6> output{};
  pool(operation, kImage, output);
  EXPECT_EQ(output[0], 127 - 128);
}

TEST(Pool, TakesMaximaAndClamps) {
  auto operation = two_by_two(graph::PoolKind::kMax);
  operation.activation_min = 0;
  operation.activation_max = 90;
  Values<6> output{};
  pool(operation, kImage, output);
  EXPECT_THAT(output, ElementsAre(7, 90, 90, 0, 90, 90));
}

TEST(Pool, PaddingBeforeTheImageIsNoTap) {
  auto operation = two_by_two(graph::PoolKind::kAverage);
  operation.window.padding_top = 1;
  operation.window.padding_left = 1;
  Values<6> output{};
  pool(operation, kImage, output);
  EXPECT_THAT(output, ElementsAre(-4, 2, 4, -3, -2, 25));
}

TEST(Mean, CountsTheThresholdsThatASumReaches) {
  graph::LoweredMean operation{.outer = 2, .reduced = 3, .inner = 2};
  for (int32_t i = 0; i < 255; ++i) {
    operation.thresholds[static_cast<size_t>(i)] = 3 * (i - 127);  // floor(sum / 3)
  }
  EXPECT_EQ(mean_of_sum(operation, -1000), -128);
  EXPECT_EQ(mean_of_sum(operation, -1), -1);
  EXPECT_EQ(mean_of_sum(operation, 0), 0);
  EXPECT_EQ(mean_of_sum(operation, 2), 0);
  EXPECT_EQ(mean_of_sum(operation, 1000), 127);
  const Values<12> input = {1, 10, 2, 20, 3, 30, -1, 0, -1, 0, -2, 1};
  Values<4> output{};
  mean(operation, input, output);
  EXPECT_THAT(output, ElementsAre(2, 20, -2, 0));
}

// --- Movement of data --------------------------------------------------------------------------

TEST(Pad, PutsTheInputIntoTheMiddle) {
  const graph::LoweredPad operation{.input_extents = {1, 1, 2, 2},
                                    .output_extents = {1, 1, 3, 4},
                                    .before = {0, 0, 1, 1},
                                    .value = 9};
  const Values<4> input = {1, 2, 3, 4};
  Values<12> output{};
  pad(operation, input, output);
  EXPECT_THAT(output, ElementsAre(9, 9, 9, 9, 9, 1, 2, 9, 9, 3, 4, 9));
}

TEST(Concatenation, InterleavesRowsAndTranslatesThroughTables) {
  std::vector<int8_t> negate(256);
  for (int32_t i = 0; i < 256; ++i) {
    negate[static_cast<size_t>(i)] = static_cast<int8_t>(std::min(128 - i, 127));
  }
  const graph::LoweredConcatenation operation{
      .inputs = {0, 1}, .outer = 2, .axis_sizes = {2, 1}, .tables = {{}, negate}};
  const Values<4> left = {1, 2, 3, 4};
  const Values<2> right = {50, -128};
  const std::array<std::span<const int8_t>, 2> inputs = {left, right};
  Values<6> output{};
  concatenation(operation, inputs, output);
  EXPECT_THAT(output, ElementsAre(1, 2, -50, 3, 4, 127));
}

TEST(Transposition, SwapsTheMiddleDimensions) {
  const graph::LoweredTransposition operation{.outer = 2, .rows = 3, .columns = 2, .inner = 1};
  const Values<12> input = {1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16};
  Values<12> output{};
  transposition(operation, input, output);
  EXPECT_THAT(output, ElementsAre(1, 3, 5, 2, 4, 6, 11, 13, 15, 12, 14, 16));
}

// Channels of a pixel as [block_row][block_column][channel], with one channel and two.
TEST(Transposition, LaysChannelsOutAsPixels) {
  const Values<16> input = {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 18};
  Values<16> output{};
  transposition({.outer = 1, .rows = 2, .columns = 2, .inner = 4}, input, output);
  EXPECT_THAT(output, ElementsAre(1, 2, 3, 4, 11, 12, 13, 14, 5, 6, 7, 8, 15, 16, 17, 18));
}

// --- Resizing ----------------------------------------------------------------------------------

TEST(ResizeNearestNeighbor, CopiesTheChosenPixels) {
  const graph::LoweredResizeNearestNeighbor operation{.input_extent = {2, 1, 2, 2},
                                                      .output_extent = {2, 2, 3, 2},
                                                      .rows = {0, 0},
                                                      .columns = {1, 0, 1}};
  const Values<8> input = {1, 2, 3, 4, 5, 6, 7, 8};
  Values<24> output{};
  resize_nearest_neighbor(operation, input, output);
  EXPECT_THAT(output, ElementsAre(3, 4, 1, 2, 3, 4, 3, 4, 1, 2, 3, 4,  //
                                  7, 8, 5, 6, 7, 8, 7, 8, 5, 6, 7, 8));
}

// Half of every pixel: the sum is four times the result.
int32_t average(graph::InterpolationArithmetic arithmetic, const Corners& corners) {
  const bool in_float = arithmetic == graph::InterpolationArithmetic::kFloat32;
  const int32_t half = in_float ? std::bit_cast<int32_t>(0.5f) : 1;
  const graph::Interpolation middle{0, 1, half, half};
  graph::LoweredResizeBilinear operation;
  operation.arithmetic = arithmetic;
  operation.fraction_bits = 1;
  return interpolate(operation, middle, middle, corners);
}

TEST(ResizeBilinear, RoundsTiesAsTheArithmeticSays) {
  using graph::InterpolationArithmetic;
  EXPECT_EQ(average(InterpolationArithmetic::kFixedPointTiesUp, {-1, -1, 0, 0}), 0);
  EXPECT_EQ(average(InterpolationArithmetic::kFixedPointTiesAway, {-1, -1, 0, 0}), -1);
  EXPECT_EQ(average(InterpolationArithmetic::kFloat32, {-1, -1, 0, 0}), 0);
  for (const auto arithmetic :
       {InterpolationArithmetic::kFixedPointTiesUp, InterpolationArithmetic::kFixedPointTiesAway,
        InterpolationArithmetic::kFloat32}) {
    EXPECT_EQ(average(arithmetic, {1, 1, 0, 0}), 1);
    EXPECT_EQ(average(arithmetic, {1, 0, 0, 0}), 0);
    EXPECT_EQ(average(arithmetic, {0, -1, 0, 0}), 0);
    EXPECT_EQ(average(arithmetic, {-1, -1, -1, 0}), -1);
    EXPECT_EQ(average(arithmetic, {127, 127, 127, 127}), 127);
    EXPECT_EQ(average(arithmetic, {-128, -128, -128, -128}), -128);
  }
}

TEST(ResizeBilinear, WeighsRowsAndColumns) {
  const graph::LoweredResizeBilinear operation{
      .input_extent = {1, 2, 2, 2},
      .output_extent = {1, 2, 2, 2},
      .arithmetic = graph::InterpolationArithmetic::kFixedPointTiesUp,
      .fraction_bits = 2,
      .rows = {{0, 1, 3, 1}, {1, 1, 4, 0}},
      .columns = {{0, 1, 1, 3}, {1, 1, 4, 0}}};
  const Values<8> input = {0, 100, 16, -100, 32, 4, 64, 8};
  Values<8> output{};
  resize_bilinear(operation, input, output);
  EXPECT_THAT(output, ElementsAre(23, -36,  // 3/4 * 12 + 1/4 * 56, 3/4 * -50 + 1/4 * 7 = -35.75
                                  28, -73,  // 3/4 * 16 + 1/4 * 64, 3/4 * -100 + 1/4 * 8
                                  56, 7, 64, 8));
}

// --- Tables ------------------------------------------------------------------------------------

TEST(Table, IsIndexedByTheStoredValuePlus128) {
  Values<256> table{};
  table[0] = 11;
  table[255] = 22;
  const Values<3> input = {-128, 127, 0};
  Values<3> output{};
  apply_table(table, input, output);
  EXPECT_THAT(output, ElementsAre(11, 22, 0));
}

// --- SOFTMAX, QUANTIZE, DEQUANTIZE -------------------------------------------------------------

graph::LoweredSoftmax halving_softmax(int32_t depth) {
  graph::LoweredSoftmax operation{.depth = depth, .output_zero_point = -128};
  for (size_t i = 0; i < 256; ++i) {
    operation.exponentials[i] = std::ldexp(1.0f, -static_cast<int>(i));
  }
  return operation;
}

TEST(Softmax, SharesTheWholeAmongARow) {
  const Values<8> input = {5, 5, 5, 5, 100, 99, 98, -100};
  Values<8> output{};
  softmax(halving_softmax(4), input, output);
  EXPECT_THAT(output, ElementsAre(-64, -64, -64, -64, 18, -55, -91, -128));
}

TEST(Softmax, SaturatesAndRoundsUint8WithoutItsZeroPoint) {
  auto operation = halving_softmax(2);
  operation.output_is_unsigned = true;
  operation.output_zero_point = 77;
  const Values<4> input = {0, -100, 1, 0};
  Values<4> output{};
  softmax(operation, input, output);
  EXPECT_THAT(output, ElementsAre(127, -128, 171 - 128, 85 - 128));  // 256, 170.7 and 85.3
}

std::vector<int8_t> quantized(numerics::Contract contract, float scale, int32_t zero_point,
                              std::vector<float> values) {
  std::vector<int8_t> output(values.size());
  quantize({.scale = scale, .zero_point = zero_point, .contract = contract}, values, output);
  return output;
}

TEST(Quantize, RoundsTiesAsTheContractSays) {
  const std::vector<float> ties = {0.25f, -0.25f, 0.75f, -0.75f};
  EXPECT_THAT(quantized(numerics::Contract::kTflite, 0.5f, 10, ties), ElementsAre(11, 9, 12, 8));
  EXPECT_THAT(quantized(numerics::Contract::kLitert, 0.5f, 10, ties), ElementsAre(10, 10, 12, 8));
}

TEST(Quantize, SaturatesWhateverTheFloatIs) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const numerics::Contract contract : numerics::kAllContracts) {
    EXPECT_THAT(quantized(contract, 0.5f, -10, {kInfinity, -kInfinity, 1e38f, -1e38f, kNan}),
                ElementsAre(127, -128, 127, -128, -128));
  }
}

TEST(Dequantize, TakesTheZeroPointOff) {
  const Values<3> input = {-128, 10, 127};
  std::array<float, 3> output{};
  dequantize({.scale = 0.5f, .zero_point = 10}, input, output);
  EXPECT_THAT(output, ElementsAre(-69.0f, 0.0f, 58.5f));
}

}  // namespace
}  // namespace lockstep::host_ref
