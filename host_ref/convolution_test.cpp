#include "host_ref/convolution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "host_ref/depthwise_convolution.h"

namespace lockstep::host_ref {
namespace {

using ::testing::ElementsAre;

// Scales by 1: multiplier 2^30, shift 1.
graph::OutputStage identity_stage(size_t channels) {
  return {.rounding = numerics::Rounding::kDoubleTiesUp,
          .scales = std::vector<numerics::ChannelScale>(channels, {1 << 30, 1})};
}

// A 3x3 image 1..9 under a 2x2 kernel 1, 10, 100, 1000 with one row and column of padding before.
graph::LoweredConvolution small_convolution() {
  return {.input_extent = {1, 3, 3, 1},
          .output_extent = {1, 2, 2, 1},
          .window = {.kernel_height = 2,
                     .kernel_width = 2,
                     .stride_height = 2,
                     .stride_width = 2,
                     .padding_top = 1,
                     .padding_left = 1},
          .input_zero_point = 1,
          .weights = {1, 10, 100, 127},
          .weights_zero_points = {0},
          .bias = {5},
          .folded_bias = {5 - 238},
          .output_stage = identity_stage(1)};
}

constexpr std::array<int8_t, 9> kOneToNine = {1, 2, 3, 4, 5, 6, 7, 8, 9};

TEST(Convolution, TapsOutsideTheImageCountAsNothing) {
  EXPECT_THAT(convolution_accumulators(small_convolution(), kOneToNine),
              ElementsAre(5 + 0 * 127,                               // the last tap alone, on 1
                          5 + 1 * 100 + 2 * 127,                     // the lower two, on 2 and 3
                          5 + 3 * 10 + 6 * 127,                      // the right two, on 4 and 7
                          5 + 4 * 1 + 5 * 10 + 7 * 100 + 8 * 127));  // all
}

// The accumulators again, as devices compute them: zero points folded into the bias.
TEST(Convolution, FoldedFormIsTheSame) {
  auto operation = small_convolution();
  operation.weights_zero_points = {-7};
  const int32_t sum_of_weights = 238 + 4 * 7;
  const auto accumulators = convolution_accumulators(operation, kOneToNine);
  // The window at the lower right reads 5, 6, 8, 9.
  const int32_t products = 5 * 1 + 6 * 10 + 8 * 100 + 9 * 127;
  const int32_t sum_of_inputs = 5 + 6 + 8 + 9;
  EXPECT_EQ(accumulators[3], (5 - 1 * sum_of_weights) + products + 7 * sum_of_inputs);
}

TEST(Convolution, DilatedTapsLieApart) {
  auto operation = small_convolution();
  operation.window = {
      .kernel_height = 2, .kernel_width = 2, .dilation_height = 2, .dilation_width = 2};
  operation.output_extent = {1, 1, 1, 1};
  EXPECT_THAT(convolution_accumulators(operation, kOneToNine),
              ElementsAre(5 + 0 * 1 + 2 * 10 + 6 * 100 + 8 * 127));
}

TEST(Convolution, GroupsReadTheirOwnChannels) {
  const graph::LoweredConvolution operation{.input_extent = {1, 1, 1, 4},
                                            .output_extent = {1, 1, 1, 4},
                                            .window = {},
                                            .groups = 2,
                                            .weights = {1, 2, 3, 4, 5, 6, 7, 8},
                                            .weights_zero_points = {0, 0, 0, 1},
                                            .bias = {0, 0, 0, 100},
                                            .folded_bias = {},
                                            .output_stage = {}};
  const std::array<int8_t, 4> input = {1, 2, 3, 4};
  EXPECT_THAT(convolution_accumulators(operation, input),
              ElementsAre(1 * 1 + 2 * 2, 1 * 3 + 2 * 4, 3 * 5 + 4 * 6, 100 + 3 * 6 + 4 * 7));
}

TEST(Convolution, AccumulatesModulo32Bits) {
  graph::LoweredConvolution operation{.input_extent = {1, 1, 1, 1},
                                      .output_extent = {1, 1, 1, 1},
                                      .window = {},
                                      .weights = {127},
                                      .weights_zero_points = {0},
                                      .bias = {std::numeric_limits<int32_t>::max()},
                                      .folded_bias = {},
                                      .output_stage = {}};
  const std::array<int8_t, 1> one = {1};
  EXPECT_THAT(convolution_accumulators(operation, one),
              ElementsAre(std::numeric_limits<int32_t>::min() + 126));
}

TEST(Convolution, EndsInRoundingZeroPointAndClamp) {
  auto operation = small_convolution();
  operation.output_stage.scales = {{1 << 30, -3}};  // 1/16
  operation.output_stage.zero_point = -10;
  operation.output_stage.activation_max = 50;
  std::array<int8_t, 4> output{};
  convolution(operation, kOneToNine, output);
  // Halved by the high multiply, divided by 8 by the shift, each to the nearest integer, ties up.
  EXPECT_THAT(output, ElementsAre(-10,       // 5 -> 3 -> 0
                                  -10 + 23,  // 359 -> 180 -> 22.5
                                  -10 + 50,  // 797 -> 399 -> 49.875
                                  50));      // 1775 -> 888 -> 111, clamped
}

TEST(Convolution, BatchesAreIndependent) {
  auto operation = small_convolution();
  operation.input_extent.batch = 2;
  operation.output_extent.batch = 2;
  std::array<int8_t, 18> twice{};
  std::copy(kOneToNine.begin(), kOneToNine.end(), twice.begin() + 9);
  const auto both = convolution_accumulators(operation, twice);
  const auto one = convolution_accumulators(small_convolution(), kOneToNine);
  EXPECT_TRUE(std::equal(one.begin(), one.end(), both.begin() + 4));
}

TEST(DepthwiseConvolution, EachInputChannelFeedsItsOwnOutputs) {
  const graph::LoweredDepthwiseConvolution operation{.input_extent = {1, 1, 2, 2},
                                                     .output_extent = {1, 1, 1, 4},
                                                     .window = {.kernel_width = 2},
                                                     .depth_multiplier = 2,
                                                     .input_zero_point = 1,
                                                     .weights = {1, 2, 3, 4, 10, 20, 30, 40},
                                                     .weights_zero_points = {0, 0, 0, 1},
                                                     .bias = {0, 1, 2, 3},
                                                     .folded_bias = {},
                                                     .output_stage = identity_stage(4)};
  const std::array<int8_t, 4> input = {2, 3, 4, 5};  // two pixels of two channels
  EXPECT_THAT(
      depthwise_convolution_accumulators(operation, input),
      ElementsAre(1 * 1 + 3 * 10, 1 + 1 * 2 + 3 * 20, 2 + 2 * 3 + 4 * 30, 3 + 2 * 3 + 4 * 39));
  std::array<int8_t, 4> output{};
  depthwise_convolution(operation, input, output);
  EXPECT_THAT(output, ElementsAre(31, 63, 127, 127));
}

TEST(DepthwiseConvolution, TapsOutsideTheImageCountAsNothing) {
  const graph::LoweredDepthwiseConvolution operation{
      .input_extent = {1, 2, 1, 1},
      .output_extent = {1, 2, 1, 1},
      .window = {.kernel_height = 3, .padding_top = 1},
      .input_zero_point = -100,
      .weights = {1, 10, 100},
      .weights_zero_points = {0},
      .bias = {0},
      .folded_bias = {},
      .output_stage = {}};
  const std::array<int8_t, 2> input = {-99, -98};
  EXPECT_THAT(depthwise_convolution_accumulators(operation, input),
              ElementsAre(1 * 10 + 2 * 100, 1 * 1 + 2 * 10));
}

}  // namespace
}  // namespace lockstep::host_ref
