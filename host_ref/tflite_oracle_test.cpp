// The specification against the real engine, operator by operator: ties, extremes and zero points
// at the ends of their range, for int8 and uint8, under the contracts that the engine embodies.
#include "host_ref/testing/tflite_oracle.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>

#include "graph/lowering.h"
#include "graph/testing/graph_builder.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"
#include "host_ref/interpreter.h"
#include "host_ref/testing/differences.h"

namespace lockstep::host_ref {
namespace {

using graph::Activation;
using graph::DataType;
using graph::Graph;
using graph::kAbsentTensor;
using graph::Padding;
using graph::PoolKind;
using graph::Quantization;
using graph::Shape;
using graph::UnaryKind;
using graph::testing::GraphBuilder;
using graph::testing::per_axis;
using graph::testing::per_tensor;
using numerics::Contract;
using testing::Kernels;
using testing::TfliteOracle;

using Bytes = std::vector<std::byte>;

// The 256 values of a byte in a scrambled order, over and over.
Bytes every_byte(size_t count, uint32_t step = 167) {
  Bytes bytes(count);
  for (size_t i = 0; i < count; ++i) {
    bytes[i] = static_cast<std::byte>((i * step + i / 256) & 0xff);
  }
  return bytes;
}

// Bytes in order: element i is i.
Bytes counting_bytes(size_t count) { return every_byte(count, 1); }

Bytes dice(size_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  Bytes bytes(count);
  std::generate(bytes.begin(), bytes.end(),
                [&] { return static_cast<std::byte>(generator() & 0xff); });
  return bytes;
}

// Only the smallest and the largest value of a type.
Bytes extremes(DataType type, size_t count, uint32_t seed) {
  const std::byte low{static_cast<uint8_t>(type == DataType::kInt8 ? 0x80 : 0x00)};
  Bytes bytes = dice(count, seed);
  std::transform(bytes.begin(), bytes.end(), bytes.begin(), [&](std::byte value) {
    return (value & std::byte{0x10}) == std::byte{0} ? low : ~low;
  });
  return bytes;
}

size_t elements(const Shape& shape) {
  return static_cast<size_t>(graph::element_count(shape).value_or(0));
}

struct Case {
  Contract contract;
  DataType type;

  // The type's zero point for `signed_zero_point` of int8.
  int32_t zero_point(int32_t signed_zero_point) const {
    return signed_zero_point + (type == DataType::kUint8 ? 128 : 0);
  }
  Quantization quantization(float scale, int32_t signed_zero_point) const {
    return per_tensor(scale, zero_point(signed_zero_point));
  }
};

class TfliteOracleTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const auto oracle = TfliteOracle::from_environment();
    ASSERT_TRUE(oracle.has_value()) << oracle.error().message;
    if (*oracle == nullptr) {
      GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY names no engine";
    }
    oracle_ = *oracle;
  }

  // The engine's outputs. Where XNNPACK takes a network and then cannot build it, engines fall back
  // to the builtin kernels.
  Result<std::vector<testing::EngineTensor>> run_engine(const Bytes& file,
                                                        const std::vector<Bytes>& inputs) const {
    if (GetParam().contract == Contract::kLitert) {
      auto outputs = oracle_->run(file, inputs, Kernels::kXnnpack);
      if (outputs.has_value() || outputs.error().message.find("XNNPack") == std::string::npos) {
        return outputs;
      }
    }
    return oracle_->run(file, inputs, Kernels::kBuiltin);
  }

  // Runs the graph in both; every output is compared.
  void compare(const Graph& graph, const std::vector<Bytes>& inputs) const {
    const auto file = graph::write_tflite(graph);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    const auto engine = run_engine(*file, inputs);
    ASSERT_TRUE(engine.has_value()) << engine.error().message;
    auto lowered = graph::lower(graph, GetParam().contract);
    ASSERT_TRUE(lowered.has_value()) << lowered.error().message;
    auto interpreter = Interpreter::create(*std::move(lowered));
    ASSERT_TRUE(interpreter.has_value()) << interpreter.error().message;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Status status = interpreter->set_input(i, inputs[i]);
      ASSERT_TRUE(status.has_value()) << status.error().message;
    }
    ASSERT_TRUE(interpreter->run().has_value());
    for (size_t i = 0; i < graph.outputs.size(); ++i) {
      const auto& output = graph.tensors[static_cast<size_t>(graph.outputs[i])];
      EXPECT_EQ(
          testing::differences(output, (*engine)[i].bytes, *interpreter->tensor(graph.outputs[i])),
          "");
    }
  }

  DataType type() const { return GetParam().type; }
  bool is_signed() const { return type() == DataType::kInt8; }
  Quantization quantization(float scale, int32_t signed_zero_point) const {
    return GetParam().quantization(scale, signed_zero_point);
  }
  // Weights in the model's type from values in the signed domain.
  int32_t weights(GraphBuilder& builder, Shape shape, Bytes bytes,
                  Quantization quantization) const {
    return builder.constant_bytes("weights", type(), std::move(shape), bytes,
                                  std::move(quantization));
  }
  int32_t bias(GraphBuilder& builder, const std::vector<int32_t>& values, float scale) const {
    return builder.constant<int32_t>("bias", {static_cast<int32_t>(values.size())}, values,
                                     per_tensor(scale));
  }

 private:
  std::shared_ptr<const TfliteOracle> oracle_;
};

// XNNPACK's uint8 kernels are not among them: TFLite 2.9 was built without.
std::vector<Case> all_cases() {
  return {{Contract::kTflite, DataType::kInt8},
          {Contract::kTflite, DataType::kUint8},
          {Contract::kLitert, DataType::kInt8}};
}

std::string case_name(const ::testing::TestParamInfo<Case>& info) {
  return fmt::format("{}_{}", numerics::contract_name(info.param.contract),
                     graph::data_type_name(info.param.type));
}

INSTANTIATE_TEST_SUITE_P(Engine, TfliteOracleTest, ::testing::ValuesIn(all_cases()), case_name);

// Scales at which accumulators fall exactly half way between two results, and ordinary ones.
constexpr std::array kTieScales = {300.0f,     256.0f,          255.5f,     0.5f,    0.25f,
                                   0.3f,       0.75f,           1.0f,       0.0625f, 1.5f,
                                   0.0078125f, 0.00390625f * 3, 0.01234567f};

std::vector<int32_t> stepped_bias(int32_t channels) {
  std::vector<int32_t> values;
  for (int32_t i = 0; i < channels; ++i) {
    values.push_back((i - channels / 2) * (i % 3 == 0 ? 1 : 37));
  }
  return values;
}

TEST_P(TfliteOracleTest, PointwiseConvolutionOnTies) {
  for (const float scale : kTieScales) {
    for (const Quantization& output : {quantization(1.0f, -5), quantization(64.0f, 7)}) {
      SCOPED_TRACE(fmt::format("scale {} -> {}", scale, output.scales[0]));
      constexpr int32_t kChannels = 24;
      GraphBuilder builder;
      const int32_t input = builder.input("x", type(), {1, 16, 16, 1}, quantization(scale, 3));
      const int32_t w =
          weights(builder, {kChannels, 1, 1, 1}, every_byte(kChannels), quantization(1.0f, 0));
      const int32_t b = bias(builder, stepped_bias(kChannels), scale);
      compare(builder.build({builder.conv_2d(input, w, b, output)}), {counting_bytes(256)});
    }
  }
}

// Accumulators right beside ties, far from zero, where one unit in the last place of a scale moves
// the tie by more than one: which products engines form in double and which in float32 shows here.
std::vector<int32_t> accumulators_beside_ties(double scale) {
  std::vector<int32_t> values;
  for (int32_t result = -100; result <= 100; result += 5) {
    const auto tie = static_cast<int32_t>(std::lround((result + 0.5) / scale));
    for (int32_t distance = -3; distance <= 3; ++distance) {
      values.push_back(tie + distance);
    }
  }
  return values;
}

TEST_P(TfliteOracleTest, ScalesInTheirLastPlace) {
  for (const auto& [input_scale, weights_scale, output_scale] :
       {std::tuple{0.0117f, 0.0123f, 141.0f},
        {0.0235294122f, 0.00713f, 77.7f},
        {0.3333333f, 0.0011f, 411.3f},
        {0.71f, 0.017f, 999.9f}}) {
    SCOPED_TRACE(fmt::format("{} * {} / {}", input_scale, weights_scale, output_scale));
    const std::vector<int32_t> accumulators = accumulators_beside_ties(
        double{input_scale} * double{weights_scale} / double{output_scale});
    const auto channels = static_cast<int32_t>(accumulators.size());
    const float bias_scale = input_scale * weights_scale;
    const Quantization in = quantization(input_scale, 0);
    const Quantization out = quantization(output_scale, 0);
    const auto zero_weights = [&](GraphBuilder& builder, Shape shape) {
      const std::byte zero{static_cast<uint8_t>(is_signed() ? 0 : 128)};
      return weights(builder, std::move(shape), Bytes(accumulators.size(), zero),
                     quantization(weights_scale, 0));
    };
    GraphBuilder convolution;
    const int32_t x = convolution.input("x", type(), {1, 1, 1, 1}, in);
    compare(
        convolution.build({convolution.conv_2d(x, zero_weights(convolution, {channels, 1, 1, 1}),
                                               bias(convolution, accumulators, bias_scale), out)}),
        {Bytes(1)});
    GraphBuilder depthwise;
    const int32_t y = depthwise.input("y", type(), {1, 1, 1, channels}, in);
    compare(depthwise.build(
                {depthwise.depthwise_conv_2d(y, zero_weights(depthwise, {1, 1, 1, channels}),
                                             bias(depthwise, accumulators, bias_scale), out)}),
            {Bytes(accumulators.size())});
    GraphBuilder fully_connected;
    const int32_t z = fully_connected.input("z", type(), {1, 1}, in);
    compare(fully_connected.build({fully_connected.fully_connected(
                z, zero_weights(fully_connected, {channels, 1}),
                bias(fully_connected, accumulators, bias_scale), out)}),
            {Bytes(1)});
  }
}

struct WindowCase {
  int32_t kernel;
  int32_t stride;
  int32_t dilation;
  Padding padding;
  Activation activation;
  int32_t input_zero_point;
  int32_t output_zero_point;
};

constexpr std::array kWindowCases = {
    WindowCase{3, 1, 1, Padding::kSame, Activation::kNone, -128, 127},
    WindowCase{3, 2, 1, Padding::kSame, Activation::kRelu6, 127, -128},
    WindowCase{3, 2, 1, Padding::kValid, Activation::kRelu, 0, 0},
    WindowCase{2, 1, 1, Padding::kSame, Activation::kReluN1To1, -5, 17},
    WindowCase{3, 1, 2, Padding::kSame, Activation::kNone, 11, -3},
    WindowCase{5, 3, 1, Padding::kSame, Activation::kRelu6, -128, -128},
    WindowCase{1, 2, 1, Padding::kValid, Activation::kNone, 100, 1}};

TEST_P(TfliteOracleTest, ConvolutionWindows) {
  for (const WindowCase& c : kWindowCases) {
    SCOPED_TRACE(fmt::format("kernel {} stride {} dilation {}", c.kernel, c.stride, c.dilation));
    GraphBuilder builder;
    const Shape shape = {2, 9, 10, 5};
    const int32_t input =
        builder.input("x", type(), shape, quantization(0.03f, c.input_zero_point));
    const Shape weights_shape = {7, c.kernel, c.kernel, 5};
    const std::vector<float> scales = {0.01f, 0.02f, 0.003f, 0.5f, 0.01f, 0.07f, 0.011f};
    const int32_t w = weights(builder, weights_shape, dice(elements(weights_shape), 5),
                              is_signed() ? per_axis(scales, 0) : quantization(0.013f, -20));
    const int32_t b = builder.constant<int32_t>(
        "bias", {7}, {-1000, 0, 17, 40000, -3, 5, 1},
        is_signed() ? per_axis({3e-4f, 6e-4f, 9e-5f, 0.015f, 3e-4f, 2.1e-3f, 3.3e-4f}, 0)
                    : per_tensor(0.03f * 0.013f));
    const int32_t y = builder.conv_2d(input, w, b, quantization(0.05f, c.output_zero_point),
                                      {.padding = c.padding,
                                       .stride_height = c.stride,
                                       .stride_width = c.stride,
                                       .dilation_height = c.dilation,
                                       .dilation_width = c.dilation,
                                       .activation = c.activation});
    const Graph graph = builder.build({y});
    compare(graph, {dice(elements(shape), 1)});
    compare(graph, {extremes(type(), elements(shape), 2)});
  }
}

TEST_P(TfliteOracleTest, DepthwiseConvolutionWindows) {
  for (const WindowCase& c : kWindowCases) {
    for (const int32_t depth_multiplier : {1, 3}) {
      SCOPED_TRACE(fmt::format("kernel {} stride {} dilation {} depth multiplier {}", c.kernel,
                               c.stride, c.dilation, depth_multiplier));
      GraphBuilder builder;
      const Shape shape = {2, 9, 10, 5};
      const int32_t channels = 5 * depth_multiplier;
      const int32_t input =
          builder.input("x", type(), shape, quantization(0.03f, c.input_zero_point));
      const Shape weights_shape = {1, c.kernel, c.kernel, channels};
      std::vector<float> scales;
      std::vector<float> bias_scales;
      for (int32_t i = 0; i < channels; ++i) {
        scales.push_back(0.01f + 0.003f * static_cast<float>(i * i));
        bias_scales.push_back(0.03f * scales.back());
      }
      const int32_t w = weights(builder, weights_shape, dice(elements(weights_shape), 5),
                                is_signed() ? per_axis(scales, 3) : quantization(0.013f, -20));
      const int32_t b = builder.constant<int32_t>(
          "bias", {channels}, stepped_bias(channels),
          is_signed() ? per_axis(bias_scales, 0) : per_tensor(0.03f * 0.013f));
      const int32_t y =
          builder.depthwise_conv_2d(input, w, b, quantization(0.05f, c.output_zero_point),
                                    {.padding = c.padding,
                                     .stride_height = c.stride,
                                     .stride_width = c.stride,
                                     .dilation_height = c.dilation,
                                     .dilation_width = c.dilation,
                                     .activation = c.activation});
      const Graph graph = builder.build({y});
      compare(graph, {dice(elements(shape), 1)});
      compare(graph, {extremes(type(), elements(shape), 2)});
    }
  }
}

TEST_P(TfliteOracleTest, DepthwiseConvolutionOnTies) {
  for (const float scale : kTieScales) {
    for (const Quantization& output : {quantization(1.0f, -5), quantization(64.0f, 7)}) {
      SCOPED_TRACE(fmt::format("scale {} -> {}", scale, output.scales[0]));
      constexpr int32_t kChannels = 24;
      GraphBuilder builder;
      const int32_t input = builder.input("x", type(), {1, 16, 16, 1}, quantization(scale, 3));
      const int32_t w =
          weights(builder, {1, 1, 1, kChannels}, every_byte(kChannels), quantization(1.0f, 0));
      const int32_t b = bias(builder, stepped_bias(kChannels), scale);
      compare(builder.build({builder.depthwise_conv_2d(input, w, b, output)}),
              {counting_bytes(256)});
    }
  }
}

TEST_P(TfliteOracleTest, FullyConnectedOnTies) {
  for (const float scale : kTieScales) {
    for (const Activation activation : {Activation::kNone, Activation::kRelu}) {
      for (const bool has_bias : {true, false}) {
        SCOPED_TRACE(fmt::format("scale {} bias {}", scale, has_bias));
        GraphBuilder builder;
        const int32_t input = builder.input("x", type(), {64, 4}, quantization(scale, 3));
        const int32_t w =
            weights(builder, {9, 4}, dice(36, 3), quantization(1.0f, is_signed() ? 0 : -11));
        const int32_t b = has_bias ? bias(builder, stepped_bias(9), scale) : kAbsentTensor;
        const int32_t y = builder.fully_connected(input, w, b, quantization(16.0f, -5),
                                                  {.activation = activation});
        compare(builder.build({y}), {every_byte(256)});
      }
    }
  }
}

TEST_P(TfliteOracleTest, FullyConnectedWithWeightsZeroPoints) {
  if (GetParam().contract == Contract::kLitert && is_signed()) {
    GTEST_SKIP() << "refused by the lowering";
  }
  for (const int32_t weights_zero_point : {-128, -1, 127}) {
    SCOPED_TRACE(weights_zero_point);
    GraphBuilder builder;
    const int32_t input = builder.input("x", type(), {2, 3, 50}, quantization(0.02f, 100));
    const int32_t w =
        weights(builder, {5, 50}, dice(250, 3), quantization(0.01f, weights_zero_point));
    const int32_t b = bias(builder, stepped_bias(5), 0.02f * 0.01f);
    const int32_t y =
        builder.fully_connected(input, w, b, quantization(0.5f, -5), {.keep_num_dims = true});
    compare(builder.build({y}), {every_byte(300)});
  }
}

// Bounds that fall half way between two integers, with even and odd zero points.
TEST_P(TfliteOracleTest, FusedActivationBoundsOnTies) {
  for (const float output_scale : {4.0f, 12.0f, 2.0f, 0.4f, 2.4f, 0.0470588f}) {
    for (const int32_t zero_point : {0, 1, -127, 126}) {
      for (const Activation activation :
           {Activation::kRelu, Activation::kRelu6, Activation::kReluN1To1}) {
        SCOPED_TRACE(fmt::format("scale {} zero point {}", output_scale, zero_point));
        GraphBuilder builder;
        const Quantization in = quantization(output_scale * 0.25f, 0);
        const int32_t input = builder.input("x", type(), {1, 16, 16, 1}, in);
        const int32_t w =
            weights(builder, {1, 1, 1, 1}, {std::byte{is_signed() ? uint8_t{1} : uint8_t{129}}},
                    quantization(1.0f, 0));
        const int32_t b = bias(builder, {0}, in.scales[0]);
        const Quantization out = quantization(output_scale, zero_point);
        // One network each: XNNPACK refuses all of a network or nothing.
        const int32_t convolved = builder.conv_2d(input, w, b, out, {.activation = activation});
        compare(builder.build({convolved}), {counting_bytes(256)});
        GraphBuilder add;
        const int32_t addend = add.input("x", type(), {256}, in);
        compare(add.build({add.add(addend, addend, out, activation)}), {counting_bytes(256)});
        GraphBuilder mul;
        const int32_t factor = mul.input("x", type(), {256}, in);
        compare(mul.build({mul.mul(factor, factor, out, activation)}), {counting_bytes(256)});
      }
    }
  }
}

struct PairCase {
  float left;
  float right;
  float output;
  int32_t left_zero_point;
  int32_t right_zero_point;
  int32_t output_zero_point;
};

constexpr std::array kPairCases = {
    PairCase{0.5f, 0.5f, 1.0f, 0, 0, 0}, PairCase{0.5f, 0.25f, 0.75f, -3, 4, 5},
    PairCase{0.1f, 0.3f, 0.37f, -128, 127, -1}, PairCase{0.02f, 0.9f, 0.01f, 127, -128, 127},
    PairCase{1.0f, 0.001f, 0.5f, 1, -1, -128},
    PairCase{0.0235294f, 0.0235294f, 0.0352f, -128, -128, -128},
    PairCase{2.0f, 3.0f, 11.0f, 12, -14, 100},
    // Beyond what XNNPACK takes, in either direction.
    PairCase{0.3f, 0.0002f, 0.5f, 7, -7, 0}, PairCase{300.0f, 2.0f, 1.0f, -3, 4, 5},
    PairCase{0.001f, 0.001f, 0.5f, -3, 4, 5}};

// All 65,536 pairs of values.
TEST_P(TfliteOracleTest, EveryPairOfAddends) {
  for (const PairCase& c : kPairCases) {
    SCOPED_TRACE(fmt::format("{} + {} -> {}", c.left, c.right, c.output));
    GraphBuilder builder;
    const int32_t left =
        builder.input("left", type(), {1, 256, 1, 1}, quantization(c.left, c.left_zero_point));
    const int32_t right =
        builder.input("right", type(), {1, 1, 256, 1}, quantization(c.right, c.right_zero_point));
    const int32_t y = builder.add(left, right, quantization(c.output, c.output_zero_point));
    compare(builder.build({y}), {counting_bytes(256), counting_bytes(256)});
  }
}

TEST_P(TfliteOracleTest, EveryPairOfFactors) {
  for (const PairCase& c : kPairCases) {
    SCOPED_TRACE(fmt::format("{} * {} -> {}", c.left, c.right, c.output));
    GraphBuilder builder;
    const int32_t left =
        builder.input("left", type(), {1, 256, 1, 1}, quantization(c.left, c.left_zero_point));
    const int32_t right =
        builder.input("right", type(), {1, 1, 256, 1}, quantization(c.right, c.right_zero_point));
    const int32_t y = builder.mul(left, right, quantization(c.output, c.output_zero_point));
    compare(builder.build({y}), {counting_bytes(256), counting_bytes(256)});
  }
}

TEST_P(TfliteOracleTest, BroadcastShapes) {
  const std::vector<std::pair<Shape, Shape>> shapes = {{{2, 3, 4, 5}, {2, 3, 4, 5}},
                                                       {{2, 3, 4, 5}, {5}},
                                                       {{5}, {2, 3, 4, 5}},
                                                       {{2, 3, 4, 5}, {1, 1, 1, 1}},
                                                       {{2, 3, 4, 5}, {2, 1, 1, 5}},
                                                       {{2, 1, 4, 1}, {3, 1, 5}},
                                                       {{7}, {7}},
                                                       {{3, 1}, {1, 4}}};
  for (const auto& [left_shape, right_shape] : shapes) {
    SCOPED_TRACE(graph::shape_to_string(left_shape) + " and " +
                 graph::shape_to_string(right_shape));
    GraphBuilder builder;
    const int32_t left = builder.input("left", type(), left_shape, quantization(0.1f, 3));
    const int32_t right = builder.input("right", type(), right_shape, quantization(0.07f, -9));
    compare(builder.build({builder.add(left, right, quantization(0.12f, 1)),
                           builder.mul(left, right, quantization(0.3f, 1))}),
            {dice(elements(left_shape), 1), dice(elements(right_shape), 2)});
  }
}

TEST_P(TfliteOracleTest, Pools) {
  for (const PoolKind kind : {PoolKind::kAverage, PoolKind::kMax}) {
    for (const Padding padding : {Padding::kSame, Padding::kValid}) {
      for (const auto& [filter, stride] : {std::pair{2, 1}, {2, 2}, {3, 1}, {3, 2}, {4, 3}}) {
        for (const Activation activation : {Activation::kNone, Activation::kRelu6}) {
          SCOPED_TRACE(fmt::format("filter {} stride {}", filter, stride));
          GraphBuilder builder;
          const Shape shape = {2, 7, 9, 5};
          const Quantization both = quantization(0.2f, -100);
          const int32_t input = builder.input("x", type(), shape, both);
          const int32_t y = builder.pool_2d(input,
                                            {.kind = kind,
                                             .padding = padding,
                                             .stride_height = stride,
                                             .stride_width = stride,
                                             .filter_height = filter,
                                             .filter_width = filter,
                                             .activation = activation},
                                            both);
          const Graph graph = builder.build({y});
          compare(graph, {dice(elements(shape), 1)});
          compare(graph, {extremes(type(), elements(shape), 2)});
        }
      }
    }
  }
}

TEST_P(TfliteOracleTest, Means) {
  const std::vector<std::pair<Shape, std::vector<int32_t>>> reductions = {
      {{1, 7, 7, 256}, {1, 2}},  {{2, 4, 4, 64}, {1, 2}},   {{1, 2, 1, 256}, {2, 1}},
      {{1, 1, 1, 256}, {1, 2}},  {{2, 5, 3, 64}, {1}},      {{2, 5, 3, 64}, {-1}},
      {{2, 5, 3, 8}, {1, 2, 3}}, {{2, 4, 3, 64}, {-3, -2}}, {{8, 12}, {0}}};
  for (const auto& [shape, axes] : reductions) {
    for (const bool keep_dims : {true, false}) {
      for (const auto& [output_scale, input_zero_point, output_zero_point] :
           {std::tuple{0.02f, 3, 3},
            {0.013f, -128, -128},
            {0.05f, 127, -77},
            {0.02f, -7, 8},
            {0.03f, -28, 5},
            {0.04f, -27, 5},
            {0.00005f, -7, 8},
            {9.0f, -100, 8}}) {
        SCOPED_TRACE(fmt::format("{} keep {} zero points {} {}", graph::shape_to_string(shape),
                                 keep_dims, input_zero_point, output_zero_point));
        GraphBuilder builder;
        const int32_t input =
            builder.input("x", type(), shape, quantization(0.02f, input_zero_point));
        const int32_t y =
            builder.mean(input, axes, keep_dims, quantization(output_scale, output_zero_point));
        const Graph graph = builder.build({y});
        compare(graph, {dice(elements(shape), 1)});
        compare(graph, {every_byte(elements(shape))});
      }
    }
  }
}

TEST_P(TfliteOracleTest, Pads) {
  for (const auto& [shape, amounts] :
       {std::pair<Shape, std::vector<int32_t>>{{1, 3, 4, 5}, {0, 0, 1, 2, 3, 0, 0, 0}},
        {{2, 3, 4, 2}, {1, 0, 0, 1, 0, 0, 2, 1}},
        {{7, 3}, {0, 1, 2, 0}}}) {
    GraphBuilder builder;
    const int32_t input = builder.input("x", type(), shape, quantization(0.1f, -17));
    const int32_t value =
        builder.constant_bytes("value", type(), {1}, Bytes{std::byte{77}}, quantization(0.1f, -17));
    compare(builder.build({builder.pad(input, amounts), builder.pad_with(input, amounts, value)}),
            {every_byte(elements(shape))});
  }
}

// The engine copies bytes whatever they mean; real zero is the output's.
TEST_P(TfliteOracleTest, PadsBetweenDifferentZeroPoints) {
  GraphBuilder builder;
  const int32_t input = builder.input("x", type(), {4, 5}, quantization(0.1f, -17));
  const int32_t amounts = builder.constant<int32_t>("amounts", {2, 2}, {1, 0, 2, 1});
  const int32_t y =
      builder.apply(graph::PadAttributes{}, {input, amounts}, type(), quantization(0.2f, 33));
  compare(builder.build({y}), {every_byte(20)});
}

// The engine takes int8 only with equal quantization. The pairs of scales are such that a product
// with the inverse rounds otherwise than a quotient.
TEST_P(TfliteOracleTest, Concatenations) {
  for (const int32_t axis : {0, 1, -1}) {
    for (const auto& [input_scale, output_scale, zero_point] :
         {std::tuple{0.04f, 0.1f, 90},
          {0.517470002f, 0.550499976f, -106},
          {0.426549971f, 0.640929997f, 63},
          {0.297699988f, 0.363999993f, -32}}) {
      SCOPED_TRACE(fmt::format("axis {} scale {} -> {}", axis, input_scale, output_scale));
      const Shape shape = {2, 3, 256};
      const Quantization out = quantization(output_scale, -17);
      GraphBuilder builder;
      const int32_t left = builder.input("left", type(), shape, out);
      const int32_t right = builder.input(
          "right", type(), shape, is_signed() ? out : quantization(input_scale, zero_point));
      compare(builder.build({builder.concatenation({left, right, left}, axis, out)}),
              {every_byte(elements(shape)), every_byte(elements(shape), 3)});
    }
  }
}

TEST_P(TfliteOracleTest, ReshapesMoveNothing) {
  GraphBuilder builder;
  const int32_t input = builder.input("x", type(), {2, 3, 4, 1}, quantization(0.1f, -17));
  compare(builder.build({builder.reshape(input, {4, 6})}), {every_byte(24)});
}

// Extents of an image before and after, in either direction.
struct ResizeCase {
  int32_t input_height;
  int32_t input_width;
  int32_t output_height;
  int32_t output_width;
};

constexpr std::array kResizeCases = {
    ResizeCase{1, 1, 3, 2},    ResizeCase{2, 3, 4, 6},      ResizeCase{3, 2, 24, 16},
    ResizeCase{5, 7, 8, 5},    ResizeCase{6, 6, 12, 12},    ResizeCase{7, 5, 1, 1},
    ResizeCase{9, 8, 4, 4},    ResizeCase{10, 11, 37, 101}, ResizeCase{13, 17, 3, 5},
    ResizeCase{16, 9, 9, 16},  ResizeCase{33, 4, 10, 3},    ResizeCase{4, 33, 6, 80},
    ResizeCase{1, 40, 7, 41},  ResizeCase{64, 3, 63, 2},    ResizeCase{12, 12, 13, 13},
    ResizeCase{3, 100, 2, 33}, ResizeCase{2, 2, 255, 3},    ResizeCase{20, 20, 60, 7},
    ResizeCase{2, 3, 82, 123},
};

TEST_P(TfliteOracleTest, Resizes) {
  for (const graph::ResizeKind kind :
       {graph::ResizeKind::kBilinear, graph::ResizeKind::kNearestNeighbor}) {
    for (const ResizeCase& c : kResizeCases) {
      for (const auto& [align_corners, half_pixel_centers] :
           {std::pair{false, false}, {true, false}, {false, true}, {true, true}}) {
        if (kind == graph::ResizeKind::kBilinear && align_corners && half_pixel_centers) {
          continue;
        }
        for (const int32_t channels : {1, 5, 16}) {
          SCOPED_TRACE(fmt::format("kind {} {}x{} to {}x{} align {} half {} channels {}",
                                   static_cast<int>(kind), c.input_height, c.input_width,
                                   c.output_height, c.output_width, align_corners,
                                   half_pixel_centers, channels));
          GraphBuilder builder;
          const Shape shape = {2, c.input_height, c.input_width, channels};
          const int32_t input = builder.input("x", type(), shape, quantization(0.2f, -100));
          const Graph graph = builder.build({builder.resize(
              input, c.output_height, c.output_width, {kind, align_corners, half_pixel_centers})});
          compare(graph, {dice(elements(shape), 1)});
          compare(graph, {extremes(type(), elements(shape), 2)});
        }
      }
    }
  }
}

// Engines move bytes whatever they mean; XNNPACK leaves such an operator to the builtin kernel.
TEST_P(TfliteOracleTest, ResizesBetweenDifferentQuantizations) {
  for (const Quantization& output :
       {quantization(0.2f, 5), quantization(0.3f, -100), quantization(0.3f, 5)}) {
    for (const graph::ResizeKind kind :
         {graph::ResizeKind::kBilinear, graph::ResizeKind::kNearestNeighbor}) {
      GraphBuilder builder;
      const Shape shape = {1, 7, 9, 5};
      const int32_t input = builder.input("x", type(), shape, quantization(0.2f, -100));
      const int32_t size = builder.constant<int32_t>("size", {2}, {13, 11});
      const int32_t y =
          builder.apply(graph::ResizeAttributes{.kind = kind, .half_pixel_centers = true},
                        {input, size}, type(), output);
      compare(builder.build({y}), {dice(elements(shape), 3)});
    }
  }
}

TEST_P(TfliteOracleTest, PixelBlocks) {
  for (const auto& [shape, size] : {std::pair<Shape, int32_t>{{1, 1, 1, 4}, 2},
                                    {{2, 3, 5, 36}, 3},
                                    {{2, 4, 3, 16}, 2},
                                    {{1, 24, 24, 64}, 2},
                                    {{3, 2, 2, 5}, 1}}) {
    SCOPED_TRACE(fmt::format("{} in blocks of {}", graph::shape_to_string(shape), size));
    GraphBuilder builder;
    const int32_t input = builder.input("x", type(), shape, quantization(0.2f, -100));
    const int32_t pixels = builder.depth_to_space(input, size);
    compare(builder.build({pixels}), {dice(elements(shape), 1)});
    GraphBuilder back;
    const int32_t spread =
        back.input("x", type(), builder.tensor_at(pixels).shape, quantization(0.2f, -100));
    compare(back.build({back.space_to_depth(spread, size)}), {dice(elements(shape), 1)});
  }
}

TEST_P(TfliteOracleTest, Softmaxes) {
  for (const float beta : {1.0f, 0.5f}) {
    for (const float scale : {0.01f, 0.1f, 0.3f, 1.0f}) {
      for (const int32_t depth : {1, 2, 10, 256}) {
        SCOPED_TRACE(fmt::format("beta {} scale {} depth {}", beta, scale, depth));
        GraphBuilder builder;
        const Shape shape = {512 / depth, depth};
        const int32_t input = builder.input("x", type(), shape, quantization(scale, 12));
        const int32_t y = builder.softmax(input, quantization(1.0f / 256.0f, -128), beta);
        const Graph graph = builder.build({y});
        compare(graph, {every_byte(elements(shape))});
        compare(graph, {dice(elements(shape), 5)});
        compare(graph, {extremes(type(), elements(shape), 5)});
      }
    }
  }
}

TEST_P(TfliteOracleTest, Logistic) {
  // The last four put a result exactly half way between two integers, or so close to it that the
  // form in which the function is computed decides.
  for (const float scale : {0.5f, 0.0625f, 0.047f, 0.01f, 3.0f, 0.0142179998f, 0.00637399964f,
                            0.0649619997f, 0.100468002f}) {
    for (const int32_t zero_point : {-128, 0, 5, 127}) {
      SCOPED_TRACE(fmt::format("scale {} zero point {}", scale, zero_point));
      GraphBuilder builder;
      const int32_t input = builder.input("x", type(), {256}, quantization(scale, zero_point));
      compare(builder.build(
                  {builder.unary(UnaryKind::kLogistic, input, quantization(1.0f / 256.0f, -128))}),
              {counting_bytes(256)});
    }
  }
}

TEST_P(TfliteOracleTest, ElementwiseTables) {
  for (const UnaryKind kind : {UnaryKind::kTanh, UnaryKind::kRelu, UnaryKind::kReluN1To1,
                               UnaryKind::kRelu6, UnaryKind::kHardSwish, UnaryKind::kLeakyRelu}) {
    for (const PairCase& c : kPairCases) {
      for (const float alpha : {0.1f, -0.5f, 0.25f}) {
        SCOPED_TRACE(fmt::format("kind {} scale {} -> {} alpha {}", static_cast<int>(kind), c.left,
                                 c.output, alpha));
        // Prepared only while 128 input units stay below one output unit's share.
        if (kind == UnaryKind::kHardSwish && c.left / 128.0f >= c.output) {
          continue;
        }
        GraphBuilder builder;
        const int32_t input =
            builder.input("x", type(), {256}, quantization(c.left, c.left_zero_point));
        compare(builder.build({builder.unary(kind, input,
                                             quantization(c.output, c.output_zero_point), alpha)}),
                {counting_bytes(256)});
      }
    }
  }
}

TEST_P(TfliteOracleTest, Requantizations) {
  for (const PairCase& c : kPairCases) {
    for (const DataType to : {DataType::kInt8, DataType::kUint8}) {
      SCOPED_TRACE(fmt::format("scale {} -> {}", c.left, c.output));
      GraphBuilder builder;
      const int32_t input =
          builder.input("x", type(), {256}, quantization(c.left, c.left_zero_point));
      const Case target{GetParam().contract, to};
      compare(builder.build(
                  {builder.quantize(input, to, target.quantization(c.output, c.output_zero_point)),
                   builder.quantize(input, to, target.quantization(c.left, c.left_zero_point))}),
              {counting_bytes(256)});
    }
  }
}

TEST_P(TfliteOracleTest, Quantizations) {
  for (const float scale : {0.5f, 0.1f, 0.0235294f, 3.0f}) {
    for (const int32_t zero_point : {-128, 0, 3, 127}) {
      SCOPED_TRACE(fmt::format("scale {} zero point {}", scale, zero_point));
      std::vector<float> values;
      for (int32_t i = -600; i <= 600; ++i) {
        const float tie = scale * 0.5f * static_cast<float>(i);
        values.insert(values.end(), {tie, std::nextafter(tie, 1e9f), std::nextafter(tie, -1e9f),
                                     0.013f * static_cast<float>(i)});
      }
      GraphBuilder builder;
      const int32_t input =
          builder.input("x", DataType::kFloat32, {static_cast<int32_t>(values.size())});
      const int32_t y = builder.quantize(input, type(), quantization(scale, zero_point));
      Bytes bytes(values.size() * sizeof(float));
      std::memcpy(bytes.data(), values.data(), bytes.size());
      compare(builder.build({y, builder.dequantize(y)}), {bytes});
    }
  }
}

// The engine's own C API reads behind its list of inputs when it is asked for one that is not
// there.
TEST(TfliteInterpreter, RefusesInputsThatTheModelDoesNotHave) {
  const char* path = std::getenv("LOCKSTEP_TFLITE_LIBRARY");
  if (path == nullptr || *path == '\0') {
    GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY names no engine";
  }
  const auto library = TfliteLibrary::load(path);
  ASSERT_TRUE(library.has_value()) << library.error().message;
  GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kInt8, {4}, per_tensor(1.0f));
  const auto file =
      graph::write_tflite(builder.build({builder.unary(UnaryKind::kRelu, x, per_tensor(1.0f))}));
  ASSERT_TRUE(file.has_value()) << file.error().message;
  const auto interpreter = TfliteInterpreter::create(*library, *file, {});
  ASSERT_TRUE(interpreter.has_value()) << interpreter.error().message;
  const std::array<int32_t, 1> shape = {8};
  for (const size_t index : {size_t{1}, size_t{1'000'000}}) {
    const Status set = (*interpreter)->set_input(index, Bytes(4));
    const Status resized = (*interpreter)->resize_input(index, shape);
    ASSERT_FALSE(set.has_value());
    ASSERT_FALSE(resized.has_value());
    EXPECT_EQ(set.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(resized.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE((*interpreter)->set_input(0, Bytes(4)).has_value());
  EXPECT_TRUE((*interpreter)->resize_input(0, shape).has_value());
  EXPECT_FALSE((*interpreter)->set_input(0, Bytes(4)).has_value());
}

}  // namespace
}  // namespace lockstep::host_ref
