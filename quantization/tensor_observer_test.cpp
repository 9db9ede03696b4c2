#include "quantization/tensor_observer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace lockstep::quantization {
namespace {

TEST(TensorObserver, ChannelsAreTheLastDimension) {
  TensorObserver observer("x", 3);
  EXPECT_EQ(observer.add(std::vector<float>{1, 10, -5, 3, 20, -7}), std::nullopt);
  EXPECT_EQ(observer.add(std::vector<float>{5, 60, 0}), std::nullopt);
  const auto channels = observer.channels();
  ASSERT_EQ(channels.size(), 3u);
  EXPECT_EQ(channels[0].minimum, 1);
  EXPECT_EQ(channels[0].maximum, 5);
  EXPECT_EQ(channels[0].mean, 3);
  EXPECT_EQ(channels[1].maximum, 60);
  EXPECT_EQ(channels[1].mean, 30);
  EXPECT_EQ(channels[2].minimum, -7);
  EXPECT_EQ(channels[2].maximum, 0);
  EXPECT_EQ(channels[2].mean, -4);
  EXPECT_DOUBLE_EQ(observer.mean(), 87.0 / 9);
  EXPECT_EQ(observer.histogram().range(), (TensorRange{.minimum = -7, .maximum = 60}));
}

TEST(TensorObserver, ThatSawNothingSaysSo) {
  TensorObserver observer("x", 2);
  EXPECT_EQ(observer.add({}), std::nullopt);
  EXPECT_EQ(observer.mean(), 0);
  ASSERT_EQ(observer.channels().size(), 2u);
  EXPECT_EQ(observer.channels()[1].mean, 0);
}

TEST(TensorObserver, WhatIsNoNumberIsFoundAndNotTakenIn) {
  for (const float value : {std::nanf(""), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
    TensorObserver observer("x", 2);
    EXPECT_EQ(observer.add(std::vector<float>{1, 2, 3, value}), 3u);
    EXPECT_EQ(observer.histogram().count(), 0u);
    EXPECT_EQ(observer.mean(), 0);
  }
  // Products and sums of what is largest are not mistaken for it.
  TensorObserver observer("x", 1);
  EXPECT_EQ(observer.add(std::vector<float>(4, std::numeric_limits<float>::max())), std::nullopt);
}

}  // namespace
}  // namespace lockstep::quantization
