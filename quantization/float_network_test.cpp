#include "quantization/float_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <random>

#include "graph/tflite_reader.h"
#include "host_ref/testing/tflite_oracle.h"
#include "numerics/float16.h"
#include "quantization/constants.h"
#include "quantization/testing/float_network_builder.h"
#include "quantization/testing/network_text.h"

namespace lockstep::quantization {
namespace {

using host_ref::testing::Kernels;
using host_ref::testing::TfliteOracle;
using schema::BuiltinOperator;
using schema::TensorType;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::FloatNetworkBuilder;
using ::testing::HasSubstr;
using testing::network_text;
using ::testing::Pair;
using Bytes = std::vector<std::byte>;

schema::TensorT& tensor_named(const schema::ModelT& model, const std::string& name) {
  for (const auto& tensor : model.subgraphs[0]->tensors) {
    if (tensor->name == name) return *tensor;
  }
  throw std::logic_error("no tensor " + name);
}

// What ranges say, by name.
std::map<std::string, TensorRange> named(const schema::ModelT& model, const Ranges& ranges) {
  std::map<std::string, TensorRange> result;
  for (const auto& [index, range] : ranges) {
    result[model.subgraphs[0]->tensors[static_cast<size_t>(index)]->name] = range;
  }
  return result;
}

template <typename T>
void set_numbers(schema::ModelT& model, int32_t index, TensorType type,
                 const std::vector<T>& values) {
  schema::TensorT& tensor = *model.subgraphs[0]->tensors[static_cast<size_t>(index)];
  tensor.type = type;
  set_contents(model, tensor, std::as_bytes(std::span(values)));
}

void set_quantization(schema::ModelT& model, int32_t index, std::vector<float> scales,
                      std::vector<int64_t> zero_points, int32_t axis = 0) {
  auto quantization = std::make_unique<schema::QuantizationParametersT>();
  quantization->scale = std::move(scales);
  quantization->zero_point = std::move(zero_points);
  quantization->quantized_dimension = axis;
  model.subgraphs[0]->tensors[static_cast<size_t>(index)]->quantization = std::move(quantization);
}

schema::FakeQuantOptionsT fake_quant(float minimum, float maximum, int32_t bits = 8,
                                     bool narrow = false) {
  schema::FakeQuantOptionsT options;
  options.min = minimum;
  options.max = maximum;
  options.num_bits = bits;
  options.narrow_range = narrow;
  return options;
}

// ---- Constants ----

TEST(FloatNetwork, HalfPrecisionConstantsBecomeFloats) {
  FloatNetworkBuilder builder;
  const int32_t x = builder.input("x", {1, 3});
  const int32_t halves = builder.constant("halves", {2, 3}, {});
  const int32_t weights = builder.activation("weights", TensorType::FLOAT32, {2, 3});
  builder.add_operator(BuiltinOperator::DEQUANTIZE, schema::DequantizeOptionsT{}, {halves},
                       {weights});
  const int32_t y = builder.apply(BuiltinOperator::FULLY_CONNECTED,
                                  schema::FullyConnectedOptionsT{}, {x, weights, -1}, {1, 2});
  schema::ModelT model = builder.build({y});
  set_numbers<uint16_t>(model, halves, TensorType::FLOAT16,
                        {0x3c00, 0xc000, 0x3555, 0x0001, 0x7bff, 0x8000});

  const auto network = make_float_network(model);
  ASSERT_TRUE(network) << network.error().message;
  EXPECT_EQ(network->report.narrow_constants, 1u);
  EXPECT_EQ(network_text(model),
            "x:FLOAT32\nFULLY_CONNECTED 3:FLOAT32 = FULLY_CONNECTED(x)\n"
            "-> FULLY_CONNECTED 3\n");
  EXPECT_EQ(model.subgraphs[0]->tensors.size(), 3u) << "what DEQUANTIZE made is gone";
  EXPECT_THAT(
      real_contents(model, tensor_named(model, "halves")).value(),
      ElementsAre(1.0f, -2.0f, numerics::float16_to_float(0x3555), 0x1p-24f, 65504.0f, -0.0f));
}

TEST(FloatNetwork, IntegerWeightsUnderFloatsBecomeFloats) {
  FloatNetworkBuilder builder;
  const int32_t x = builder.input("x", {1, 2});
  const int32_t weights = builder.constant("weights", {2, 2}, {});
  const int32_t y = builder.apply(BuiltinOperator::FULLY_CONNECTED,
                                  schema::FullyConnectedOptionsT{}, {x, weights, -1}, {1, 2});
  const int32_t z = builder.apply(BuiltinOperator::FULLY_CONNECTED,
                                  schema::FullyConnectedOptionsT{}, {y, weights, -1}, {1, 2});
  schema::ModelT model = builder.build({z});
  set_numbers<int8_t>(model, weights, TensorType::INT8, {1, -2, 3, 127});
  set_quantization(model, weights, {0.5f, 2.0f}, {0, 0});

  const auto network = make_float_network(model);
  ASSERT_TRUE(network) << network.error().message;
  EXPECT_EQ(network->report.narrow_constants, 1u) << "once for both readers";
  const schema::TensorT& floats = tensor_named(model, "weights");
  EXPECT_EQ(floats.type, TensorType::FLOAT32);
  EXPECT_EQ(floats.quantization, nullptr);
  EXPECT_THAT(real_contents(model, floats).value(), ElementsAre(0.5f, -1.0f, 6.0f, 254.0f));
  EXPECT_EQ(model.subgraphs[0]->tensors.size(), 4u);
}

// A shape and an index are no real numbers.
TEST(FloatNetwork, IntegersThatAreNoWeightsStay) {
  FloatNetworkBuilder builder;
  const int32_t x = builder.input("x", {1, 4});
  const int32_t shape = builder.integers("shape", {2}, {2, 2});
  const int32_t y =
      builder.apply(BuiltinOperator::RESHAPE, schema::ReshapeOptionsT{}, {x, shape}, {2, 2});
  schema::ModelT model = builder.build({y});
  ASSERT_TRUE(make_float_network(model));
  EXPECT_EQ(tensor_named(model, "shape").type, TensorType::INT32);
}

// ---- FAKE_QUANT ----

TEST(FloatNetwork, TrainedRangesAreRemembered) {
  FloatNetworkBuilder builder;
  const int32_t x = builder.input("x", {1, 4});
  const int32_t a =
      builder.apply(BuiltinOperator::FAKE_QUANT, fake_quant(-1.0f, 1.0f), {x}, {1, 4});
  const int32_t b = builder.apply(BuiltinOperator::TANH, {a}, {1, 4});
  const int32_t c =
      builder.apply(BuiltinOperator::FAKE_QUANT, fake_quant(-0.5f, 0.75f), {b}, {1, 4});
  const int32_t d = builder.apply(BuiltinOperator::LOGISTIC, {c}, {1, 4});
  const int32_t e = builder.apply(BuiltinOperator::FAKE_QUANT, fake_quant(0.0f, 0.9f), {d}, {1, 4});
  schema::ModelT model = builder.build({e});

  const auto network = make_float_network(model);
  ASSERT_TRUE(network) << network.error().message;
  EXPECT_EQ(network->report.trained_ranges, 3u);
  EXPECT_EQ(network_text(model),
            "x:FLOAT32\n"
            "TANH 2:FLOAT32 = TANH(x)\n"
            "FAKE_QUANT 5:FLOAT32 = LOGISTIC(TANH 2)\n"
            "-> FAKE_QUANT 5\n")
      << "the output keeps its name";
  EXPECT_THAT(
      named(model, network->trained_ranges),
      ElementsAre(Pair("FAKE_QUANT 5", TensorRange{0.0f, 0.9f}),
                  Pair("TANH 2", TensorRange{-0.5f, 0.75f}), Pair("x", TensorRange{-1.0f, 1.0f})));
}

TEST(FloatNetwork, SeveralRangesOfOneTensorAreUnited) {
  FloatNetworkBuilder builder;
  const int32_t x = builder.input("x", {4});
  const int32_t a = builder.apply(BuiltinOperator::FAKE_QUANT, fake_quant(-1.0f, 2.0f), {x}, {4});
  const int32_t b = builder.apply(BuiltinOperator::FAKE_QUANT, fake_quant(-3.0f, 1.0f), {x}, {4});
  const int32_t y = builder.apply(BuiltinOperator::ADD, schema::AddOptionsT{}, {a, b}, {4});
  schema::ModelT model = builder.build({y});
  const auto network = make_float_network(model);
  ASSERT_TRUE(network) << network.error().message;
  EXPECT_THAT(named(model, network->trained_ranges),
              ElementsAre(Pair("x", TensorRange{-3.0f, 2.0f})));
  EXPECT_THAT(network_text(model), HasSubstr("= ADD(x, x)"));
}

// An input that is an output, too, has one tensor: nobody else makes it.
TEST(FloatNetwork, AnInputThatIsAnOutputStaysBoth) {
  FloatNetworkBuilder builder;
  const int32_t x = builder.input("x", {4});
  const int32_t y = builder.apply(BuiltinOperator::FAKE_QUANT, fake_quant(-1.0f, 2.0f), {x}, {4});
  schema::ModelT model = builder.build({y});
  ASSERT_TRUE(make_float_network(model));
  EXPECT_EQ(network_text(model), "x:FLOAT32\n-> x\n");
}

TEST(FloatNetwork, NarrowRangesKeepTheirStep) {
  FloatNetworkBuilder builder;
  const int32_t x = builder.input("x", {4});
  const int32_t y =
      builder.apply(BuiltinOperator::FAKE_QUANT, fake_quant(-127.0f, 127.0f, 8, true), {x}, {4});
  const int32_t z = builder.apply(BuiltinOperator::TANH, {y}, {4});
  schema::ModelT model = builder.build({z});
  const auto network = make_float_network(model);
  EXPECT_THAT(named(model, network->trained_ranges),
              ElementsAre(Pair("x", TensorRange{-128.0f, 127.0f})));
}

TEST(FloatNetwork, TrainedConstantsAreLimitedToTheirRange) {
  FloatNetworkBuilder builder;
  const int32_t x = builder.input("x", {1, 2});
  const int32_t raw = builder.constant("raw", {2, 2}, {-2.0f, 0.25f, 0.5f, 9.0f});
  const int32_t weights =
      builder.apply(BuiltinOperator::FAKE_QUANT, fake_quant(-1.0f, 1.0f), {raw}, {2, 2});
  const int32_t y = builder.apply(BuiltinOperator::FULLY_CONNECTED,
                                  schema::FullyConnectedOptionsT{}, {x, weights, -1}, {1, 2});
  schema::ModelT model = builder.build({y});
  const auto network = make_float_network(model);
  ASSERT_TRUE(network) << network.error().message;
  EXPECT_TRUE(network->trained_ranges.empty());
  EXPECT_THAT(real_contents(model, tensor_named(model, "FAKE_QUANT 2")).value(),
              ElementsAre(-1.0f, 0.25f, 0.5f, 1.0f));
}

std::string refusal(schema::FakeQuantOptionsT options) {
  FloatNetworkBuilder builder;
  const int32_t x = builder.input("x", {4});
  const int32_t y = builder.apply(BuiltinOperator::FAKE_QUANT, std::move(options), {x}, {4});
  schema::ModelT model = builder.build({y});
  const auto network = make_float_network(model);
  return network ? "accepted" : network.error().message;
}

TEST(FloatNetwork, RangesThatAreNoneAreRefused) {
  EXPECT_THAT(refusal(fake_quant(1.0f, 1.0f)), HasSubstr("'x': FAKE_QUANT has the range 1 to 1"));
  EXPECT_THAT(refusal(fake_quant(-1.0f, std::numeric_limits<float>::infinity())),
              HasSubstr("to inf"));
  EXPECT_THAT(refusal(fake_quant(std::nanf(""), 1.0f)), HasSubstr("has the range nan"));
  EXPECT_THAT(refusal(fake_quant(-1.0f, 1.0f, 16)), HasSubstr("'x': FAKE_QUANT of 16 bits"));
}

// ---- Whole networks ----

TEST(FloatNetwork, QuantizedNetworksAreRefusedByName) {
  for (const char* name : {"resnet8_cifar10_int8", "mobilenet_v2_224_uint8_qat"}) {
    const auto path = std::filesystem::path(LOCKSTEP_MODELS_DIR) / fmt::format("{}.tflite", name);
    if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent";
    auto model = graph::read_editable_model_file(path).value();
    const auto network = make_float_network(model.tree);
    ASSERT_FALSE(network);
    EXPECT_EQ(network.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(network.error().message, AllOf(HasSubstr("tensor '"), HasSubstr("already")));
  }
}

// Float outputs of the real TFLite for inputs between -1 and 1.
std::vector<float> run(const Bytes& file) {
  const graph::Graph graph = graph::read_tflite(file, "network").value();
  std::mt19937 generator(3);
  std::uniform_real_distribution<float> dice(-1.0f, 1.0f);
  std::vector<Bytes> inputs;
  for (const int32_t input : graph.inputs) {
    const graph::Tensor& tensor = graph.tensors[static_cast<size_t>(input)];
    std::vector<float> values(static_cast<size_t>(*graph::element_count(tensor.shape)));
    for (float& value : values) value = dice(generator);
    const auto bytes = std::as_bytes(std::span(values));
    inputs.emplace_back(bytes.begin(), bytes.end());
  }
  const auto oracle = TfliteOracle::from_environment().value();
  const auto outputs = oracle->run(file, inputs, Kernels::kBuiltin);
  EXPECT_TRUE(outputs) << outputs.error().message;
  std::vector<float> all;
  if (!outputs) return all;
  for (const auto& output : *outputs) {
    for (size_t i = 0; i < output.bytes.size(); i += sizeof(float)) {
      std::memcpy(&all.emplace_back(), output.bytes.data() + i, sizeof(float));
    }
  }
  return all;
}

// The file before and after it was made plain; the test looks at what TFLite makes of both.
struct BeforeAndAfter {
  Bytes before;
  Bytes after;
  FloatNetwork network;
};

BeforeAndAfter make_plain(const std::filesystem::path& path) {
  BeforeAndAfter files{.before = graph::read_file_bytes(path).value(), .after = {}, .network = {}};
  auto model = graph::read_editable_model(files.before, path.string()).value();
  files.network = make_float_network(model.tree).value();
  files.after = graph::write_editable_model(model).value();
  for (const auto& tensor : model.tree.subgraphs[0]->tensors) {
    EXPECT_TRUE(tensor->type == TensorType::FLOAT32 || tensor->type == TensorType::INT32)
        << tensor->name;
    EXPECT_EQ(tensor->sparsity, nullptr) << tensor->name;
  }
  return files;
}

bool has_tflite() { return TfliteOracle::from_environment().value() != nullptr; }

TEST(FloatNetwork, BlazeFaceComputesTheSameBits) {
  const char* folder = std::getenv("LOCKSTEP_FACES_DIR");
  if (folder == nullptr || !has_tflite()) GTEST_SKIP() << "no networks or no engine";
  const std::pair<const char*, size_t> networks[] = {
      {"short_range_float16", 0}, {"full_range_float16", 0}, {"full_range_sparse_float16", 46}};
  for (const auto& [name, sparse_constants] : networks) {
    SCOPED_TRACE(name);
    const auto files = make_plain(std::filesystem::path(folder) / fmt::format("{}.tflite", name));
    EXPECT_EQ(files.network.report.sparse_constants, sparse_constants);
    EXPECT_GT(files.network.report.narrow_constants, 50u);
    EXPECT_EQ(run(files.after), run(files.before));
  }
}

// TFLite rounds inputs to 8 bits where weights are integers, and floats do not.
TEST(FloatNetwork, DynamicRangeNetworksComputeNearlyTheSame) {
  for (const char* name : {"kws_dscnn_dynamic_range", "toycar_autoencoder_dynamic_range"}) {
    SCOPED_TRACE(name);
    const auto path = std::filesystem::path(LOCKSTEP_MODELS_DIR) / fmt::format("{}.tflite", name);
    if (!std::filesystem::exists(path) || !has_tflite()) GTEST_SKIP() << "no network or no engine";
    const auto files = make_plain(path);
    EXPECT_GE(files.network.report.narrow_constants, 5u);
    const std::vector<float> hybrid = run(files.before);
    const std::vector<float> floats = run(files.after);
    ASSERT_EQ(hybrid.size(), floats.size());
    double signal = 0;
    double noise = 0;
    for (size_t i = 0; i < floats.size(); ++i) {
      signal += std::pow(floats[i], 2.0);
      noise += std::pow(double{hybrid[i]} - double{floats[i]}, 2.0);
    }
    EXPECT_GT(signal, 100 * noise);
    EXPECT_GT(noise, 0) << "the integers are still there";
  }
}

TEST(FloatNetwork, FloatNetworksStayAsTheyAre) {
  for (const char* name : {"resnet8_cifar10_float32", "ad01_autoencoder_float32"}) {
    const auto path = std::filesystem::path(LOCKSTEP_MODELS_DIR) / fmt::format("{}.tflite", name);
    if (!std::filesystem::exists(path) || !has_tflite()) GTEST_SKIP() << "no network or no engine";
    const auto files = make_plain(path);
    EXPECT_EQ(files.network.report.narrow_constants, 0u);
    EXPECT_EQ(run(files.after), run(files.before));
  }
}

}  // namespace
}  // namespace lockstep::quantization
