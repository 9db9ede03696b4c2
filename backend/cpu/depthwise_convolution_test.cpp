// DEPTHWISE_CONV_2D against host_ref.
#include "host_ref/depthwise_convolution.h"

#include <gtest/gtest.h>

#include "backend/cpu/testing/convolutions.h"

namespace lockstep::backend::cpu {
namespace {

using backend::testing::RandomValues;
using graph::LoweredDepthwiseConvolution;
using graph::Window2d;

void expect_like_reference(const LoweredDepthwiseConvolution& convolution) {
  testing::expect_like_reference(convolution, host_ref::depthwise_convolution_accumulators,
                                 host_ref::depthwise_convolution);
}

// Fills in what follows from extents, window and multiplier.
void complete(RandomValues& random, LoweredDepthwiseConvolution& convolution) {
  const int32_t channels = convolution.input_extent.channels * convolution.depth_multiplier;
  const int32_t taps = convolution.window.kernel_height * convolution.window.kernel_width;
  convolution.output_extent.channels = channels;
  convolution.input_zero_point = random.zero_point();
  testing::fill_weights(random, int64_t{taps} * channels, channels, convolution);
  convolution.output_stage = testing::random_output_stage(random, channels, taps);
}

TEST(CpuDepthwiseConvolution, EqualsTheReferenceForAnyShape) {
  RandomValues random(31);
  for (int i = 0; i < 250; ++i) {
    SCOPED_TRACE(i);
    LoweredDepthwiseConvolution convolution;
    convolution.depth_multiplier = random.pick({1, 1, 1, 2, 3, 4});
    convolution.window = {random.between(1, 9), random.between(1, 5), random.between(1, 3),
                          random.between(1, 3), random.between(1, 3), random.between(1, 3),
                          random.between(0, 4), random.between(0, 4)};
    convolution.input_extent = {random.between(1, 3), random.between(1, 9), random.between(1, 9),
                                random.pick({1, 2, 5, 8, 15, 16, 17, 33, 50})};
    convolution.output_extent = {convolution.input_extent.batch, random.between(1, 7),
                                 random.between(1, 7)};
    complete(random, convolution);
    expect_like_reference(convolution);
    if (HasFatalFailure()) return;
  }
}

// Windows whose weights stay in registers, of either kind of interleaving.
TEST(CpuDepthwiseConvolution, EqualsTheReferenceForUsualWindows) {
  RandomValues random(32);
  for (const int32_t kernel : {1, 3, 5}) {
    for (const int32_t stride : {1, 2}) {
      for (const int32_t channels : {3, 16, 24, 32, 72}) {
        for (const int32_t width : {1, 4, 7, 14}) {
          LoweredDepthwiseConvolution convolution;
          convolution.window = {.kernel_height = kernel,
                                .kernel_width = kernel,
                                .stride_height = stride,
                                .stride_width = stride,
                                .padding_top = kernel / 2,
                                .padding_left = kernel / 2};
          convolution.input_extent = {1, 7 * stride, width * stride, channels};
          convolution.output_extent = {1, 7, width};
          complete(random, convolution);
          expect_like_reference(convolution);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(CpuDepthwiseConvolution, EqualsTheReferenceOfLongRows) {
  RandomValues random(33);
  for (const int32_t multiplier : {1, 2}) {
    for (const int32_t width : {127, 128, 129, 300}) {
      LoweredDepthwiseConvolution convolution;
      convolution.depth_multiplier = multiplier;
      convolution.window = {.kernel_height = 3,
                            .kernel_width = 3,
                            .dilation_width = 2,
                            .padding_top = 1,
                            .padding_left = 2};
      convolution.input_extent = {1, 3, width, 5};
      convolution.output_extent = {1, 3, width};
      complete(random, convolution);
      expect_like_reference(convolution);
    }
  }
}

TEST(CpuDepthwiseConvolution, EqualsTheReferenceInManyTasks) {
  RandomValues random(34);
  LoweredDepthwiseConvolution convolution;
  convolution.window = {.kernel_height = 3, .kernel_width = 3, .padding_top = 1, .padding_left = 1};
  convolution.input_extent = {2, 41, 40, 40};
  convolution.output_extent = {2, 41, 40};
  complete(random, convolution);
  for (const Isa isa : executable_isas()) {
    EXPECT_EQ(make_operation(convolution, {.isa = isa, .threads = 1})->tasks(), 1);
    EXPECT_GT(make_operation(convolution, {.isa = isa, .threads = 3})->tasks(), 1);
  }
  expect_like_reference(convolution);
}

TEST(CpuDepthwiseConvolution, TakesWindowsOutsideTheImage) {
  RandomValues random(35);
  LoweredDepthwiseConvolution convolution;
  convolution.window = {.kernel_height = 2,
                        .kernel_width = 2,
                        .stride_height = 2,
                        .stride_width = 2,
                        .padding_top = 5,
                        .padding_left = 5};
  convolution.input_extent = {1, 2, 2, 20};
  convolution.output_extent = {1, 6, 6};
  complete(random, convolution);
  expect_like_reference(convolution);
}

TEST(CpuDepthwiseConvolution, TakesEmptyBatches) {
  RandomValues random(36);
  LoweredDepthwiseConvolution convolution;
  convolution.input_extent = {0, 4, 4, 8};
  convolution.output_extent = {0, 4, 4};
  complete(random, convolution);
  expect_like_reference(convolution);
}

}  // namespace
}  // namespace lockstep::backend::cpu
