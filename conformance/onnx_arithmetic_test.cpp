// `litert` is the arithmetic of ONNX's QLinearConv and QLinearMatMul, as docs/numerics.md ("ONNX")
// says: cases of our own at ties, on every device, against that formula in the machine's floats.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backend/vulkan/testing/validation_environment.h"
#include "conformance/subject.h"
#include "graph/graph_builder.h"

namespace lockstep::conformance {
namespace {

using graph::DataType;
using graph::GraphBuilder;

const auto* const kValidation = backend::vulkan::testing::fail_on_validation_messages();

using Bytes = std::vector<std::byte>;

struct Scales {
  float input;
  float weights;
  float output;
};

// Halves, and factors whose product and quotient round differently in another order or width.
constexpr Scales kScales[] = {{0.5f, 1.0f, 1.0f},  {0.5f, 0.5f, 1.0f},          {0.3f, 1.0f, 1.0f},
                              {1.0f, 1.0f, 3.0f},  {0.5f, 0.7f, 1.0f},          {0.1f, 0.1f, 0.2f},
                              {0.75f, 0.1f, 0.3f}, {0.0066f, 0.00705f, 0.0107f}};
// Odd, so that adding it before rounding would turn ties around.
constexpr int32_t kOutputZeroPoint = 123;

int32_t saturate(double value) { return static_cast<int32_t>(std::clamp(value, 0.0, 255.0)); }

// saturate(round_half_to_even(float(accumulator) * (x_scale * w_scale / y_scale)) + y_zero_point)
int32_t onnx_output(int32_t accumulator, const Scales& scales) {
  const float scale = scales.input * scales.weights / scales.output;
  const float product = static_cast<float>(accumulator) * scale;
  return saturate(double{std::nearbyint(product)} + kOutputZeroPoint);
}

// Readings of ONNX's text that are another arithmetic.
int32_t scales_in_other_order(int32_t accumulator, const Scales& scales) {
  const float quotient = scales.weights / scales.output;
  const float product = static_cast<float>(accumulator) * (scales.input * quotient);
  return saturate(double{std::nearbyint(product)} + kOutputZeroPoint);
}
int32_t product_in_double(int32_t accumulator, const Scales& scales) {
  const float scale = scales.input * scales.weights / scales.output;
  return saturate(std::nearbyint(double{scale} * accumulator) + kOutputZeroPoint);
}
int32_t zero_point_before_rounding(int32_t accumulator, const Scales& scales) {
  const float scale = scales.input * scales.weights / scales.output;
  return saturate(std::nearbyint(double{scale} * accumulator + kOutputZeroPoint));
}

// Pairs of bytes (low, high) with weights 1 and 127 and input zero point 128, as far as outputs
// are not all saturated: every accumulator from -1,016 to 1,008 and more.
constexpr int32_t kLowest = -8;
constexpr int32_t kHighest = 7;
constexpr int32_t kRows = 256 * (kHighest - kLowest + 1);

Bytes input_bytes() {
  Bytes bytes;
  for (int32_t high = kLowest; high <= kHighest; ++high) {
    for (int32_t low = -128; low <= 127; ++low) {
      bytes.push_back(static_cast<std::byte>(low + 128));
      bytes.push_back(static_cast<std::byte>(high + 128));
    }
  }
  return bytes;
}

std::vector<int32_t> expected_accumulators() {
  std::vector<int32_t> accumulators;
  for (int32_t high = kLowest; high <= kHighest; ++high) {
    for (int32_t low = -128; low <= 127; ++low) accumulators.push_back(low + 127 * high);
  }
  return accumulators;
}

// One FULLY_CONNECTED (QLinearMatMul) and one CONV_2D (QLinearConv) for each of kScales, uint8.
Case tie_case() {
  GraphBuilder builder("ties");
  std::vector<int32_t> outputs;
  Case result;
  result.name = "onnx/ties";
  result.family = "onnx";
  for (const Scales& scales : kScales) {
    const auto input_quantization = graph::per_tensor(scales.input, 128);
    const auto weights_quantization = graph::per_tensor(scales.weights, 64);
    const auto output_quantization = graph::per_tensor(scales.output, kOutputZeroPoint);
    const std::vector<uint8_t> weights = {64 + 1, 64 + 127};
    const int32_t matrix = builder.input("a", DataType::kUint8, {kRows, 2}, input_quantization);
    outputs.push_back(builder.fully_connected(
        matrix, builder.constant<uint8_t>("b", {1, 2}, weights, weights_quantization),
        graph::kAbsentTensor, output_quantization));
    const int32_t image =
        builder.input("x", DataType::kUint8, {1, kRows, 1, 2}, input_quantization);
    outputs.push_back(builder.conv_2d(
        image, builder.constant<uint8_t>("w", {1, 1, 1, 2}, weights, weights_quantization),
        graph::kAbsentTensor, output_quantization));
    result.inputs.insert(result.inputs.end(), 2, input_bytes());
  }
  result.graph = builder.build(outputs).value();
  return result;
}

template <typename Formula>
Bytes outputs_by(Formula formula, const Scales& scales) {
  Bytes bytes;
  for (const int32_t accumulator : expected_accumulators()) {
    bytes.push_back(static_cast<std::byte>(formula(accumulator, scales)));
  }
  return bytes;
}

TEST(OnnxArithmetic, IsLitertOnEveryDevice) {
  const Case ties = tie_case();
  const auto lowered = lower_case(ties, numerics::Contract::kLitert);
  ASSERT_TRUE(lowered) << lowered.error().message;
  const auto accumulators = expected_accumulators();
  const auto accumulator_bytes = std::as_bytes(std::span(accumulators));
  const Bytes expected_accumulator_bytes(accumulator_bytes.begin(), accumulator_bytes.end());
  for (const std::string& selector : list_subjects()) {
    auto subject = open_subject(selector);
    ASSERT_TRUE(subject) << subject.error().message;
    SCOPED_TRACE((*subject)->description().device.name);
    const auto observations = (*subject)->run(*lowered, {}, 1);
    ASSERT_TRUE(observations) << observations.error().message;
    const std::vector<Bytes>& outputs = (*observations)[0].outputs;
    ASSERT_EQ(outputs.size(), 4 * std::size(kScales));
    for (size_t i = 0; i < lowered->output_count; ++i) {
      SCOPED_TRACE(fmt::format("output {}", i));
      EXPECT_TRUE(outputs[i] == outputs_by(onnx_output, kScales[i / 2]));
      EXPECT_TRUE(outputs[lowered->output_count + i] == expected_accumulator_bytes);
    }
  }
}

// QLinearConv with a scale for each channel, which our uint8 layers do not have: int8. A value of
// the uint8 case minus 128, zero points likewise, is the same arithmetic.
TEST(OnnxArithmetic, IsLitertForScalesPerChannelOnEveryDevice) {
  const std::vector<float> channel_scales = {0.1f, 0.2f, 0.3f, 0.4f, 0.7f, 1.0f, 0.00705f};
  constexpr float kInputScale = 0.75f;
  constexpr float kOutputScale = 0.3f;
  const auto to_signed = [](Bytes bytes) {
    for (std::byte& byte : bytes) byte ^= std::byte{0x80};
    return bytes;
  };
  const auto channels = static_cast<int32_t>(channel_scales.size());
  std::vector<int8_t> weights;
  for (int32_t channel = 0; channel < channels; ++channel) {
    weights.push_back(1);
    weights.push_back(127);
  }
  GraphBuilder builder("ties per channel");
  const int32_t image =
      builder.input("x", DataType::kInt8, {1, kRows, 1, 2}, graph::per_tensor(kInputScale, 0));
  const int32_t output = builder.conv_2d(
      image,
      builder.constant<int8_t>("w", {channels, 1, 1, 2}, weights,
                               graph::per_axis(channel_scales, 0)),
      graph::kAbsentTensor, graph::per_tensor(kOutputScale, kOutputZeroPoint - 128));
  Case ties;
  ties.name = "onnx/ties per channel";
  ties.family = "onnx";
  ties.graph = builder.build({output}).value();
  ties.inputs = {to_signed(input_bytes())};
  Bytes expected;
  for (const int32_t accumulator : expected_accumulators()) {
    for (const float scale : channel_scales) {
      expected.push_back(
          static_cast<std::byte>(onnx_output(accumulator, {kInputScale, scale, kOutputScale})));
    }
  }
  expected = to_signed(std::move(expected));
  const auto lowered = lower_case(ties, numerics::Contract::kLitert);
  ASSERT_TRUE(lowered) << lowered.error().message;
  for (const std::string& selector : list_subjects()) {
    auto subject = open_subject(selector);
    ASSERT_TRUE(subject) << subject.error().message;
    SCOPED_TRACE((*subject)->description().device.name);
    const auto observations = (*subject)->run(*lowered, {}, 1);
    ASSERT_TRUE(observations) << observations.error().message;
    EXPECT_TRUE((*observations)[0].outputs[0] == expected);
  }
}

// The uint8 cases would show it if `litert` were one of these.
TEST(OnnxArithmetic, IsToldApartFromOtherReadingsOfItsText) {
  const auto differs_somewhere = [](auto formula) {
    return std::ranges::any_of(kScales, [&](const Scales& scales) {
      return outputs_by(formula, scales) != outputs_by(onnx_output, scales);
    });
  };
  EXPECT_FALSE(differs_somewhere(onnx_output));
  EXPECT_TRUE(differs_somewhere(scales_in_other_order));
  EXPECT_TRUE(differs_somewhere(product_in_double));
  EXPECT_TRUE(differs_somewhere(zero_point_before_rounding));
}

// None of the other contracts is that arithmetic.
TEST(OnnxArithmetic, IsNoOtherContract) {
  const Case ties = tie_case();
  const auto subject = open_subject("ref");
  ASSERT_TRUE(subject) << subject.error().message;
  for (const numerics::Contract contract : numerics::kAllContracts) {
    SCOPED_TRACE(contract_name(contract));
    const auto lowered = lower_case(ties, contract);
    ASSERT_TRUE(lowered) << lowered.error().message;
    const auto observations = (*subject)->run(*lowered, {}, 1);
    ASSERT_TRUE(observations) << observations.error().message;
    bool is_onnx = true;
    for (size_t i = 0; i < lowered->output_count; ++i) {
      is_onnx = is_onnx && (*observations)[0].outputs[i] == outputs_by(onnx_output, kScales[i / 2]);
    }
    EXPECT_EQ(is_onnx, contract == numerics::Contract::kLitert);
  }
}

}  // namespace
}  // namespace lockstep::conformance
