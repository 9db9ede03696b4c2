#include "quantization/layer_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::quantization {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatEq;

constexpr float kInputScale = 0.5f;
constexpr float kOutputScale = 0.25f;

TEST(LayerParametersTest, EachOutputChannelHasItsOwnScale) {
  const std::vector<float> weights{1, -2, 127, 0.5f, 0.25f, -1};
  const std::vector<int32_t> shape{3, 2};
  const LayerParameters parameters =
      quantize_layer({.weights = weights, .shape = shape}, kInputScale, kOutputScale);
  EXPECT_THAT(parameters.weight_scales,
              ElementsAre(FloatEq(2.0f / 127), FloatEq(1), FloatEq(1.0f / 127)));
  EXPECT_THAT(parameters.weights, ElementsAre(64, -127, 127, 1, 32, -127));
  EXPECT_TRUE(parameters.bias.empty());
}

TEST(LayerParametersTest, DepthwiseChannelsLieAlongTheLastDimension) {
  const std::vector<float> weights{1, 8, -2, 4};
  const std::vector<int32_t> shape{1, 2, 1, 2};
  const LayerParameters parameters = quantize_layer(
      {.weights = weights, .shape = shape, .channel_axis = 3}, kInputScale, kOutputScale);
  EXPECT_THAT(parameters.weight_scales, ElementsAre(FloatEq(2.0f / 127), FloatEq(8.0f / 127)));
  EXPECT_THAT(parameters.weights, ElementsAre(64, 127, -127, 64));
}

TEST(LayerParametersTest, OneScaleForAllIsThatOfTheLargestWeight) {
  const std::vector<float> weights{1, -2, 127, 0.5f};
  const std::vector<int32_t> shape{2, 2};
  const std::vector<float> bias{10, -20};
  const LayerParameters parameters =
      quantize_layer({.weights = weights, .shape = shape, .bias = bias, .per_channel = false},
                     kInputScale, kOutputScale);
  EXPECT_THAT(parameters.weight_scales, ElementsAre(1));
  EXPECT_THAT(parameters.weights, ElementsAre(1, -2, 127, 1));
  EXPECT_THAT(parameters.bias, ElementsAre(20, -40));
  EXPECT_THAT(parameters.bias_scales, ElementsAre(kInputScale));
}

TEST(LayerParametersTest, BiasThatWouldNotFitWidensTheScaleOfItsChannel) {
  const std::vector<float> weights{1e-9f, 1};
  const std::vector<int32_t> shape{2, 1};
  const std::vector<float> bias{1000, 1000};
  const LayerParameters parameters =
      quantize_layer({.weights = weights, .shape = shape, .bias = bias}, kInputScale, kOutputScale);
  EXPECT_NEAR(parameters.bias[0], 1 << 30, 1 << 8);
  EXPECT_NEAR(parameters.bias_scales[0] * static_cast<float>(parameters.bias[0]), 1000, 1e-3);
  EXPECT_FLOAT_EQ(parameters.weight_scales[1], 1.0f / 127);
}

TEST(LayerParametersTest, ChannelWithoutWeightsStillComputesItsBias) {
  const std::vector<float> weights{0, 0, 1, 2};
  const std::vector<int32_t> shape{2, 2};
  const std::vector<float> bias{0.3f, 0.3f};
  const LayerParameters parameters =
      quantize_layer({.weights = weights, .shape = shape, .bias = bias}, kInputScale, kOutputScale);
  EXPECT_THAT(std::vector(parameters.weights.begin(), parameters.weights.begin() + 2), Each(0));
  // Much finer than a step of the output.
  EXPECT_NEAR(parameters.bias_scales[0] * static_cast<float>(parameters.bias[0]), 0.3f,
              kOutputScale / 256);
}

}  // namespace
}  // namespace lockstep::quantization
