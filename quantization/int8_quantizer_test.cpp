#include "quantization/int8_quantizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <utility>

#include "quantization/testing/float_network_builder.h"
#include "quantization/testing/network_text.h"

namespace lockstep::quantization {
namespace {

using schema::BuiltinOperator;
using schema::TensorType;
using ::testing::ElementsAre;
using testing::FloatNetworkBuilder;
using ::testing::HasSubstr;
using testing::network_text;

// Networks of one row of four numbers, which all have the range [-1, 1] unless a test says
// otherwise. Tensors are named by the tests.
class Int8QuantizerTest : public ::testing::Test {
 protected:
  int32_t input(std::string name) { return known(builder_.input(std::move(name), {1, 4})); }

  int32_t apply(std::string name, BuiltinOperator code, std::vector<int32_t> inputs) {
    const int32_t output = known(builder_.activation(std::move(name), TensorType::FLOAT32, {1, 4}));
    builder_.add_operator(code, schema::AddOptionsT{}, std::move(inputs), {output});
    return output;
  }

  int32_t fully_connected(std::string name, int32_t input) {
    const int32_t weights =
        builder_.constant(name + "_weights", {4, 4}, testing::scattered_values(16, -1, 1));
    const int32_t bias = builder_.constant(name + "_bias", {4}, {1, -1, 0.5f, 0});
    const int32_t output = known(builder_.activation(std::move(name), TensorType::FLOAT32, {1, 4}));
    builder_.add_operator(BuiltinOperator::FULLY_CONNECTED, schema::FullyConnectedOptionsT{},
                          {input, weights, bias}, {output});
    return output;
  }

  int32_t known(int32_t tensor) {
    ranges_[tensor] = {-1, 1};
    return tensor;
  }

  void build(std::vector<int32_t> outputs) { model_ = builder_.build(std::move(outputs)); }

  // The result; the network is in model_.
  Int8Report quantize(const Int8Options& options = {}) {
    auto report = quantize_to_int8(model_, ranges_, options);
    EXPECT_TRUE(report.has_value()) << report.error().message;
    return report.value_or(Int8Report{});
  }

  Error failure(const Int8Options& options = {}) {
    const auto report = quantize_to_int8(model_, ranges_, options);
    EXPECT_FALSE(report.has_value());
    return report ? Error{} : report.error();
  }

  const schema::TensorT& tensor(const std::string& name) const {
    for (const auto& candidate : model_.subgraphs.front()->tensors) {
      if (candidate->name == name) return *candidate;
    }
    throw std::logic_error("no tensor '" + name + "'");
  }

  FloatNetworkBuilder builder_;
  Ranges ranges_;
  schema::ModelT model_;
};

// ---- Ranges that somebody asks for ----

TEST_F(Int8QuantizerTest, DemandedRangesCountInsteadOfObservedOnes) {
  const int32_t x = input("x");
  const int32_t hidden = fully_connected("hidden", x);
  build({apply("y", BuiltinOperator::ADD, {hidden, x})});
  quantize({.ranges = {{"hidden", {-5.1f, 0}}}});
  EXPECT_FLOAT_EQ(tensor("hidden").quantization->scale.front(), 0.02f);
  EXPECT_EQ(tensor("hidden").quantization->zero_point.front(), 127);
  EXPECT_FLOAT_EQ(tensor("y").quantization->scale.front(), 2.0f / 255);
}

TEST_F(Int8QuantizerTest, DemandsThatCannotBeMetAreRefused) {
  const int32_t x = input("x");
  const int32_t hidden = fully_connected("hidden", x);
  const int32_t likely = apply("likely", BuiltinOperator::LOGISTIC, {hidden});
  build({apply("y", BuiltinOperator::EXP, {likely})});
  const auto message = [&](DemandedRange demanded, std::vector<std::string> keep_float = {}) {
    schema::ModelT model = model_;
    const auto report = quantize_to_int8(
        model, ranges_, {.keep_float = std::move(keep_float), .ranges = {demanded}});
    EXPECT_FALSE(report);
    EXPECT_EQ(report.error().code, ErrorCode::kInvalidArgument);
    return report ? std::string() : report.error().message;
  };
  EXPECT_THAT(message({"likely", {0, 1}}), HasSubstr("'likely'"));
  EXPECT_THAT(message({"likely", {0, 1}}), HasSubstr("dictates"));
  EXPECT_THAT(message({"y", {0, 1}}, {"EXP"}), HasSubstr("stays float"));
  EXPECT_THAT(message({"hidden_weights", {0, 1}}), HasSubstr("'hidden_weights'"));
  EXPECT_THAT(message({"hidden", {1, 1}}), HasSubstr("no range"));
  EXPECT_THAT(message({"hidden", {0, std::numeric_limits<float>::infinity()}}),
              HasSubstr("no range"));
}

// ---- Borders ----

TEST_F(Int8QuantizerTest, Int8BordersNeedNoConversion) {
  const int32_t x = input("x");
  build({fully_connected("y", x)});
  const Int8Report report = quantize();
  EXPECT_EQ(network_text(model_),
            "x:INT8\n"
            "y:INT8 = FULLY_CONNECTED(x)\n"
            "-> y\n");
  EXPECT_EQ(report.added_conversions, 0u);
  EXPECT_EQ(report.count(Treatment::kInt8), 1u);
}

TEST_F(Int8QuantizerTest, FloatBordersKeepTheirNames) {
  const int32_t x = input("x");
  build({fully_connected("y", x)});
  const Int8Report report = quantize({.borders = BorderType::kFloat32});
  EXPECT_EQ(network_text(model_),
            "x:FLOAT32\n"
            "x_int8:INT8 = QUANTIZE(x)\n"
            "y_int8:INT8 = FULLY_CONNECTED(x_int8)\n"
            "y:FLOAT32 = DEQUANTIZE(y_int8)\n"
            "-> y\n");
  EXPECT_EQ(report.added_conversions, 2u);
}

TEST_F(Int8QuantizerTest, Uint8BordersStandForTheSameNumbers) {
  const int32_t x = input("x");
  build({fully_connected("y", x)});
  quantize({.borders = BorderType::kUint8});
  EXPECT_EQ(network_text(model_),
            "x:UINT8\n"
            "x_int8:INT8 = QUANTIZE(x)\n"
            "y_int8:INT8 = FULLY_CONNECTED(x_int8)\n"
            "y:UINT8 = QUANTIZE(y_int8)\n"
            "-> y\n");
  EXPECT_EQ(tensor("x").quantization->scale, tensor("x_int8").quantization->scale);
  EXPECT_EQ(tensor("x").quantization->zero_point.front(),
            tensor("x_int8").quantization->zero_point.front() + 128);
  EXPECT_EQ(tensor("y").quantization->zero_point.front(),
            tensor("y_int8").quantization->zero_point.front() + 128);
}

TEST_F(Int8QuantizerTest, OutputThatIsReadInsideStaysInt8There) {
  const int32_t x = input("x");
  const int32_t y = fully_connected("y", x);
  build({y, fully_connected("z", y)});
  quantize({.borders = BorderType::kFloat32});
  EXPECT_EQ(network_text(model_),
            "x:FLOAT32\n"
            "x_int8:INT8 = QUANTIZE(x)\n"
            "y_int8:INT8 = FULLY_CONNECTED(x_int8)\n"
            "z_int8:INT8 = FULLY_CONNECTED(y_int8)\n"
            "y:FLOAT32 = DEQUANTIZE(y_int8)\n"
            "z:FLOAT32 = DEQUANTIZE(z_int8)\n"
            "-> y, z\n");
}

TEST_F(Int8QuantizerTest, SignaturesFollowTheirTensors) {
  const int32_t unused = builder_.constant("unused", {1}, {0});
  const int32_t x = input("x");
  const int32_t y = fully_connected("y", x);
  build({y});
  auto signature = std::make_unique<schema::SignatureDefT>();
  for (auto [maps, index] : {std::pair(&signature->inputs, x), std::pair(&signature->outputs, y)}) {
    maps->push_back(std::make_unique<schema::TensorMapT>());
    maps->back()->tensor_index = static_cast<uint32_t>(index);
  }
  model_.signature_defs.push_back(std::move(signature));
  quantize({.borders = BorderType::kFloat32});
  const auto named = [&](uint32_t index) { return model_.subgraphs.front()->tensors[index]->name; };
  EXPECT_EQ(unused, 0);  // so that what follows is renumbered
  EXPECT_EQ(named(model_.signature_defs.front()->inputs.front()->tensor_index), "x");
  EXPECT_EQ(named(model_.signature_defs.front()->outputs.front()->tensor_index), "y");
}

TEST_F(Int8QuantizerTest, BorderThatNoInt8OperatorTouchesStaysFloat) {
  const int32_t x = input("x");
  const int32_t other = input("other");
  build({fully_connected("y", x), apply("z", BuiltinOperator::EXP, {other})});
  quantize();
  EXPECT_EQ(network_text(model_),
            "x:INT8, other:FLOAT32\n"
            "y:INT8 = FULLY_CONNECTED(x)\n"
            "z:FLOAT32 = EXP(other)\n"
            "-> y, z\n");
}

// ---- Operators that stay float ----

TEST_F(Int8QuantizerTest, FloatOperatorsStandBetweenConversions) {
  const int32_t x = input("x");
  const int32_t a = fully_connected("a", x);
  const int32_t b = apply("b", BuiltinOperator::EXP, {a});
  build({fully_connected("c", b), fully_connected("d", b)});
  const Int8Report report = quantize();
  EXPECT_EQ(network_text(model_),
            "x:INT8\n"
            "a:INT8 = FULLY_CONNECTED(x)\n"
            "a_float:FLOAT32 = DEQUANTIZE(a)\n"
            "b:FLOAT32 = EXP(a_float)\n"
            "b_int8:INT8 = QUANTIZE(b)\n"
            "c:INT8 = FULLY_CONNECTED(b_int8)\n"
            "d:INT8 = FULLY_CONNECTED(b_int8)\n"
            "-> c, d\n");
  EXPECT_EQ(report.operators[1].name, "EXP");
  EXPECT_EQ(report.operators[1].output, "b");
  EXPECT_EQ(report.operators[1].treatment.treatment, Treatment::kFloat);
  EXPECT_THAT(report.operators[1].treatment.reason, HasSubstr("no int8 kernel"));
}

TEST_F(Int8QuantizerTest, FloatReaderOfAFloatBorderReadsItDirectly) {
  const int32_t x = input("x");
  build({fully_connected("y", x), apply("z", BuiltinOperator::EXP, {x})});
  quantize({.borders = BorderType::kFloat32});
  EXPECT_EQ(network_text(model_),
            "x:FLOAT32\n"
            "x_int8:INT8 = QUANTIZE(x)\n"
            "y_int8:INT8 = FULLY_CONNECTED(x_int8)\n"
            "z:FLOAT32 = EXP(x)\n"
            "y:FLOAT32 = DEQUANTIZE(y_int8)\n"
            "-> y, z\n");
}

TEST_F(Int8QuantizerTest, OperatorsAreKeptFloatByNameAndByTensor) {
  for (const std::string selector : {"FULLY_CONNECTED", "y"}) {
    builder_ = FloatNetworkBuilder();
    const int32_t x = input("x");
    const int32_t y = fully_connected("y", x);
    build({apply("z", BuiltinOperator::LOGISTIC, {y})});
    const Int8Report report = quantize({.borders = BorderType::kInt8, .keep_float = {selector}});
    EXPECT_EQ(network_text(model_),
              "x:FLOAT32\n"
              "y:FLOAT32 = FULLY_CONNECTED(x)\n"
              "y_int8:INT8 = QUANTIZE(y)\n"
              "z:INT8 = LOGISTIC(y_int8)\n"
              "-> z\n")
        << selector;
    EXPECT_EQ(report.operators[0].treatment.reason, "as asked for");
  }
}

TEST_F(Int8QuantizerTest, SelectorThatSelectsNothingIsRefused) {
  const int32_t x = input("x");
  build({fully_connected("y", x)});
  const Error error = failure({.keep_float = {"CONV_2D"}});
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("'CONV_2D'"));
}

TEST_F(Int8QuantizerTest, TensorWithoutRangeKeepsItsOperatorsFloat) {
  const int32_t x = input("x");
  const int32_t y = fully_connected("y", x);
  build({fully_connected("z", y)});
  ranges_.erase(x);
  const Int8Report report = quantize();
  EXPECT_EQ(report.operators[0].treatment.reason, "the range of 'x' is not known");
  EXPECT_EQ(report.operators[1].treatment.treatment, Treatment::kInt8);
}

TEST_F(Int8QuantizerTest, MovesBetweenFloatOperatorsStayFloat) {
  const int32_t x = input("x");
  const int32_t a = apply("a", BuiltinOperator::EXP, {x});
  const int32_t b = apply("b", BuiltinOperator::RESHAPE, {a});
  const int32_t c = apply("c", BuiltinOperator::EXP, {b});
  build({fully_connected("d", c)});
  const Int8Report report = quantize();
  EXPECT_EQ(report.operators[1].treatment.treatment, Treatment::kFloat);
  EXPECT_EQ(report.operators[1].treatment.reason, "it stands between operators that stay float");
  EXPECT_EQ(report.added_conversions, 1u);
}

TEST_F(Int8QuantizerTest, MovesBesideInt8AreInt8) {
  const int32_t x = input("x");
  const int32_t a = apply("a", BuiltinOperator::EXP, {x});
  const int32_t b = apply("b", BuiltinOperator::RESHAPE, {a});
  const int32_t c = apply("c", BuiltinOperator::RESHAPE, {b});
  build({fully_connected("d", c)});
  quantize();
  EXPECT_EQ(network_text(model_),
            "x:FLOAT32\n"
            "a:FLOAT32 = EXP(x)\n"
            "a_int8:INT8 = QUANTIZE(a)\n"
            "b:INT8 = RESHAPE(a_int8)\n"
            "c:INT8 = RESHAPE(b)\n"
            "d:INT8 = FULLY_CONNECTED(c)\n"
            "-> d\n");
}

TEST_F(Int8QuantizerTest, NetworkWithoutInt8OperatorIsRefused) {
  const int32_t x = input("x");
  build({apply("y", BuiltinOperator::EXP, {x})});
  EXPECT_EQ(failure().code, ErrorCode::kUnsupported);
}

TEST_F(Int8QuantizerTest, OtherSubgraphsStayAsTheyAre) {
  const int32_t x = input("x");
  build({fully_connected("y", x)});
  FloatNetworkBuilder other;
  const int32_t a = other.input("a", {4});
  schema::ModelT body = other.build({a});
  model_.subgraphs.push_back(std::move(body.subgraphs.front()));
  quantize();
  ASSERT_EQ(model_.subgraphs.size(), 2u);
  EXPECT_EQ(model_.subgraphs[1]->tensors.front()->type, TensorType::FLOAT32);
}

// ---- Scales ----

TEST_F(Int8QuantizerTest, FixedScaleIsRequantizedForAConcatenation) {
  const int32_t x = input("x");
  const int32_t a = apply("a", BuiltinOperator::LOGISTIC, {x});
  const int32_t b = fully_connected("b", x);
  const int32_t output = builder_.activation("c", TensorType::FLOAT32, {1, 8});
  builder_.add_operator(BuiltinOperator::CONCATENATION, schema::ConcatenationOptionsT{}, {a, b},
                        {output});
  build({output});
  ranges_[b] = {-5, 5};
  ranges_[output] = {-5, 5};
  quantize();
  EXPECT_EQ(network_text(model_),
            "x:INT8\n"
            "a:INT8 = LOGISTIC(x)\n"
            "b:INT8 = FULLY_CONNECTED(x)\n"
            "a_requantized:INT8 = QUANTIZE(a)\n"
            "c:INT8 = CONCATENATION(a_requantized, b)\n"
            "-> c\n");
  EXPECT_THAT(tensor("a").quantization->scale, ElementsAre(1.0f / 256));
  EXPECT_EQ(tensor("a_requantized").quantization->scale, tensor("c").quantization->scale);
  EXPECT_EQ(tensor("b").quantization->scale, tensor("c").quantization->scale);
}

TEST_F(Int8QuantizerTest, FloatTensorIsQuantizedStraightIntoTheScaleItsReaderNeeds) {
  const int32_t x = input("x");
  const int32_t a = apply("a", BuiltinOperator::EXP, {x});
  const int32_t b = fully_connected("b", a);
  const int32_t c = apply("c", BuiltinOperator::MAXIMUM, {a, b});
  build({c});
  ranges_[b] = {-5, 5};
  ranges_[c] = {-5, 5};
  quantize();
  EXPECT_EQ(network_text(model_),
            "x:FLOAT32\n"
            "a:FLOAT32 = EXP(x)\n"
            "a_int8:INT8 = QUANTIZE(a)\n"
            "b:INT8 = FULLY_CONNECTED(a_int8)\n"
            "a_requantized:INT8 = QUANTIZE(a)\n"
            "c:INT8 = MAXIMUM(a_requantized, b)\n"
            "-> c\n");
}

TEST_F(Int8QuantizerTest, ProductOfLargeScalesHasItsOwnVersion) {
  for (const float largest : {0.9f, 200.0f}) {
    builder_ = FloatNetworkBuilder();
    const int32_t x = input("x");
    const int32_t y = input("y");
    build({apply("z", BuiltinOperator::MUL, {x, y})});
    ranges_[x] = ranges_[y] = {0, largest};
    quantize();
    EXPECT_EQ(model_.operator_codes.front()->version, largest > 1 ? 3 : 2);
  }
}

TEST_F(Int8QuantizerTest, RangeOfOneNumberIsQuantized) {
  const int32_t x = input("x");
  build({fully_connected("y", x)});
  ranges_[x] = {0, 0};
  ranges_[1] = {3, 3};
  quantize();
  EXPECT_GT(tensor("x").quantization->scale.front(), 0.0f);
}

TEST_F(Int8QuantizerTest, RangeThatIsNotFiniteIsRefused) {
  const int32_t x = input("x");
  build({fully_connected("y", x)});
  ranges_[x] = {0, std::numeric_limits<float>::infinity()};
  const Error error = failure();
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("'x'"));
}

// ---- Constants ----

TEST_F(Int8QuantizerTest, ConstantsTakeTheScaleTheirOperatorNeeds) {
  const int32_t x = input("x");
  const int32_t constant = builder_.constant("constant", {1, 4}, {-3, 0, 1, 2});
  const int32_t sum = apply("sum", BuiltinOperator::ADD, {x, constant});
  build({apply("largest", BuiltinOperator::MAXIMUM, {sum, constant})});
  ranges_[sum] = {-4, 3};
  quantize();
  std::vector<float> scales;
  for (const auto& candidate : model_.subgraphs.front()->tensors) {
    if (candidate->name != "constant") continue;
    EXPECT_EQ(candidate->type, TensorType::INT8);
    scales.push_back(candidate->quantization->scale.front());
  }
  EXPECT_THAT(scales, ElementsAre(5.0f / 255, tensor("largest").quantization->scale.front()));
}

TEST_F(Int8QuantizerTest, ConstantThatAFloatOperatorReadsIsThereTwice) {
  const int32_t x = input("x");
  const int32_t constant = builder_.constant("constant", {1, 4}, {-3, 0, 1, 2});
  build({apply("sum", BuiltinOperator::ADD, {x, constant}),
         apply("power", BuiltinOperator::POW, {x, constant})});
  quantize();
  std::vector<TensorType> types;
  for (const auto& candidate : model_.subgraphs.front()->tensors) {
    if (candidate->name == "constant") types.push_back(candidate->type);
  }
  EXPECT_THAT(types, ElementsAre(TensorType::FLOAT32, TensorType::INT8));
}

TEST_F(Int8QuantizerTest, WeightsThatAreNotFiniteAreRefused) {
  const int32_t x = input("x");
  const int32_t weights =
      builder_.constant("weights", {1, 4}, {0, 1, std::numeric_limits<float>::quiet_NaN(), 3});
  const int32_t y = builder_.activation("y", TensorType::FLOAT32, {1, 1});
  builder_.add_operator(BuiltinOperator::FULLY_CONNECTED, schema::FullyConnectedOptionsT{},
                        {x, weights}, {known(y)});
  build({y});
  const Error error = failure();
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("'weights': element 2 is nan"));
}

// ---- Other shapes of the same function ----

TEST_F(Int8QuantizerTest, ActivationBehindASumIsFused) {
  const int32_t x = input("x");
  const int32_t sum = apply("sum", BuiltinOperator::ADD, {x, x});
  build({apply("y", BuiltinOperator::RELU, {sum})});
  const Int8Report report = quantize();
  EXPECT_EQ(network_text(model_),
            "x:INT8\n"
            "y:INT8 = ADD(x, x)\n"
            "-> y\n");
  EXPECT_EQ(report.fused_activations, 1u);
}

TEST_F(Int8QuantizerTest, FullyConnectedBecomesAConvolutionOnRequest) {
  const int32_t x = input("x");
  build({fully_connected("y", x)});
  quantize({.per_channel_fully_connected = true});
  EXPECT_EQ(network_text(model_),
            "x:INT8\n"
            "x_pixels:INT8 = RESHAPE(x)\n"
            "y_pixels:INT8 = CONV_2D(x_pixels)\n"
            "y:INT8 = RESHAPE(y_pixels)\n"
            "-> y\n");
  EXPECT_EQ(tensor("y_weights").quantization->scale.size(), 4u);
  EXPECT_EQ(tensor("y_bias").quantization->scale.size(), 4u);
}

}  // namespace
}  // namespace lockstep::quantization
