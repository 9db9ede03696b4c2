#include "quantization/channel_equalization.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "graph/editable_model.h"
#include "quantization/error_statistics.h"
#include "quantization/int8_quantizer.h"
#include "quantization/testing/float_network_builder.h"
#include "quantization/testing/tflite_run.h"

namespace lockstep::quantization {
namespace {

using schema::ActivationFunctionType;
using schema::BuiltinOperator;
using testing::FloatNetworkBuilder;
using ::testing::IsEmpty;
using testing::scattered_values;

using Inputs = std::vector<std::vector<float>>;  // of one sample

constexpr int32_t kChannels = 8;
constexpr int32_t kExtent = 6;
constexpr size_t kImage = size_t{kExtent} * kExtent * kChannels;

const graph::Shape kImageShape{1, kExtent, kExtent, kChannels};

float range_of_channel(size_t channel) {
  return std::ldexp(1.0f, -static_cast<int>(std::min<size_t>(channel, 5)));
}

// Layers of images of one shape, whose output channels have ranges from 1 down to 2^-5.
class Images {
 public:
  FloatNetworkBuilder& builder() { return builder_; }

  int32_t input() { return builder_.input("x", kImageShape); }

  int32_t conv(int32_t x, ActivationFunctionType activation = ActivationFunctionType::NONE) {
    std::vector<float> weights = values(kChannels * kChannels);
    for (size_t i = 0; i < weights.size(); ++i) weights[i] *= range_of_channel(i / kChannels);
    return conv(x, weights, activation);
  }

  int32_t conv(int32_t x, const std::vector<float>& weights, ActivationFunctionType activation) {
    return builder_.apply(
        BuiltinOperator::CONV_2D, convolution_options(activation),
        {x, builder_.constant("w", {kChannels, 1, 1, kChannels}, weights), bias()}, kImageShape);
  }

  int32_t depthwise(int32_t x) {
    std::vector<float> weights = values(9 * kChannels);
    for (size_t i = 0; i < weights.size(); ++i) weights[i] *= range_of_channel(i % kChannels);
    schema::DepthwiseConv2DOptionsT options;
    options.stride_w = options.stride_h = 1;
    options.depth_multiplier = 1;
    return builder_.apply(BuiltinOperator::DEPTHWISE_CONV_2D, options,
                          {x, builder_.constant("w", {1, 3, 3, kChannels}, weights), bias()},
                          kImageShape);
  }

  template <typename Options>
  int32_t apply(BuiltinOperator code, Options options, std::vector<int32_t> inputs,
                graph::Shape shape = kImageShape) {
    return builder_.apply(code, std::move(options), std::move(inputs), std::move(shape));
  }

  int32_t apply(BuiltinOperator code, std::vector<int32_t> inputs) {
    return builder_.apply(code, std::move(inputs), kImageShape);
  }

  int32_t add(int32_t a, int32_t b) {
    return apply(BuiltinOperator::ADD, schema::AddOptionsT{}, {a, b});
  }

  int32_t constant(graph::Shape shape, const std::vector<float>& contents) {
    return builder_.constant("constant", std::move(shape), contents);
  }

  // A layer that reads what is left of the image, and whose output is the network's.
  schema::ModelT end(int32_t x) {
    return builder_.build({conv(x, values(kChannels * kChannels), ActivationFunctionType::NONE)});
  }

  std::vector<float> values(int32_t count) {
    return scattered_values(static_cast<size_t>(count), -1, 1, ++seed_);
  }

 private:
  static schema::Conv2DOptionsT convolution_options(ActivationFunctionType activation) {
    schema::Conv2DOptionsT options;
    options.stride_w = options.stride_h = 1;
    options.fused_activation_function = activation;
    return options;
  }

  int32_t bias() {
    std::vector<float> biases = values(kChannels);
    for (size_t c = 0; c < biases.size(); ++c) biases[c] *= range_of_channel(c) / 4;
    return builder_.constant("b", {kChannels}, biases);
  }

  FloatNetworkBuilder builder_;
  uint32_t seed_ = 0;
};

std::vector<Inputs> samples_of(size_t count, uint32_t seed) {
  std::vector<Inputs> samples;
  for (size_t i = 0; i < count; ++i) {
    samples.push_back({scattered_values(kImage, -1, 1, seed + static_cast<uint32_t>(100 * i))});
  }
  return samples;
}

Calibration calibrated(const schema::ModelT& model) {
  const auto file = graph::write_editable_model({model, {}});
  EXPECT_TRUE(file) << file.error().message;
  const std::vector<Inputs> samples = samples_of(4, 1000);
  const SampleSource source{.count = samples.size(),
                            .read = [&](size_t index) -> Result<Sample> {
                              const auto bytes = std::as_bytes(std::span(samples[index].front()));
                              return Sample{{bytes.begin(), bytes.end()}};
                            },
                            .name = [](size_t index) { return std::to_string(index); }};
  auto calibration = calibrate(*file, testing::tflite_library(), source, {});
  EXPECT_TRUE(calibration) << calibration.error().message;
  return std::move(*calibration);
}

std::vector<uint32_t> output_bits(const schema::ModelT& model, const Inputs& inputs) {
  std::vector<uint32_t> bits;
  for (const auto& output : testing::run_in_tflite(model, inputs)) {
    for (const float value : output.values) bits.push_back(std::bit_cast<uint32_t>(value));
  }
  return bits;
}

class ChannelEqualization : public ::testing::Test {
 protected:
  void SetUp() override {
    if (testing::tflite_library() == nullptr) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  }

  // What has become of the network; a failure where it computes anything else than before.
  EqualizationReport equalize(schema::ModelT& model, const std::set<int32_t>& untouched = {},
                              Equalization equalization = Equalization::kFull) {
    const schema::ModelT before = model;
    auto report = equalize_channels(model, calibrated(model), untouched, equalization);
    EXPECT_TRUE(report) << report.error().message;
    for (const Inputs& inputs : samples_of(3, 5)) {
      EXPECT_EQ(output_bits(before, inputs), output_bits(model, inputs));
    }
    expect_names_to_tell(before, model);
    return report.value_or(EqualizationReport{});
  }

  // Activations have other values than before exactly where they have other names.
  static void expect_names_to_tell(const schema::ModelT& before, const schema::ModelT& after) {
    const Calibration old_values = calibrated(before);
    const Calibration new_values = calibrated(after);
    for (const auto& [tensor, observer] : old_values.tensors) {
      const auto& now = new_values.tensors.at(tensor);
      const auto maxima = [](const TensorObserver& of) {
        std::vector<float> values;
        for (const ChannelStatistics& channel : of.channels()) values.push_back(channel.maximum);
        return values;
      };
      EXPECT_EQ(maxima(observer) == maxima(now), name_of(before, tensor) == name_of(after, tensor))
          << name_of(before, tensor);
    }
  }

  // Of the channels of a tensor: the largest magnitude of each by that of all.
  static std::vector<double> relative_ranges(const schema::ModelT& model, int32_t tensor) {
    const Calibration calibration = calibrated(model);
    std::vector<double> ranges;
    for (const ChannelStatistics& channel : calibration.tensors.at(tensor).channels()) {
      ranges.push_back(
          std::max(std::abs(double{channel.minimum}), std::abs(double{channel.maximum})));
    }
    const double largest = std::ranges::max(ranges);
    for (double& range : ranges) range /= largest;
    return ranges;
  }

  static const std::string& name_of(const schema::ModelT& model, int32_t tensor) {
    return model.subgraphs.front()->tensors[static_cast<size_t>(tensor)]->name;
  }

  Images images_;
};

TEST_F(ChannelEqualization, ChannelsBetweenLayersGetAboutTheSameRange) {
  const int32_t hidden = images_.conv(images_.input(), ActivationFunctionType::RELU);
  schema::ModelT model = images_.end(images_.depthwise(hidden));
  EXPECT_LT(std::ranges::min(relative_ranges(model, hidden)), 0.05);
  const EqualizationReport report = equalize(model);
  // Factors are powers of two, and no channel becomes the largest.
  EXPECT_GE(std::ranges::min(relative_ranges(model, hidden)), 0.5);
  ASSERT_THAT(report.groups, ::testing::SizeIs(::testing::Ge(1u)));
  EXPECT_EQ(report.groups.front().tensor, name_of(model, hidden));
  EXPECT_EQ(report.groups.front().channels, size_t{kChannels});
  EXPECT_GT(report.groups.front().predicted_gain, 3);
}

// Room for inputs that calibration has not seen.
TEST_F(ChannelEqualization, CautiouslyChannelsGrowToHalfOfTheRange) {
  const int32_t hidden = images_.conv(images_.input(), ActivationFunctionType::RELU);
  schema::ModelT model = images_.end(images_.depthwise(hidden));
  const std::vector<double> before = relative_ranges(model, hidden);
  equalize(model, {}, Equalization::kCautious);
  const std::vector<double> ranges = relative_ranges(model, hidden);
  for (size_t c = 0; c < ranges.size(); ++c) {
    if (ranges[c] == before[c]) continue;
    EXPECT_GT(ranges[c], 0.25) << c;
    EXPECT_LE(ranges[c], 0.5) << c;
  }
  EXPECT_NE(ranges, before);
}

TEST_F(ChannelEqualization, OnlyWhatHasOtherValuesGetsAnotherName) {
  const int32_t x = images_.input();
  const int32_t hidden = images_.conv(x);
  const std::string name_before = "CONV_2D 3";
  schema::ModelT model = images_.end(images_.depthwise(hidden));
  ASSERT_EQ(name_of(model, hidden), name_before);
  equalize(model);
  EXPECT_EQ(name_of(model, hidden), name_before + std::string(kEqualizedSuffix));
  EXPECT_EQ(name_of(model, x), "x");
  const int32_t output = model.subgraphs.front()->outputs.front();
  EXPECT_FALSE(name_of(model, output).ends_with(kEqualizedSuffix));
}

// Everything that a factor goes through, in one network: the bits of its output are the check.
TEST_F(ChannelEqualization, GoesThroughWhateverIsPositivelyHomogeneous) {
  const int32_t x = images_.input();
  const int32_t stream = images_.conv(x, ActivationFunctionType::RELU);
  const int32_t branch = images_.conv(images_.depthwise(stream));
  const int32_t sum = images_.add(stream, branch);
  const int32_t shifted = images_.apply(
      BuiltinOperator::SUB, schema::SubOptionsT{},
      {sum, images_.constant({kChannels}, scattered_values(kChannels, -0.01f, 0.01f))});
  const int32_t rectified = images_.apply(BuiltinOperator::RELU, {shifted});
  schema::LeakyReluOptionsT leaky;
  leaky.alpha = 0.25f;
  const int32_t leaking = images_.apply(BuiltinOperator::LEAKY_RELU, leaky, {shifted});
  const int32_t larger = images_.apply(BuiltinOperator::MAXIMUM, schema::MaximumMinimumOptionsT{},
                                       {rectified, leaking});
  schema::Pool2DOptionsT pool;
  pool.stride_w = pool.stride_h = 1;
  pool.filter_width = pool.filter_height = 2;
  const int32_t pooled = images_.apply(BuiltinOperator::MAX_POOL_2D, pool, {larger});
  const int32_t averaged = images_.apply(BuiltinOperator::AVERAGE_POOL_2D, pool, {pooled});
  const int32_t paddings = images_.builder().integers("paddings", {4, 2}, {0, 0, 1, 1, 1, 1, 0, 0});
  const int32_t padded =
      images_.apply(BuiltinOperator::PAD, schema::PadOptionsT{}, {averaged, paddings},
                    {1, kExtent + 2, kExtent + 2, kChannels});
  const int32_t axes = images_.builder().integers("axes", {2}, {1, 2});
  const int32_t means = images_.apply(BuiltinOperator::MEAN, schema::ReducerOptionsT{},
                                      {padded, axes}, {1, kChannels});
  const int32_t matrix = images_.constant({3, kChannels}, scattered_values(3 * kChannels, -1, 1));
  schema::ModelT model = images_.builder().build(
      {images_.apply(BuiltinOperator::FULLY_CONNECTED, schema::FullyConnectedOptionsT{},
                     {means, matrix}, {1, 3})});
  const EqualizationReport report = equalize(model);
  ASSERT_EQ(report.groups.size(), 2u);
  for (const int32_t tensor : {stream, branch, sum, shifted, rectified, leaking, larger, pooled,
                               averaged, padded, means}) {
    EXPECT_TRUE(name_of(model, tensor).ends_with(kEqualizedSuffix)) << name_of(model, tensor);
  }
}

// One channel of 256 that could have steps half as wide.
TEST_F(ChannelEqualization, WhatGainsNextToNothingStays) {
  constexpr int32_t kMany = 256;
  const graph::Shape shape{1, kExtent, kExtent, kMany};
  const auto no_bias = [&] { return images_.constant({kMany}, std::vector<float>(kMany, 0.0f)); };
  const int32_t hidden = images_.conv(images_.input(), ActivationFunctionType::RELU);
  std::vector<float> weights(size_t{kMany} * kChannels, 0.0f);
  for (size_t o = 0; o < size_t{kMany}; ++o) weights[o * kChannels] = o == 5 ? 0.49f : 1.0f;
  schema::Conv2DOptionsT convolution;
  convolution.stride_w = convolution.stride_h = 1;
  const int32_t even = images_.apply(
      BuiltinOperator::CONV_2D, convolution,
      {images_.depthwise(hidden), images_.constant({kMany, 1, 1, kChannels}, weights), no_bias()},
      shape);
  schema::DepthwiseConv2DOptionsT depthwise;
  depthwise.stride_w = depthwise.stride_h = 1;
  depthwise.depth_multiplier = 1;
  const int32_t taps = images_.constant({1, 1, 1, kMany}, std::vector<float>(kMany, 1.0f));
  schema::ModelT model = images_.builder().build({images_.apply(
      BuiltinOperator::DEPTHWISE_CONV_2D, depthwise, {even, taps, no_bias()}, shape)});
  const EqualizationReport report = equalize(model);
  ASSERT_EQ(report.groups.size(), 1u);
  EXPECT_EQ(report.groups.front().tensor, name_of(model, hidden));
}

TEST_F(ChannelEqualization, AFlattenedImageHasManyColumnsForAChannel) {
  const int32_t hidden = images_.conv(images_.input(), ActivationFunctionType::RELU);
  const int32_t matrix =
      images_.constant({3, kImage}, scattered_values(3 * kImage, -0.01f, 0.01f, 9));
  schema::ModelT model = images_.builder().build(
      {images_.apply(BuiltinOperator::FULLY_CONNECTED, schema::FullyConnectedOptionsT{},
                     {hidden, matrix}, {1, 3})});
  EXPECT_EQ(equalize(model).groups.size(), 1u);
}

TEST_F(ChannelEqualization, PiecesOfAConcatenationKeepTheirPlaces) {
  const int32_t x = images_.input();
  const int32_t left = images_.conv(x);
  const int32_t right = images_.conv(x);
  schema::ConcatenationOptionsT options;
  options.axis = 3;
  const int32_t both = images_.apply(BuiltinOperator::CONCATENATION, options, {left, right},
                                     {1, kExtent, kExtent, 2 * kChannels});
  schema::Conv2DOptionsT convolution;
  convolution.stride_w = convolution.stride_h = 1;
  schema::ModelT model = images_.builder().build({images_.apply(
      BuiltinOperator::CONV_2D, convolution,
      {both, images_.constant({2, 1, 1, 2 * kChannels}, scattered_values(4 * kChannels, -1, 1)),
       images_.constant({2}, {0, 0})},
      {1, kExtent, kExtent, 2})});
  EXPECT_EQ(equalize(model).groups.size(), 2u);
}

// ---- What cannot have factors ----

// Two layers with something in between.
class NoFactors : public ChannelEqualization {
 protected:
  void expect_nothing_equalized(const std::function<int32_t(Images&, int32_t)>& between) {
    Images images;
    schema::ModelT model = images.end(between(images, images.conv(images.input())));
    EXPECT_THAT(equalize(model).groups, IsEmpty());
  }
};

TEST_F(NoFactors, OtherFunctionsThanRelu) {
  for (const auto code : {BuiltinOperator::LOGISTIC, BuiltinOperator::TANH, BuiltinOperator::RELU6,
                          BuiltinOperator::EXP}) {
    SCOPED_TRACE(schema::EnumNameBuiltinOperator(code));
    expect_nothing_equalized([&](Images& images, int32_t x) { return images.apply(code, {x}); });
  }
}

TEST_F(NoFactors, AFusedClamp) {
  Images images;
  schema::ModelT model =
      images.end(images.depthwise(images.conv(images.input(), ActivationFunctionType::RELU6)));
  for (const EqualizedGroup& group : equalize(model).groups) {
    EXPECT_THAT(group.tensor, ::testing::StartsWith("DEPTHWISE"));
  }
}

TEST_F(NoFactors, OneNumberForAllChannels) {
  expect_nothing_equalized(
      [](Images& images, int32_t x) { return images.add(x, images.constant({1}, {0.5f})); });
}

TEST_F(NoFactors, AConstantThatOthersReadToo) {
  expect_nothing_equalized([](Images& images, int32_t x) {
    const int32_t shared = images.constant({kChannels}, scattered_values(kChannels, -1, 1));
    return images.add(images.add(x, shared), shared);
  });
}

TEST_F(NoFactors, ProductsOfActivations) {
  expect_nothing_equalized([](Images& images, int32_t x) {
    return images.apply(BuiltinOperator::MUL, schema::MulOptionsT{}, {x, x});
  });
}

TEST_F(NoFactors, WhatTheNetworkGivesBack) {
  const int32_t hidden = images_.conv(images_.input());
  const int32_t last =
      images_.conv(hidden, images_.values(kChannels * kChannels), ActivationFunctionType::NONE);
  schema::ModelT model = images_.builder().build({hidden, last});
  EXPECT_THAT(equalize(model).groups, IsEmpty());
}

TEST_F(NoFactors, WhatItsUserWantsAsItIs) {
  const int32_t hidden = images_.conv(images_.input());
  schema::ModelT model = images_.end(hidden);
  schema::ModelT again = model;
  EXPECT_THAT(equalize(model, {hidden}).groups, IsEmpty());
  EXPECT_EQ(equalize(again).groups.size(), 1u);
}

// ---- What it is for ----

TEST_F(ChannelEqualization, Int8NetworksLoseLess) {
  const auto sqnr_of_int8 = [](schema::ModelT model) {
    const std::vector<Inputs> samples = samples_of(6, 77);
    std::vector<std::vector<float>> expected;
    for (const Inputs& inputs : samples) {
      expected.push_back(testing::run_in_tflite(model, inputs).front().values);
    }
    EXPECT_TRUE(quantize_to_int8(model, choose_ranges(calibrated(model), {}), {}));
    ErrorStatistics error;
    for (size_t i = 0; i < samples.size(); ++i) {
      error.add(expected[i], testing::run_in_tflite(model, samples[i]).front().values);
    }
    return error.sqnr();
  };
  const int32_t hidden = images_.conv(images_.input(), ActivationFunctionType::RELU);
  // Layers behind read small channels with large weights: what is small is not unimportant.
  std::vector<float> weights = images_.values(kChannels * kChannels);
  for (size_t i = 0; i < weights.size(); ++i) {
    weights[i] /= range_of_channel(i % kChannels);
  }
  schema::ModelT model =
      images_.builder().build({images_.conv(hidden, weights, ActivationFunctionType::NONE)});
  const double before = sqnr_of_int8(model);
  equalize(model);
  EXPECT_GT(sqnr_of_int8(model), before + 6);
}

TEST_F(ChannelEqualization, ConstantsThatAreNoNumbersAreNamed) {
  std::vector<float> weights(size_t{kChannels} * kChannels, 1.0f);
  const int32_t x = images_.input();
  const int32_t hidden = images_.conv(x, weights, ActivationFunctionType::NONE);
  schema::ModelT model = images_.end(hidden);
  const Calibration calibration = calibrated(model);
  weights[3] = std::numeric_limits<float>::quiet_NaN();
  const int32_t filter = model.subgraphs.front()->operators.front()->inputs[1];
  set_contents(model, *model.subgraphs.front()->tensors[static_cast<size_t>(filter)],
               std::as_bytes(std::span(weights)));
  const auto report = equalize_channels(model, calibration, {}, Equalization::kFull);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(report.error().message, ::testing::HasSubstr("'w'"));
}

}  // namespace
}  // namespace lockstep::quantization
