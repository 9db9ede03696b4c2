#include "quantization/equalized_channels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::quantization {
namespace {

using ::testing::ElementsAre;

TEST(EqualizedChannels, FactorsAreFoundAndUndone) {
  EqualizedChannels channels(3);
  const std::vector<float> plain{1, -2, 0.5f, 3, 4, -0.25f};
  std::vector<float> equalized{1, -8, 16, 3, 16, -8};
  channels.undo(plain, equalized);
  EXPECT_EQ(equalized, plain);
}

TEST(EqualizedChannels, NoiseStaysNoise) {
  EqualizedChannels channels(2);
  const std::vector<float> plain{1, 1, -1, 1};
  std::vector<float> equalized{4.4f, 0.8f, -3.6f, 1.2f};
  channels.undo(plain, equalized);
  EXPECT_THAT(equalized, ElementsAre(1.1f, 0.8f, -0.9f, 1.2f));
}

// A channel that is silent on one sample keeps the factor that others told.
TEST(EqualizedChannels, EarlierSamplesCount) {
  EqualizedChannels channels(1);
  std::vector<float> equalized{8, -8};
  channels.undo(std::vector<float>{1, -1}, equalized);
  std::vector<float> silent{0, 8};
  channels.undo(std::vector<float>{0, 0}, silent);
  EXPECT_THAT(silent, ElementsAre(0.0f, 1.0f));
}

TEST(EqualizedChannels, WhatCannotBeAFactorIsNone) {
  EqualizedChannels channels(2);
  std::vector<float> equalized{1, 1024};
  channels.undo(std::vector<float>{2, 1}, equalized);
  EXPECT_THAT(equalized, ElementsAre(1.0f, 16.0f));
}

}  // namespace
}  // namespace lockstep::quantization
