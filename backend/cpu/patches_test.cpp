#include "backend/cpu/patches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "backend/cpu/testing/operation_runs.h"
#include "backend/testing/random_values.h"

namespace lockstep::backend::cpu {
namespace {

using backend::testing::RandomValues;
using graph::LoweredConvolution;

constexpr uint8_t kCanary = 0xa5;

// Of one tap: what the definition says.
uint8_t tap(const LoweredConvolution& convolution, const std::vector<uint8_t>& input, int32_t n,
            int32_t y, int32_t x, int32_t channel) {
  const graph::Extent4d& extent = convolution.input_extent;
  if (y < 0 || y >= extent.height || x < 0 || x >= extent.width) {
    return static_cast<uint8_t>(convolution.input_zero_point + 128);
  }
  return input[static_cast<size_t>(((n * extent.height + y) * extent.width + x) * extent.channels +
                                   channel)];
}

std::vector<uint8_t> patch(const LoweredConvolution& convolution, const std::vector<uint8_t>& input,
                           int32_t pixel, int32_t group) {
  const graph::Window2d& window = convolution.window;
  const graph::Extent4d& output = convolution.output_extent;
  const int32_t x = pixel % output.width;
  const int32_t y = pixel / output.width % output.height;
  const int32_t n = pixel / output.width / output.height;
  const int32_t channels = convolution.input_extent.channels / convolution.groups;
  std::vector<uint8_t> values;
  for (int32_t ky = 0; ky < window.kernel_height; ++ky) {
    for (int32_t kx = 0; kx < window.kernel_width; ++kx) {
      for (int32_t channel = 0; channel < channels; ++channel) {
        values.push_back(
            tap(convolution, input, n,
                y * window.stride_height - window.padding_top + ky * window.dilation_height,
                x * window.stride_width - window.padding_left + kx * window.dilation_width,
                group * channels + channel));
      }
    }
  }
  return values;
}

// Of all pixels and groups, a few patches at a time.
void expect_patches(const LoweredConvolution& convolution, size_t at_once) {
  const Patches patches(convolution);
  std::vector<uint8_t> input;
  for (const int8_t value : testing::random_values(convolution.input_extent.elements(), 3)) {
    input.push_back(to_byte(value));
  }
  // Memory ends where reading has to.
  std::vector<uint8_t> readable = input;
  readable.resize(input.size() + kPatchSlack - 1, kCanary);
  const graph::Extent4d& output = convolution.output_extent;
  const int32_t pixels = output.batch * output.height * output.width;
  ASSERT_EQ(patches.count(), pixels);
  const size_t stride = patches.depth() + kPatchSlack - 1;
  for (int32_t group = 0; group < convolution.groups; ++group) {
    for (int32_t first = 0; first < pixels; first += static_cast<int32_t>(at_once)) {
      const size_t count = std::min(at_once, static_cast<size_t>(pixels - first));
      std::vector<uint8_t> copied(count * stride + 1, kCanary);
      patches.copy(readable.data(), first, count, group, copied.data(), stride);
      EXPECT_EQ(copied.back(), kCanary);
      for (size_t i = 0; i < count; ++i) {
        const int32_t pixel = first + static_cast<int32_t>(i);
        const std::vector<uint8_t> expected = patch(convolution, input, pixel, group);
        ASSERT_EQ(patches.depth(), expected.size());
        ASSERT_TRUE(
            std::ranges::equal(std::span(copied).subspan(i * stride, patches.depth()), expected))
            << "pixel " << pixel << " of group " << group;
        if (!patches.is_input()) continue;
        const size_t at =
            static_cast<size_t>(pixel) * static_cast<size_t>(convolution.input_extent.channels) +
            static_cast<size_t>(group) * patches.depth();
        ASSERT_TRUE(std::ranges::equal(std::span(input).subspan(at, patches.depth()), expected));
      }
    }
  }
}

TEST(Patches, AreTheTapsOfEveryWindow) {
  RandomValues random(11);
  for (int i = 0; i < 300; ++i) {
    LoweredConvolution convolution;
    convolution.groups = random.pick({1, 1, 1, 2, 3});
    convolution.input_zero_point = random.zero_point();
    convolution.input_extent = {random.between(1, 2), random.between(1, 9), random.between(1, 9),
                                convolution.groups * random.pick({1, 2, 3, 5, 16, 17, 40})};
    convolution.window = {random.between(1, 4), random.between(1, 4), random.between(1, 3),
                          random.between(1, 3), random.between(1, 3), random.between(1, 3),
                          random.between(0, 4), random.between(0, 4)};
    // Windows that end, or lie, beyond the image are among them.
    convolution.output_extent = {convolution.input_extent.batch, random.between(1, 6),
                                 random.between(1, 6), 1};
    SCOPED_TRACE(i);
    expect_patches(convolution, static_cast<size_t>(random.between(1, 9)));
  }
}

TEST(Patches, OutsideTheImageReadTheZeroPoint) {
  LoweredConvolution convolution;
  convolution.input_zero_point = -100;
  convolution.input_extent = {1, 2, 2, 3};
  convolution.window = {.kernel_height = 2, .kernel_width = 2, .padding_top = 50};
  convolution.output_extent = {1, 2, 2, 1};
  const Patches patches(convolution);
  const std::vector<uint8_t> input(12 + kPatchSlack, 1);
  const size_t stride = patches.depth() + kPatchSlack;
  std::vector<uint8_t> copied(4 * stride);
  patches.copy(input.data(), 0, 4, 0, copied.data(), stride);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_THAT(std::span(copied).subspan(i * stride, patches.depth()), ::testing::Each(28));
  }
}

TEST(Patches, AreTheInputWhereWindowsAreItsPixels) {
  LoweredConvolution convolution;
  convolution.input_extent = {2, 3, 4, 6};
  convolution.output_extent = {2, 3, 4, 1};
  EXPECT_TRUE(Patches(convolution).is_input());
  expect_patches(convolution, 5);
  convolution.groups = 2;
  EXPECT_TRUE(Patches(convolution).is_input());
  expect_patches(convolution, 5);

  const auto is_input = [&](const auto& change) {
    LoweredConvolution changed = convolution;
    change(changed);
    return Patches(changed).is_input();
  };
  EXPECT_FALSE(is_input([](LoweredConvolution& changed) { changed.window.kernel_width = 2; }));
  EXPECT_FALSE(is_input([](LoweredConvolution& changed) { changed.window.kernel_height = 2; }));
  EXPECT_FALSE(is_input([](LoweredConvolution& changed) { changed.window.stride_width = 2; }));
  EXPECT_FALSE(is_input([](LoweredConvolution& changed) { changed.window.stride_height = 2; }));
  EXPECT_FALSE(is_input([](LoweredConvolution& changed) { changed.window.padding_left = 1; }));
  EXPECT_FALSE(is_input([](LoweredConvolution& changed) { changed.window.padding_top = 1; }));
  EXPECT_FALSE(is_input([](LoweredConvolution& changed) { changed.output_extent.width = 3; }));
  EXPECT_FALSE(is_input([](LoweredConvolution& changed) { changed.output_extent.height = 4; }));
  // Of one pixel there is but one place that dilated taps have.
  EXPECT_TRUE(is_input([](LoweredConvolution& changed) { changed.window.dilation_width = 2; }));
}

}  // namespace
}  // namespace lockstep::backend::cpu
