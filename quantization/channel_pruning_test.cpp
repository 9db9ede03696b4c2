#include "quantization/channel_pruning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>

#include "graph/tflite_reader.h"
#include "quantization/int8_quantizer.h"
#include "quantization/sparse_storage.h"
#include "quantization/testing/float_network_builder.h"
#include "quantization/testing/tflite_run.h"

namespace lockstep::quantization {
namespace {

using graph::Shape;
using schema::BuiltinOperator;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::FloatNetworkBuilder;
using ::testing::HasSubstr;

// Networks whose layers make nothing of every odd channel: weights and bias are zero there. They
// are what pruning takes first, and nothing is lost by it.
class HalfDeadNetwork {
 public:
  struct Image {
    int32_t tensor;
    Shape shape;
  };

  Image input(Shape shape) { return {builder.input("x", shape), shape}; }

  Image conv(Image x, int32_t channels, int32_t kernel = 1) {
    schema::Conv2DOptionsT options;
    options.padding = schema::Padding::SAME;
    options.stride_w = options.stride_h = 1;
    options.fused_activation_function = schema::ActivationFunctionType::RELU6;
    const int32_t weights = constant({channels, kernel, kernel, x.shape[3]}, 0);
    return apply(BuiltinOperator::CONV_2D, options, {x.tensor, weights, constant({channels}, 0)},
                 {x.shape[0], x.shape[1], x.shape[2], channels});
  }
  // All channels live: it is the last, whose channels are the network's.
  Image last(Image x) {
    schema::Conv2DOptionsT options;
    options.stride_w = options.stride_h = 1;
    const int32_t weights = living({3, 1, 1, x.shape[3]});
    return apply(BuiltinOperator::CONV_2D, options, {x.tensor, weights, living({3})},
                 {x.shape[0], x.shape[1], x.shape[2], 3});
  }
  Image depthwise(Image x, int32_t multiplier) {
    schema::DepthwiseConv2DOptionsT options;
    options.padding = schema::Padding::SAME;
    options.stride_w = options.stride_h = 1;
    options.depth_multiplier = multiplier;
    const int32_t channels = x.shape[3] * multiplier;
    // Of a single channel, every odd one is dead; else all that a dead one goes into.
    const int32_t run = x.shape[3] == 1 ? 1 : multiplier;
    const int32_t weights = constant({1, 3, 3, channels}, 3, run);
    return apply(BuiltinOperator::DEPTHWISE_CONV_2D, options,
                 {x.tensor, weights, constant({channels}, 0, run)},
                 {x.shape[0], x.shape[1], x.shape[2], channels});
  }
  Image fully_connected(Image x, int32_t channels, int32_t columns, bool is_last = false) {
    const int32_t weights =
        is_last ? living({channels, columns}) : constant({channels, columns}, 0);
    const int32_t bias = is_last ? living({channels}) : constant({channels}, 0);
    int32_t elements = 1;
    for (const int32_t extent : x.shape) elements *= extent;
    return apply(BuiltinOperator::FULLY_CONNECTED, schema::FullyConnectedOptionsT{},
                 {x.tensor, weights, bias}, {elements / columns, channels});
  }

  template <typename Options>
  Image apply(BuiltinOperator code, Options options, std::vector<int32_t> inputs, Shape shape) {
    return {builder.apply(code, std::move(options), std::move(inputs), shape), shape};
  }
  Image apply(BuiltinOperator code, std::vector<int32_t> inputs, Shape shape) {
    return {builder.apply(code, std::move(inputs), shape), shape};
  }

  int32_t integers(std::vector<int32_t> values, Shape shape = {}) {
    if (shape.empty()) shape = {static_cast<int32_t>(values.size())};
    return builder.integers("integers", std::move(shape), values);
  }

  int32_t living(Shape shape) {
    const auto count = static_cast<size_t>(graph::element_count(shape).value());
    return builder.constant("c", std::move(shape),
                            testing::scattered_values(count, -1, 1, ++seed_));
  }

  // Zero at odd runs of `run` indices of dimension `axis`.
  int32_t constant(Shape shape, size_t axis, int32_t run = 1) {
    const auto count = static_cast<size_t>(graph::element_count(shape).value());
    auto values = testing::scattered_values(count, -1, 1, ++seed_);
    size_t inner = 1;
    for (size_t i = axis + 1; i < shape.size(); ++i) inner *= static_cast<size_t>(shape[i]);
    for (size_t i = 0; i < count; ++i) {
      const auto index = static_cast<int32_t>(i / inner % static_cast<size_t>(shape[axis]));
      if (index / run % 2 == 1) values[i] = 0;
    }
    return builder.constant("c", std::move(shape), values);
  }

  FloatNetworkBuilder builder;

 private:
  uint32_t seed_ = 0;
};

using Image = HalfDeadNetwork::Image;

// A network, and how many channels its layers have left after half of them went.
struct Case {
  const char* name;
  std::function<Image(HalfDeadNetwork&)> build;
  std::vector<size_t> channels;
};

schema::PadOptionsT no_options() { return {}; }

std::vector<Case> cases() {
  const Shape image{1, 4, 6, 5};
  return {
      {"chain",
       [=](HalfDeadNetwork& n) { return n.last(n.conv(n.conv(n.input(image), 8, 3), 6)); },
       {4, 3, 3}},
      {"batch",
       [](HalfDeadNetwork& n) {
         return n.last(n.conv(n.input({3, 4, 6, 5}), 8, 3));
       },
       {4, 3}},
      {"depthwise",
       [=](HalfDeadNetwork& n) {
         return n.last(n.depthwise(n.depthwise(n.conv(n.input(image), 8), 1), 2));
       },
       {4, 4, 8, 3}},
      {"depthwise_of_one_channel",
       [](HalfDeadNetwork& n) {
         return n.last(n.depthwise(n.input({1, 4, 6, 1}), 8));
       },
       {4, 3}},
      {"residual",
       [=](HalfDeadNetwork& n) {
         const Image a = n.conv(n.input(image), 8);
         const Image b = n.conv(n.conv(a, 6, 3), 8);
         return n.last(
             n.apply(BuiltinOperator::ADD, schema::AddOptionsT{}, {a.tensor, b.tensor}, a.shape));
       },
       {4, 3, 4, 3}},
      {"residual_of_wider",
       [=](HalfDeadNetwork& n) {
         const Image a = n.conv(n.input(image), 4);
         const int32_t amounts = n.integers({0, 0, 0, 0, 0, 0, 0, 4}, {4, 2});
         const Image padded =
             n.apply(BuiltinOperator::PAD, no_options(), {a.tensor, amounts}, {1, 4, 6, 8});
         const Image b = n.conv(n.conv(a, 6, 3), 8);
         return n.last(n.apply(BuiltinOperator::ADD, schema::AddOptionsT{},
                               {padded.tensor, b.tensor}, padded.shape));
       },
       {2, 3, 4, 3}},
      {"residual_with_input",
       [=](HalfDeadNetwork& n) {
         const Image x = n.input(image);
         const Image b = n.conv(n.conv(x, 6, 3), 5);
         return n.last(
             n.apply(BuiltinOperator::ADD, schema::AddOptionsT{}, {x.tensor, b.tensor}, x.shape));
       },
       {3, 5, 3}},
      {"concatenation",
       [=](HalfDeadNetwork& n) {
         const Image x = n.input(image);
         const Image a = n.conv(x, 6);
         const Image b = n.conv(x, 4);
         schema::ConcatenationOptionsT options;
         options.axis = -1;
         return n.last(n.apply(BuiltinOperator::CONCATENATION, options,
                               {a.tensor, x.tensor, b.tensor}, {1, 4, 6, 15}));
       },
       {3, 2, 3}},
      {"squeeze_and_excite",
       [=](HalfDeadNetwork& n) {
         const Image a = n.conv(n.input(image), 8);
         schema::ReducerOptionsT keep;
         keep.keep_dims = true;
         const int32_t axes = n.integers({1, 2});
         const Image mean = n.apply(BuiltinOperator::MEAN, keep, {a.tensor, axes}, {1, 1, 1, 8});
         const Image factors = n.conv(n.conv(mean, 4), 8);
         return n.last(n.apply(BuiltinOperator::MUL, schema::MulOptionsT{},
                               {a.tensor, factors.tensor}, a.shape));
       },
       {4, 2, 4, 3}},
      {"constant_operands",
       [=](HalfDeadNetwork& n) {
         const Image a = n.conv(n.input(image), 8);
         const Image b = n.apply(BuiltinOperator::MUL, schema::MulOptionsT{},
                                 {a.tensor, n.living({8})}, a.shape);
         const Image c = n.apply(BuiltinOperator::PRELU, {b.tensor, n.living({1, 1, 8})}, b.shape);
         const Image d = n.apply(BuiltinOperator::MUL, schema::MulOptionsT{},
                                 {c.tensor, n.living({1})}, c.shape);
         return n.last(d);
       },
       {4, 3}},
      {"flattened_by_reshape",
       [=](HalfDeadNetwork& n) {
         const Image a = n.conv(n.input(image), 8);
         schema::ReshapeOptionsT options;
         options.new_shape = {1, 192};
         const Image flat =
             n.apply(BuiltinOperator::RESHAPE, options, {a.tensor, n.integers({1, 192})}, {1, 192});
         return n.fully_connected(n.fully_connected(flat, 10, 192), 3, 10, true);
       },
       {4, 5, 3}},
      {"flattened_by_the_matrix",
       [=](HalfDeadNetwork& n) {
         return n.fully_connected(n.conv(n.input(image), 8), 3, 192, true);
       },
       {4, 3}},
      {"pooled",
       [=](HalfDeadNetwork& n) {
         const Image a = n.conv(n.input(image), 8);
         schema::Pool2DOptionsT pool;
         pool.stride_h = pool.stride_w = pool.filter_height = pool.filter_width = 2;
         const Image b = n.apply(BuiltinOperator::MAX_POOL_2D, pool, {a.tensor}, {1, 2, 3, 8});
         const Image c = n.apply(BuiltinOperator::MEAN, schema::ReducerOptionsT{},
                                 {b.tensor, n.integers({1, 2})}, {1, 8});
         return n.fully_connected(c, 3, 8, true);
       },
       {4, 3}},
      {"pixels",
       [=](HalfDeadNetwork& n) {
         const Image a = n.conv(n.input(image), 8);
         schema::SpaceToDepthOptionsT down;
         down.block_size = 2;
         const Image b = n.apply(BuiltinOperator::SPACE_TO_DEPTH, down, {a.tensor}, {1, 2, 3, 32});
         schema::DepthToSpaceOptionsT up;
         up.block_size = 2;
         const Image c = n.apply(BuiltinOperator::DEPTH_TO_SPACE, up, {b.tensor}, {1, 4, 6, 8});
         const Image d = n.apply(BuiltinOperator::RESIZE_BILINEAR, schema::ResizeBilinearOptionsT{},
                                 {c.tensor, n.integers({8, 3})}, {1, 8, 3, 8});
         return n.last(d);
       },
       {4, 3}},
      {"moved_dimensions",
       [=](HalfDeadNetwork& n) {
         const Image a = n.conv(n.input(image), 8);
         const Image b = n.apply(BuiltinOperator::TRANSPOSE, schema::TransposeOptionsT{},
                                 {a.tensor, n.integers({0, 3, 1, 2})}, {1, 8, 4, 6});
         const Image c = n.apply(BuiltinOperator::RESHAPE, schema::ReshapeOptionsT{},
                                 {b.tensor, n.integers({1, 8, 24})}, {1, 8, 24});
         const Image d = n.apply(BuiltinOperator::TRANSPOSE, schema::TransposeOptionsT{},
                                 {c.tensor, n.integers({0, 2, 1})}, {1, 24, 8});
         return n.fully_connected(d, 3, 8, true);
       },
       {4, 3}},
      {"pieces",
       [=](HalfDeadNetwork& n) {
         const Image a = n.conv(n.input(image), 8);
         const int32_t left =
             n.builder.activation("left", schema::TensorType::FLOAT32, {1, 4, 6, 4});
         const int32_t right =
             n.builder.activation("right", schema::TensorType::FLOAT32, {1, 4, 6, 4});
         schema::SplitOptionsT split;
         split.num_splits = 2;
         n.builder.add_operator(BuiltinOperator::SPLIT, split, {n.integers({3}), a.tensor},
                                {left, right});
         const Image product =
             n.apply(BuiltinOperator::MUL, schema::MulOptionsT{}, {left, right}, {1, 4, 6, 4});
         const Image part = n.apply(
             BuiltinOperator::SLICE, schema::SliceOptionsT{},
             {product.tensor, n.integers({0, 1, 0, 0}), n.integers({1, 2, -1, 4})}, {1, 2, 6, 4});
         schema::StridedSliceOptionsT strided;
         strided.end_mask = 0b0111;
         const Image rest = n.apply(BuiltinOperator::STRIDED_SLICE, strided,
                                    {part.tensor, n.integers({0, 0, 2, 0}),
                                     n.integers({1, 2, 6, 4}), n.integers({1, 1, 2, 1})},
                                    {1, 2, 2, 4});
         return n.last(rest);
       },
       {4, 3}},
      {"transposed_convolution",
       [=](HalfDeadNetwork& n) {
         const Image a = n.conv(n.input(image), 8);
         schema::TransposeConvOptionsT options;
         options.padding = schema::Padding::SAME;
         options.stride_w = options.stride_h = 2;
         const Image b = n.apply(
             BuiltinOperator::TRANSPOSE_CONV, options,
             {n.integers({1, 8, 12, 6}), n.constant({6, 3, 3, 8}, 0), a.tensor, n.constant({6}, 0)},
             {1, 8, 12, 6});
         return n.last(b);
       },
       {4, 3, 3}},
      {"mixed_by_softmax",
       [=](HalfDeadNetwork& n) {
         const Image a = n.conv(n.input(image), 8);
         return n.last(
             n.apply(BuiltinOperator::SOFTMAX, schema::SoftmaxOptionsT{}, {a.tensor}, a.shape));
       },
       {8, 3}},
  };
}

schema::ModelT network_of(const Case& each) {
  HalfDeadNetwork network;
  const Image output = each.build(network);
  return network.builder.build({output.tensor});
}

std::vector<size_t> channels_of(const ChannelPruningReport& report) {
  std::vector<size_t> channels;
  for (const PrunedLayer& layer : report.layers) channels.push_back(layer.channels);
  return channels;
}

class PrunedNetwork : public ::testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    if (testing::tflite_library() == nullptr) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  }
};

TEST_P(PrunedNetwork, ComputesTheSameWithoutItsDeadChannels) {
  const Case each = cases()[GetParam()];
  const schema::ModelT before = network_of(each);
  schema::ModelT after = network_of(each);
  const auto report = prune_channels(after, 0.5);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(channels_of(*report), each.channels);
  EXPECT_LE(report->weights, report->weights_before);
  const auto inputs = testing::scattered_inputs(before, -1, 1);
  const auto expected = testing::run_in_tflite(before, inputs).front().values;
  const auto actual = testing::run_in_tflite(after, inputs).front().values;
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 1e-4f) << i;
}

TEST_P(PrunedNetwork, ComputesTheSameBitsInInt8) {
  const Case each = cases()[GetParam()];
  const auto quantized = [&] {
    schema::ModelT model = network_of(each);
    const std::vector<std::vector<std::vector<float>>> samples = {
        testing::scattered_inputs(model, -1, 1)};
    EXPECT_TRUE(quantize_to_int8(model, testing::observe_ranges(model, samples), {}));
    return model;
  };
  const schema::ModelT before = quantized();
  schema::ModelT after = quantized();
  const auto report = prune_channels(after, 0.5);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(channels_of(*report), each.channels);
  const auto inputs = testing::scattered_inputs(before, -1, 1);
  EXPECT_EQ(testing::run_in_tflite(after, inputs).front().values,
            testing::run_in_tflite(before, inputs).front().values);
}

INSTANTIATE_TEST_SUITE_P(Cases, PrunedNetwork, ::testing::Range(size_t{0}, cases().size()),
                         [](const auto& info) { return cases()[info.param].name; });

schema::ModelT chain() { return network_of(cases().front()); }

TEST(PruneChannels, TheLeastGoFirst) {
  HalfDeadNetwork network;
  const Image x = network.input({1, 2, 2, 2});
  schema::Conv2DOptionsT options;
  options.stride_w = options.stride_h = 1;
  const int32_t weights = network.builder.constant("w", {4, 1, 1, 2}, {3, 1, 2, 0, 0, -4, 1, 1});
  const int32_t bias = network.builder.constant("b", {4}, {10, 20, 30, 40});
  const Image y =
      network.apply(BuiltinOperator::CONV_2D, options, {x.tensor, weights, bias}, {1, 2, 2, 4});
  schema::ModelT model = network.builder.build({network.last(y).tensor});
  const auto report = prune_channels(model, 0.5);
  ASSERT_TRUE(report) << report.error().message;
  const auto floats = [&](size_t position) {
    const schema::SubGraphT& subgraph = *model.subgraphs[0];
    const auto index = static_cast<size_t>(subgraph.operators[0]->inputs[position]);
    const auto& data = model.buffers[subgraph.tensors[index]->buffer]->data;
    std::vector<float> values(data.size() / sizeof(float));
    std::memcpy(values.data(), data.data(), data.size());
    return values;
  };
  EXPECT_THAT(floats(1), ElementsAre(3, 1, 0, -4));
  EXPECT_THAT(floats(2), ElementsAre(10, 30));
}

TEST(PruneChannels, LayersOfANetworksOutputKeepTheirs) {
  schema::ModelT model = chain();
  const auto report = prune_channels(model, 0.9);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(channels_of(*report), (std::vector<size_t>{1, 1, 3}));
  EXPECT_THAT(report->layers[2].reason, HasSubstr("an output of the network"));
}

TEST(PruneChannels, OperatorsThatNobodyKnowsKeepWhatTheyTouch) {
  schema::ModelT model = chain();
  auto code = std::make_unique<schema::OperatorCodeT>();
  code->builtin_code = BuiltinOperator::CUSTOM;
  code->deprecated_builtin_code = static_cast<int8_t>(BuiltinOperator::CUSTOM);
  code->custom_code = "Mine";
  model.subgraphs[0]->operators[1]->opcode_index =
      static_cast<uint32_t>(model.operator_codes.size());
  model.operator_codes.push_back(std::move(code));
  const auto report = prune_channels(model, 0.5);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(channels_of(*report), (std::vector<size_t>{8, 3}));
  EXPECT_EQ(report->layers[0].reason, "Mine needs all of them");
}

// Behind a DEQUANTIZE, as converters store them.
TEST(PruneChannels, WeightsMayBeFloat16) {
  schema::ModelT model = chain();
  schema::SubGraphT& subgraph = *model.subgraphs[0];
  const auto weights = static_cast<size_t>(subgraph.operators[0]->inputs[1]);
  schema::TensorT half = *subgraph.tensors[weights];
  half.type = schema::TensorType::FLOAT16;
  half.buffer = 0;
  const std::vector<std::byte> ones(
      model.buffers[subgraph.tensors[weights]->buffer]->data.size() / 2, std::byte{0x3c});
  set_contents(model, half, ones);
  subgraph.tensors[weights]->buffer = 0;
  auto op = std::make_unique<schema::OperatorT>();
  op->opcode_index = find_or_add_operator_code(model, BuiltinOperator::DEQUANTIZE, 3);
  op->inputs = {add_tensor(subgraph, std::move(half))};
  op->outputs = {static_cast<int32_t>(weights)};
  const int32_t constant = op->inputs[0];
  subgraph.operators.insert(subgraph.operators.begin(), std::move(op));
  ASSERT_GE(constant, 0);
  const auto report = prune_channels(model, 0.25);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(channels_of(*report), (std::vector<size_t>{6, 5, 3}));
  const schema::OperatorT& dequantize = *model.subgraphs[0]->operators[0];
  EXPECT_THAT(model.subgraphs[0]->tensors[static_cast<size_t>(dequantize.inputs[0])]->shape,
              ElementsAre(6, 3, 3, 5));
  EXPECT_THAT(model.subgraphs[0]->tensors[static_cast<size_t>(dequantize.outputs[0])]->shape,
              ElementsAre(6, 3, 3, 5));
}

TEST(PruneChannels, SharesThatCannotBeAreRefused) {
  for (const double fraction : {-0.1, 1.0, std::nan("")}) {
    schema::ModelT model = chain();
    const auto report = prune_channels(model, fraction);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, ErrorCode::kInvalidArgument);
  }
  schema::ModelT model = chain();
  EXPECT_EQ(channels_of(*prune_channels(model, 0.0)), (std::vector<size_t>{8, 6, 3}));
}

// ---- Real networks ----

struct RealNetwork {
  const char* name;
  double weights_left;  // at most, of which a quarter of all channels goes
};

class PrunedRealNetwork : public ::testing::TestWithParam<RealNetwork> {};

TEST_P(PrunedRealNetwork, RunsSmaller) {
  const auto path =
      std::filesystem::path(LOCKSTEP_MODELS_DIR) / (std::string(GetParam().name) + ".tflite");
  if (testing::tflite_library() == nullptr) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no network at " << path;
  auto model = graph::read_editable_model_file(path);
  ASSERT_TRUE(model) << model.error().message;
  const auto report = prune_channels(model->tree, 0.25);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_LE(static_cast<double>(report->weights),
            GetParam().weights_left * static_cast<double>(report->weights_before));
  for (const PrunedLayer& layer : report->layers) {
    EXPECT_EQ(layer.reason.empty(), layer.channels < layer.channels_before) << layer.output;
  }
  const auto outputs =
      testing::run_in_tflite(model->tree, testing::scattered_inputs(model->tree, -1, 1));
  for (const auto& output : outputs) {
    EXPECT_THAT(output.values, Each(::testing::Truly([](float v) { return std::isfinite(v); })));
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, PrunedRealNetwork,
                         ::testing::Values(RealNetwork{"ad01_autoencoder_int8", 0.75},
                                           RealNetwork{"kws_dscnn_int8", 0.65},
                                           RealNetwork{"micro_speech_int8", 0.8},
                                           RealNetwork{"mobilenet_v2_224_int8_ptq", 0.75},
                                           RealNetwork{"mobilenet_v2_224_uint8_qat", 0.75},
                                           RealNetwork{"resnet8_cifar10_float32", 0.6},
                                           RealNetwork{"resnet8_cifar10_int8", 0.6},
                                           RealNetwork{"toycar_autoencoder_dynamic_range", 0.75},
                                           RealNetwork{"vww_mobilenet_v1_025_96_float32", 0.65},
                                           RealNetwork{"vww_mobilenet_v1_025_96_int8", 0.65}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace lockstep::quantization
