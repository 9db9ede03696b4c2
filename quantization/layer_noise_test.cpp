#include "quantization/layer_noise.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace lockstep::quantization {
namespace {

constexpr double kVariance = 1.0 / 12;

// Two outputs of two inputs.
constexpr std::array<float, 4> kMatrix{127, 0, 63.5f, 127};
constexpr std::array<double, 2> kInputs{4, 1};
constexpr std::array<double, 2> kOutputs{100, 50};
constexpr std::array<double, 2> kNoFactors{1, 1};

LayerWeights matrix() { return {.values = kMatrix, .input_channels = 2, .output_channels = 2}; }

LayerObservations observed(double largest_input) {
  return {
      .input_mean_square = kInputs, .output_mean_square = kOutputs, .largest_input = largest_input};
}

TEST(LayerNoise, InputsAndWeightsAreRounded) {
  // Steps: 1 of the inputs and of both rows of weights; 5 is the energy of the inputs.
  const double first = (127.0 * 127.0 + 5) * kVariance / 100;
  const double second = (63.5 * 63.5 + 127.0 * 127.0 + 5) * kVariance / 50;
  EXPECT_DOUBLE_EQ(predicted_noise(matrix(), observed(255), kNoFactors), (first + second) / 2);
}

TEST(LayerNoise, FactorsTakeFromInputsWhatTheyGiveToWeights) {
  constexpr std::array<double, 2> factors{1, 2};
  // The second row's largest weight is 63.5 now.
  const double first = (127.0 * 127.0 + 8) * kVariance / 100;
  const double second = (2 * 63.5 * 63.5 + 0.25 * 8) * kVariance / 50;
  EXPECT_DOUBLE_EQ(predicted_noise(matrix(), observed(255), factors), (first + second) / 2);
}

TEST(LayerNoise, OneScaleIsThatOfTheLargestWeight) {
  LayerWeights weights = matrix();
  weights.has_one_scale = true;
  constexpr std::array<float, 4> kUneven{127, 0, 1, 1};
  weights.values = kUneven;
  const double first = 5 * kVariance / 100;
  const double second = 5 * kVariance / 50;
  EXPECT_DOUBLE_EQ(predicted_noise(weights, observed(0), kNoFactors), (first + second) / 2);
}

TEST(LayerNoise, DepthwiseWeightsTakeUpFactors) {
  // Two taps, two channels, each made twice.
  constexpr std::array<float, 8> kWeights{1, 2, 3, 4, 5, 6, 7, 8};
  constexpr std::array<double, 4> kSignals{1, 1, 1, 1};
  constexpr std::array<double, 2> factors{1, 2};
  const LayerWeights weights{
      .values = kWeights, .input_channels = 2, .output_channels = 4, .is_depthwise = true};
  EXPECT_EQ(weights.input_channel(5), 0u);
  EXPECT_EQ(weights.input_channel(6), 1u);
  EXPECT_EQ(weights.output_channel(6), 2u);
  const LayerObservations observations{
      .input_mean_square = kInputs, .output_mean_square = kSignals, .largest_input = 255};
  const double squares = (1 + 25) + (4 + 36) + (9 + 49) / 4.0 + (16 + 64) / 4.0;
  EXPECT_DOUBLE_EQ(predicted_noise(weights, observations, factors), squares * kVariance / 4);
}

TEST(LayerNoise, FlattenedImagesHaveManyColumnsForAChannel) {
  const LayerWeights weights{.values = kMatrix, .input_channels = 1, .output_channels = 2};
  EXPECT_EQ(weights.input_channel(1), 0u);
  EXPECT_EQ(weights.output_channel(1), 0u);
  EXPECT_EQ(weights.output_channel(2), 1u);
}

// A channel that is always zero must not decide for all others.
TEST(LayerNoise, SilentOutputsCountLittle) {
  constexpr std::array<double, 2> kSilent{100, 0};
  LayerObservations observations = observed(255);
  observations.output_mean_square = kSilent;
  const double first = (127.0 * 127.0 + 5) * kVariance / 100;
  const double second = (63.5 * 63.5 + 127.0 * 127.0 + 5) * kVariance / 0.5;
  EXPECT_DOUBLE_EQ(predicted_noise(matrix(), observations, kNoFactors), (first + second) / 2);
  constexpr std::array<double, 2> kNothing{0, 0};
  observations.output_mean_square = kNothing;
  EXPECT_EQ(predicted_noise(matrix(), observations, kNoFactors), 0);
}

}  // namespace
}  // namespace lockstep::quantization
