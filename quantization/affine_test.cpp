#include "quantization/affine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace lockstep::quantization {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr graph::IntegerRange kInt8 = {.minimum = -128, .maximum = 127};
constexpr graph::IntegerRange kUint8 = {.minimum = 0, .maximum = 255};
constexpr float kInfinity = std::numeric_limits<float>::infinity();

graph::Tensor tensor_of(graph::DataType type, graph::Shape shape) {
  graph::Tensor tensor;
  tensor.name = "scores";
  tensor.type = type;
  tensor.shape = std::move(shape);
  return tensor;
}

std::vector<float> reals_of(const graph::Tensor& tensor, const std::vector<std::byte>& bytes) {
  const auto values = real_values(tensor, bytes);
  EXPECT_TRUE(values) << values.error().message;
  return values ? *values : std::vector<float>{};
}

TEST(Affine, RangesHoldZeroAndAreNeverEmpty) {
  EXPECT_EQ(widened({.minimum = 2, .maximum = 6}), (TensorRange{.minimum = 0, .maximum = 6}));
  EXPECT_EQ(widened({.minimum = -6, .maximum = -2}), (TensorRange{.minimum = -6, .maximum = 0}));
  EXPECT_EQ(widened({.minimum = -1, .maximum = 3}), (TensorRange{.minimum = -1, .maximum = 3}));
  EXPECT_EQ(widened({}), (TensorRange{.minimum = 0, .maximum = 1}));
}

TEST(Affine, ScaleAndZeroPointFollowTheFormula) {
  EXPECT_EQ(affine_of({.minimum = 0, .maximum = 255}, kInt8),
            (Affine{.scale = 1, .zero_point = -128}));
  EXPECT_EQ(affine_of({.minimum = 0, .maximum = 255}, kUint8),
            (Affine{.scale = 1, .zero_point = 0}));
  EXPECT_EQ(affine_of({.minimum = -255, .maximum = 0}, kInt8),
            (Affine{.scale = 1, .zero_point = 127}));
  EXPECT_EQ(affine_of({.minimum = -51, .maximum = 204}, kUint8),
            (Affine{.scale = 1, .zero_point = 51}));
  // -128 + 127.5 is a tie: away from zero.
  EXPECT_EQ(affine_of({.minimum = -127.5f, .maximum = 127.5f}, kInt8),
            (Affine{.scale = 1, .zero_point = -1}));
  EXPECT_EQ(affine_of({.minimum = 5, .maximum = 255}, kInt8).scale, 1) << "widened to zero";
}

TEST(Affine, ScalesStayNormalNumbers) {
  const Affine tiny = affine_of({.minimum = 0, .maximum = 1e-40f}, kInt8);
  EXPECT_EQ(tiny.scale, kSmallestScale);
  EXPECT_TRUE(std::isnormal(tiny.scale * tiny.scale));
  const float largest = std::numeric_limits<float>::max();
  const Affine huge = affine_of({.minimum = -largest, .maximum = largest}, kInt8);
  EXPECT_TRUE(std::isfinite(huge.scale));
  EXPECT_EQ(huge.zero_point, -1);
}

TEST(Affine, EveryIntegerSurvivesAndEveryValueIsOffByHalfAScaleAtMost) {
  std::mt19937 dice(1);
  for (int i = 0; i < 200; ++i) {
    const auto end = [&dice] { return static_cast<float>(dice() % 20001) / 1000.0f - 10.0f; };
    const float first = end();
    const float second = end();
    const TensorRange range = {.minimum = std::min(first, second),
                               .maximum = std::max(first, second)};
    const Affine affine = affine_of(range, kInt8);
    ASSERT_EQ(dequantize(affine.zero_point, affine), 0.0f) << "zero is exact";
    for (int32_t q = -128; q <= 127; ++q) {
      ASSERT_EQ(quantize(dequantize(q, affine), affine, kInt8), q);
    }
    const TensorRange real = widened(range);
    for (int step = 0; step <= 100; ++step) {
      const float value =
          real.minimum + (real.maximum - real.minimum) * static_cast<float>(step) / 100.0f;
      const float back = dequantize(quantize(value, affine, kInt8), affine);
      // Nudging the zero point moves the ends by up to half a scale more.
      ASSERT_LE(std::abs(back - value), affine.scale * 1.0001f) << value;
    }
    const TensorRange covered = range_of(affine, kInt8);
    EXPECT_NEAR(covered.minimum, real.minimum, affine.scale * 0.501f);
    EXPECT_NEAR(covered.maximum, real.maximum, affine.scale * 0.501f);
  }
}

TEST(Affine, QuantizingRoundsTiesAwayFromZeroAndSaturates) {
  const Affine affine = {.scale = 0.5f, .zero_point = 3};
  EXPECT_EQ(quantize(0.25f, affine, kInt8), 4);
  EXPECT_EQ(quantize(-0.25f, affine, kInt8), 2);
  EXPECT_EQ(quantize(0.2499f, affine, kInt8), 3);
  EXPECT_EQ(quantize(1e30f, affine, kInt8), 127);
  EXPECT_EQ(quantize(kInfinity, affine, kInt8), 127);
  EXPECT_EQ(quantize(-kInfinity, affine, kInt8), -128);
  EXPECT_EQ(quantize(std::nanf(""), affine, kInt8), 3);
  EXPECT_EQ(quantize(3e9f, {.scale = 1}, *graph::integer_range(graph::DataType::kInt32)),
            std::numeric_limits<int32_t>::max());
}

TEST(Affine, SymmetricWeightsUseTheirOwnMaximum) {
  const SymmetricWeights weights = quantize_symmetric(std::vector<float>{-2.54f, 1.27f, 0, 0.01f});
  EXPECT_THAT(weights.values, ElementsAre(-127, 64, 0, 1));
  EXPECT_THAT(weights.scales, ElementsAre(2.54f / 127));
  EXPECT_THAT(quantize_symmetric(std::vector<float>{0, 0}).scales, ElementsAre(1.0f / 127));
  EXPECT_TRUE(quantize_symmetric({}).values.empty());
}

TEST(Affine, EveryChannelHasAScaleWhateverItsAxis) {
  // 2x3: rows of 3.
  const std::vector<float> weights = {127, 2, 0, -1, 254, 0};
  const SymmetricWeights rows = quantize_symmetric_per_axis(weights, std::vector<int32_t>{2, 3}, 0);
  EXPECT_THAT(rows.scales, ElementsAre(1, 2));
  EXPECT_THAT(rows.values, ElementsAre(127, 2, 0, -1, 127, 0)) << "-0.5 is a tie";
  const SymmetricWeights columns =
      quantize_symmetric_per_axis(weights, std::vector<int32_t>{2, 3}, 1);
  EXPECT_THAT(columns.scales, ElementsAre(1, 2, 1.0f / 127));
  EXPECT_THAT(columns.values, ElementsAre(127, 1, 0, -1, 127, 0));
}

TEST(Affine, BiasHasTheProductOfScales) {
  const QuantizedBias bias =
      quantize_bias(std::vector<float>{1, -0.75f, 1e30f}, 0.5f, std::vector<float>{1, 3, 0.25f});
  EXPECT_THAT(bias.scales, ElementsAre(0.5f, 1.5f, 0.125f));
  EXPECT_THAT(bias.values, ElementsAre(2, -1, std::numeric_limits<int32_t>::max()));
  const QuantizedBias of_one_scale =
      quantize_bias(std::vector<float>{1, 2}, 0.5f, std::vector<float>{0.5f});
  EXPECT_THAT(of_one_scale.scales, ElementsAre(0.25f));
  EXPECT_THAT(of_one_scale.values, ElementsAre(4, 8));
}

TEST(Affine, RealValuesAreThoseOfTheTensor) {
  graph::Tensor tensor = tensor_of(graph::DataType::kUint8, {1, 2});
  const std::vector<std::byte> bytes = {std::byte{0}, std::byte{200}};
  EXPECT_THAT(reals_of(tensor, bytes), ElementsAre(0, 200)) << "not quantized";
  tensor.quantization = {.scales = {0.5f}, .zero_points = {100}};
  EXPECT_THAT(reals_of(tensor, bytes), ElementsAre(-50, 50));
  tensor.type = graph::DataType::kInt8;
  EXPECT_THAT(reals_of(tensor, bytes), ElementsAre(-50, -78));
  tensor.quantization = {.scales = {0.5f, 2}, .zero_points = {0, 1}, .axis = 1};
  EXPECT_THAT(reals_of(tensor, bytes), ElementsAre(0, -114));
}

TEST(Affine, TensorBytesAreTheWayBack) {
  const std::vector<float> values = {-1, 0, 0.5f, 2, 3, -2};
  for (const graph::DataType type :
       {graph::DataType::kInt8, graph::DataType::kUint8, graph::DataType::kInt16,
        graph::DataType::kInt32, graph::DataType::kFloat32}) {
    graph::Tensor tensor = tensor_of(type, {2, 3});
    if (type != graph::DataType::kFloat32) {
      tensor.quantization = {
          .scales = {0.25f, 0.5f, 0.125f}, .zero_points = {100, 30, 50}, .axis = 1};
    }
    const auto bytes = tensor_bytes(tensor, values);
    ASSERT_TRUE(bytes) << bytes.error().message;
    EXPECT_EQ(reals_of(tensor, *bytes), values) << graph::data_type_name(type);
  }
}

TEST(Affine, WhatDoesNotBelongTogetherIsRefused) {
  graph::Tensor tensor = tensor_of(graph::DataType::kInt8, {2, 3});
  const std::vector<std::byte> five(5);
  auto refused = real_values(tensor, five);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("'scores' is 2x3, but 5 elements"));
  tensor.quantization = {.scales = {1, 1}, .zero_points = {0, 0}, .axis = 1};
  refused = real_values(tensor, std::vector<std::byte>(6));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("2 scales along axis 1"));
  tensor.type = graph::DataType::kOther;
  EXPECT_FALSE(real_values(tensor, five));
  EXPECT_FALSE(tensor_bytes(tensor, {}));
}

}  // namespace
}  // namespace lockstep::quantization
