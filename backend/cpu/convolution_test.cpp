// CONV_2D and FULLY_CONNECTED against host_ref.
#include "host_ref/convolution.h"

#include <gtest/gtest.h>

#include <set>

#include "backend/cpu/testing/convolutions.h"

namespace lockstep::backend::cpu {
namespace {

using backend::testing::RandomValues;
using graph::LoweredConvolution;

void expect_like_reference(const LoweredConvolution& convolution) {
  testing::expect_like_reference(convolution, host_ref::convolution_accumulators,
                                 host_ref::convolution);
}

// Fills in what follows from extents, window and groups.
void complete(RandomValues& random, LoweredConvolution& convolution) {
  const int32_t channels = convolution.output_extent.channels;
  const int32_t products = convolution.window.kernel_height * convolution.window.kernel_width *
                           (convolution.input_extent.channels / convolution.groups);
  convolution.input_zero_point = random.zero_point();
  testing::fill_weights(random, int64_t{products} * channels, channels, convolution);
  convolution.output_stage = testing::random_output_stage(random, channels, products);
}

TEST(CpuConvolution, EqualsTheReferenceForAnyShape) {
  RandomValues random(21);
  for (int i = 0; i < 150; ++i) {
    SCOPED_TRACE(i);
    LoweredConvolution convolution;
    convolution.groups = random.pick({1, 1, 1, 2, 3});
    convolution.window = {random.between(1, 4), random.between(1, 4), random.between(1, 3),
                          random.between(1, 3), random.between(1, 3), random.between(1, 3),
                          random.between(0, 3), random.between(0, 3)};
    convolution.input_extent = {random.between(1, 3), random.between(1, 9), random.between(1, 9),
                                convolution.groups * random.pick({1, 3, 5, 8, 17, 33})};
    convolution.output_extent = {convolution.input_extent.batch, random.between(1, 7),
                                 random.between(1, 7), convolution.groups * random.between(1, 40)};
    complete(random, convolution);
    expect_like_reference(convolution);
    if (HasFatalFailure()) return;
  }
}

TEST(CpuConvolution, EqualsTheReferenceWhereWindowsArePixels) {
  RandomValues random(22);
  for (int i = 0; i < 100; ++i) {
    SCOPED_TRACE(i);
    LoweredConvolution convolution;
    convolution.groups = random.pick({1, 1, 1, 2});
    convolution.input_extent = {random.between(1, 3), random.between(1, 7), random.between(1, 7),
                                convolution.groups * random.between(1, 70)};
    convolution.output_extent = convolution.input_extent;
    convolution.output_extent.channels = convolution.groups * random.between(1, 140);
    complete(random, convolution);
    expect_like_reference(convolution);
    if (HasFatalFailure()) return;
  }
}

// Cut by rows, and by channels where there are few rows.
TEST(CpuConvolution, EqualsTheReferenceInManyTasks) {
  RandomValues random(23);
  struct Shape {
    int32_t height, kernel, input_channels, output_channels;
  };
  for (const Shape& shape : {Shape{40, 3, 16, 24}, Shape{40, 1, 33, 100}, Shape{1, 1, 2000, 2200},
                             Shape{3, 3, 128, 440}}) {
    LoweredConvolution convolution;
    convolution.input_extent = {1, shape.height, shape.height, shape.input_channels};
    convolution.output_extent = {1, shape.height, shape.height, shape.output_channels};
    convolution.window.kernel_height = convolution.window.kernel_width = shape.kernel;
    convolution.window.padding_top = convolution.window.padding_left = shape.kernel / 2;
    complete(random, convolution);
    for (const Isa isa : executable_isas()) {
      EXPECT_EQ(make_operation(convolution, {.isa = isa, .threads = 1})->tasks(), 1);
      EXPECT_GT(make_operation(convolution, {.isa = isa, .threads = 3})->tasks(), 1);
    }
    expect_like_reference(convolution);
  }
}

TEST(CpuConvolution, WrapsAroundAsInt32Does) {
  RandomValues random(24);
  for (const bool stores_accumulators : {true, false}) {
    LoweredConvolution convolution;
    convolution.input_extent = {1, 1, 2, 300};
    convolution.output_extent = {1, 1, 2, 20};
    convolution.input_zero_point = 127;
    complete(random, convolution);
    for (int32_t& bias : convolution.bias) bias = random.pick({2'147'483'647, -2'147'483'647 - 1});
    convolution.output_stage.stores_accumulators = stores_accumulators;
    expect_like_reference(convolution);
  }
}

TEST(CpuConvolution, TakesEmptyBatches) {
  RandomValues random(25);
  for (const int32_t kernel : {1, 3}) {
    LoweredConvolution convolution;
    convolution.input_extent = {0, 4, 4, 8};
    convolution.output_extent = {0, 4, 4, 8};
    convolution.window.kernel_height = kernel;
    complete(random, convolution);
    expect_like_reference(convolution);
  }
}

TEST(CpuConvolution, SaysHowItIsComputed) {
  RandomValues random(26);
  LoweredConvolution convolution;
  convolution.input_extent = convolution.output_extent = {1, 8, 8, 16};
  complete(random, convolution);
  std::set<std::string> variants;
  for (const Isa isa : executable_isas()) {
    const OperationPointer operation = make_operation(convolution, {.isa = isa});
    EXPECT_EQ(operation->variant(), "convolution 1x1 " + std::string(isa_name(isa)));
    EXPECT_GE(operation->constant_bytes(), 16 * 16);
    variants.insert(operation->variant());
  }
  EXPECT_EQ(variants.size(), executable_isas().size());
}

}  // namespace
}  // namespace lockstep::backend::cpu
