#include "quantization/bias_correction.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "graph/editable_model.h"
#include "quantization/constants.h"
#include "quantization/int8_quantizer.h"
#include "quantization/testing/float_network_builder.h"
#include "quantization/testing/tflite_run.h"

namespace lockstep::quantization {
namespace {

using schema::BuiltinOperator;
using testing::scattered_values;

constexpr size_t kChannels = 4;
constexpr size_t kPixels = 36;

// Two convolutions. Inputs are positive and the weights of a channel almost alike, so that rounding
// them shifts every output of the channel by about the same amount.
schema::ModelT network() {
  testing::FloatNetworkBuilder builder;
  schema::Conv2DOptionsT options;
  options.stride_w = options.stride_h = 1;
  options.fused_activation_function = schema::ActivationFunctionType::RELU;
  std::vector<float> weights = scattered_values(kChannels * kChannels, 0.501f, 0.502f);
  weights[0] = 100;  // makes the steps of the first channel coarse
  const int32_t x = builder.input("x", {1, 6, 6, kChannels});
  const int32_t hidden =
      builder.apply(BuiltinOperator::CONV_2D, options,
                    {x, builder.constant("w1", {kChannels, 1, 1, kChannels}, weights),
                     builder.constant("b1", {kChannels}, {0, 1, 2, 3})},
                    {1, 6, 6, kChannels});
  return builder.build(
      {builder.apply(BuiltinOperator::CONV_2D, options,
                     {hidden,
                      builder.constant("w2", {kChannels, 1, 1, kChannels},
                                       scattered_values(kChannels * kChannels, -0.1f, 0.2f, 7)),
                      builder.constant("b2", {kChannels}, {1, 1, 1, 1})},
                     {1, 6, 6, kChannels})});
}

std::vector<std::vector<std::vector<float>>> inputs(uint32_t first, uint32_t count) {
  std::vector<std::vector<std::vector<float>>> samples;
  for (uint32_t i = 0; i < count; ++i) {
    samples.push_back({scattered_values(kPixels * kChannels, 0, 1, first + 100 * i)});
  }
  return samples;
}

SampleSource source_of(const std::vector<std::vector<std::vector<float>>>& samples) {
  return {.count = samples.size(),
          .read = [&samples](size_t index) -> Result<Sample> {
            const auto bytes = std::as_bytes(std::span(samples[index].front()));
            return Sample{{bytes.begin(), bytes.end()}};
          },
          .name = [](size_t index) { return std::to_string(index); }};
}

std::vector<std::byte> file_of(schema::ModelT model) {
  return graph::write_editable_model({std::move(model), {}}).value();
}

// The average of (quantized - float) in each channel of the output, over the samples.
std::vector<double> mean_errors(const schema::ModelT& quantized,
                                const std::vector<std::vector<std::vector<float>>>& samples) {
  const schema::ModelT real = network();
  std::vector<double> errors(kChannels, 0.0);
  for (const auto& sample : samples) {
    const auto expected = testing::run_in_tflite(real, sample).front().values;
    const auto actual = testing::run_in_tflite(quantized, sample).front().values;
    for (size_t i = 0; i < expected.size(); ++i) {
      errors[i % kChannels] +=
          (double{actual[i]} - double{expected[i]}) / static_cast<double>(kPixels * samples.size());
    }
  }
  return errors;
}

class BiasCorrectionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (testing::tflite_library() == nullptr) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
    ASSERT_TRUE(quantize_to_int8(quantized_, testing::observe_ranges(quantized_, samples_), {}));
  }

  Result<BiasCorrectionReport> correct(const BiasCorrectionOptions& options = {}) {
    return correct_biases(quantized_, file_of(network()), testing::tflite_library(),
                          source_of(samples_), options);
  }

  std::vector<std::vector<std::vector<float>>> samples_ = inputs(1, 20);
  schema::ModelT quantized_ = network();
};

TEST_F(BiasCorrectionTest, TakesAwayTheAverageError) {
  const auto fresh = inputs(77'777, 20);
  const std::vector<double> before = mean_errors(quantized_, fresh);
  const auto report = correct();
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->layers, 2u);
  EXPECT_EQ(report->samples, 20u);
  const std::vector<double> after = mean_errors(quantized_, fresh);
  double largest_before = 0;
  double largest_after = 0;
  for (size_t c = 0; c < kChannels; ++c) {
    largest_before = std::max(largest_before, std::abs(before[c]));
    largest_after = std::max(largest_after, std::abs(after[c]));
  }
  EXPECT_GT(largest_before, 0.02);
  EXPECT_LT(largest_after, largest_before / 4);
}

// A bias cannot bring back what a narrower range cuts off, and must not try: it would move what is
// inside.
TEST_F(BiasCorrectionTest, LeavesClippedValuesClipped) {
  quantized_ = network();
  const std::string output = quantized_.subgraphs.front()->tensors.back()->name;
  Ranges ranges = testing::observe_ranges(quantized_, samples_);
  const float largest = ranges.rbegin()->second.maximum;
  ASSERT_TRUE(quantize_to_int8(quantized_, ranges, {.ranges = {{output, {0, largest / 4}}}}));
  const schema::ModelT before = quantized_;
  ASSERT_TRUE(correct());
  const auto bias_of_output = [](const schema::ModelT& model) {
    const auto& subgraph = *model.subgraphs.front();
    const int32_t bias = subgraph.operators.back()->inputs[2];
    return real_contents(model, *subgraph.tensors[static_cast<size_t>(bias)]).value();
  };
  const std::vector<float> biases_before = bias_of_output(before);
  const std::vector<float> biases = bias_of_output(quantized_);
  for (size_t c = 0; c < kChannels; ++c) {
    EXPECT_NEAR(biases[c], biases_before[c], largest / 20) << c;
  }
}

TEST_F(BiasCorrectionTest, UsesFewerSamplesWhereMemoryIsShort) {
  // The input of one sample and what the first convolution makes of it.
  const size_t of_one_sample = 2 * kPixels * kChannels;
  const auto report = correct({.memory_limit = 5 * of_one_sample});
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->samples, 5u);
}

TEST_F(BiasCorrectionTest, LeavesAloneWhatOneSampleCannotTell) {
  const std::vector<std::byte> before = file_of(std::move(quantized_));
  quantized_ = std::move(graph::read_editable_model(before, "before")->tree);
  samples_.resize(1);
  ASSERT_TRUE(correct());
  EXPECT_EQ(file_of(std::move(quantized_)), before);
}

TEST_F(BiasCorrectionTest, ReportsEveryLayer) {
  std::vector<size_t> done;
  BiasCorrectionOptions options;
  options.progress = [&](size_t layer, size_t count) {
    EXPECT_EQ(count, 2u);
    done.push_back(layer);
  };
  ASSERT_TRUE(correct(options));
  EXPECT_EQ(done, (std::vector<size_t>{1, 2}));
}

}  // namespace
}  // namespace lockstep::quantization
