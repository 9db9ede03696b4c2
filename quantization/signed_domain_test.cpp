#include "quantization/signed_domain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "graph/graph_builder.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"
#include "quantization/int8_quantizer.h"
#include "quantization/symmetrize.h"
#include "quantization/testing/operator_networks.h"
#include "quantization/testing/tflite_run.h"
#include "quantization/testing/unsigned_network.h"

namespace lockstep::quantization {
namespace {

using graph::DataType;
using graph::GraphBuilder;
using graph::per_tensor;
using schema::BuiltinOperator;
using schema::TensorType;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

schema::ModelT model_of(const Result<graph::Graph>& graph) {
  EXPECT_TRUE(graph) << graph.error().message;
  auto model = graph::read_editable_model(graph::write_tflite(*graph).value(), "test");
  EXPECT_TRUE(model) << model.error().message;
  return std::move(model->tree);
}

std::vector<std::string> operator_names(const schema::ModelT& model) {
  std::vector<std::string> names;
  for (const auto& op : model.subgraphs[0]->operators) names.push_back(operator_name(model, *op));
  return names;
}

schema::TensorT& tensor(schema::ModelT& model, int32_t index) {
  return *model.subgraphs[0]->tensors[static_cast<size_t>(index)];
}
schema::TensorT& input(schema::ModelT& model, size_t index = 0) {
  return tensor(model, model.subgraphs[0]->inputs[index]);
}
schema::TensorT& output(schema::ModelT& model, size_t index = 0) {
  return tensor(model, model.subgraphs[0]->outputs[index]);
}

// x -> RELU -> MUL with a constant -> y, all uint8.
schema::ModelT chain() {
  GraphBuilder builder("chain");
  const int32_t x = builder.input("x", DataType::kUint8, {1, 4}, per_tensor(0.5f, 100));
  const int32_t relu = builder.unary(graph::UnaryKind::kRelu, x, per_tensor(0.25f, 3));
  const int32_t factors =
      builder.constant<uint8_t>("factors", {4}, {0, 128, 200, 255}, per_tensor(0.01f, 7));
  return model_of(builder.build({builder.mul(relu, factors, per_tensor(0.125f, 130))}));
}

// The network's operator at `position`, as one that nobody knows.
void make_custom(schema::ModelT& model, size_t position, const std::string& name) {
  auto code = std::make_unique<schema::OperatorCodeT>();
  code->builtin_code = BuiltinOperator::CUSTOM;
  code->deprecated_builtin_code = static_cast<int8_t>(BuiltinOperator::CUSTOM);
  code->custom_code = name;
  model.subgraphs[0]->operators[position]->opcode_index =
      static_cast<uint32_t>(model.operator_codes.size());
  model.operator_codes.push_back(std::move(code));
}

TEST(SignedDomain, BordersKeepTheirTypeBehindQuantize) {
  schema::ModelT model = chain();
  const auto report = move_to_signed_domain(model, UnsignedBorders::kKept);
  EXPECT_THAT(operator_names(model), ElementsAre("QUANTIZE", "RELU", "MUL", "QUANTIZE"));
  EXPECT_EQ(report.added_operators, 2u);
  EXPECT_EQ(report.signed_tensors, 4u);
  EXPECT_EQ(input(model).type, TensorType::UINT8);
  EXPECT_EQ(input(model).name, "x");
  EXPECT_EQ(output(model).type, TensorType::UINT8);
  const schema::TensorT& inside = tensor(model, model.subgraphs[0]->operators[0]->outputs[0]);
  EXPECT_EQ(inside.type, TensorType::INT8);
  EXPECT_EQ(inside.name, "x_int8");
  EXPECT_THAT(inside.quantization->zero_point, ElementsAre(-28));
}

TEST(SignedDomain, BordersBecomeInt8WhereThatIsWanted) {
  schema::ModelT model = chain();
  const auto report = move_to_signed_domain(model, UnsignedBorders::kInt8);
  EXPECT_THAT(operator_names(model), ElementsAre("RELU", "MUL"));
  EXPECT_EQ(report.added_operators, 0u);
  EXPECT_EQ(input(model).type, TensorType::INT8);
  EXPECT_THAT(input(model).quantization->zero_point, ElementsAre(-28));
  EXPECT_EQ(output(model).type, TensorType::INT8);
  EXPECT_THAT(output(model).quantization->zero_point, ElementsAre(2));
}

TEST(SignedDomain, ConstantsLose128) {
  schema::ModelT model = chain();
  move_to_signed_domain(model, UnsignedBorders::kInt8);
  const schema::TensorT& factors = tensor(model, model.subgraphs[0]->operators[1]->inputs[1]);
  EXPECT_EQ(factors.type, TensorType::INT8);
  EXPECT_THAT(factors.quantization->zero_point, ElementsAre(-121));
  EXPECT_THAT(model.buffers[factors.buffer]->data, ElementsAre(0x80, 0, 72, 127));
}

TEST(SignedDomain, OperatorsGetVersionsThatTakeInt8) {
  schema::ModelT model = chain();
  for (auto& code : model.operator_codes) code->version = 1;
  move_to_signed_domain(model, UnsignedBorders::kInt8);
  for (const auto& op : model.subgraphs[0]->operators) {
    EXPECT_EQ(model.operator_codes[op->opcode_index]->version, 2);
  }
}

TEST(SignedDomain, OperatorsThatNobodyKnowsStayBetweenQuantizes) {
  schema::ModelT model = chain();
  make_custom(model, 1, "TFLite_Detection_PostProcess");
  const auto report = move_to_signed_domain(model, UnsignedBorders::kKept);
  EXPECT_THAT(operator_names(model),
              ElementsAre("QUANTIZE", "RELU", "QUANTIZE", "TFLite_Detection_PostProcess"));
  ASSERT_THAT(report.kept, SizeIs(1));
  EXPECT_EQ(report.kept[0].op, 1u);
  EXPECT_THAT(report.kept[0].text, HasSubstr("uint8 and float32, but not int8"));
  const schema::OperatorT& custom = *model.subgraphs[0]->operators[3];
  EXPECT_EQ(tensor(model, custom.inputs[0]).type, TensorType::UINT8);
  const schema::TensorT& factors = tensor(model, custom.inputs[1]);
  EXPECT_EQ(factors.type, TensorType::UINT8);
  EXPECT_THAT(model.buffers[factors.buffer]->data, ElementsAre(0, 128, 200, 255));
  EXPECT_EQ(&tensor(model, custom.outputs[0]), &output(model));
}

TEST(SignedDomain, AConstantOfBothKindsOfOperatorsHasBothTypes) {
  GraphBuilder builder("shared");
  const int32_t x = builder.input("x", DataType::kUint8, {4}, per_tensor(0.5f, 100));
  const int32_t shared = builder.constant<uint8_t>("c", {4}, {1, 2, 3, 255}, per_tensor(0.01f, 7));
  const int32_t first = builder.mul(x, shared, per_tensor(0.5f, 1));
  schema::ModelT model = model_of(builder.build({builder.mul(first, shared, per_tensor(1, 2))}));
  make_custom(model, 1, "Mine");
  move_to_signed_domain(model, UnsignedBorders::kKept);
  const auto& operators = model.subgraphs[0]->operators;
  const schema::TensorT& int8 = tensor(model, operators[1]->inputs[1]);
  const schema::TensorT& uint8 = tensor(model, operators[3]->inputs[1]);
  EXPECT_EQ(int8.type, TensorType::INT8);
  EXPECT_EQ(uint8.type, TensorType::UINT8);
  EXPECT_THAT(model.buffers[int8.buffer]->data, ElementsAre(0x81, 0x82, 0x83, 0x7f));
  EXPECT_THAT(model.buffers[uint8.buffer]->data, ElementsAre(1, 2, 3, 255));
}

TEST(SignedDomain, InputsOfConcatenationComeToTheScaleOfItsOutput) {
  GraphBuilder builder("joined");
  const int32_t a = builder.input("a", DataType::kUint8, {1, 2}, per_tensor(0.5f, 100));
  const int32_t b = builder.input("b", DataType::kUint8, {1, 2}, per_tensor(0.25f, 128));
  schema::ModelT model =
      model_of(builder.build({builder.concatenation({a, b, a}, 1, per_tensor(0.25f, 128))}));
  const auto report = move_to_signed_domain(model, UnsignedBorders::kInt8);
  EXPECT_THAT(operator_names(model), ElementsAre("QUANTIZE", "CONCATENATION"));
  EXPECT_THAT(report.other_rounding, SizeIs(1));
  const schema::OperatorT& joined = *model.subgraphs[0]->operators[1];
  EXPECT_EQ(joined.inputs[0], joined.inputs[2]);
  for (const int32_t operand : joined.inputs) {
    EXPECT_THAT(tensor(model, operand).quantization->scale, ElementsAre(0.25f));
    EXPECT_THAT(tensor(model, operand).quantization->zero_point, ElementsAre(0));
  }
}

TEST(SignedDomain, QuantizeAndDequantizeFollowTheirTensors) {
  GraphBuilder builder("float borders");
  const int32_t x = builder.input("x", DataType::kFloat32, {4});
  const int32_t quantized = builder.quantize(x, DataType::kUint8, per_tensor(0.5f, 100));
  const int32_t relu = builder.unary(graph::UnaryKind::kRelu, quantized, per_tensor(0.25f, 3));
  schema::ModelT model = model_of(builder.build({builder.dequantize(relu)}));
  const auto report = move_to_signed_domain(model, UnsignedBorders::kKept);
  EXPECT_THAT(operator_names(model), ElementsAre("QUANTIZE", "RELU", "DEQUANTIZE"));
  EXPECT_EQ(report.signed_tensors, 2u);
  EXPECT_EQ(report.added_operators, 0u);
}

TEST(SignedDomain, NetworksWithoutUint8StayAsTheyAre) {
  GraphBuilder builder("int8");
  const int32_t x = builder.input("x", DataType::kInt8, {4}, per_tensor(0.5f, -100));
  const int32_t y = builder.unary(graph::UnaryKind::kRelu, x, per_tensor(0.25f, 3));
  schema::ModelT model =
      model_of(builder.build({builder.quantize(y, DataType::kUint8, per_tensor(0.25f, 131))}));
  const auto report = move_to_signed_domain(model, UnsignedBorders::kKept);
  EXPECT_THAT(operator_names(model), ElementsAre("RELU", "QUANTIZE"));
  EXPECT_EQ(report.signed_tensors, 0u);
  EXPECT_EQ(output(model).type, TensorType::UINT8);
}

// ---- Operator by operator, against the uint8 kernels of the engine ----

testing::OperatorNetwork network_at(size_t index) {
  return std::move(testing::operator_networks()[index]);
}

std::string test_name(const ::testing::TestParamInfo<size_t>& info) {
  std::string name = network_at(info.param).name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

class SignedOperatorTest : public ::testing::TestWithParam<size_t> {};

TEST_P(SignedOperatorTest, AnswersAsItsUint8Kernel) {
  if (testing::tflite_library() == nullptr) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
  const auto network = [&](bool is_unsigned) {
    testing::OperatorNetwork made = network_at(GetParam());
    std::vector<std::vector<std::vector<float>>> samples;
    for (uint32_t seed = 1; seed <= 4; ++seed) {
      samples.push_back(testing::scattered_inputs(made.model, testing::kOperatorInputMinimum,
                                                  testing::kOperatorInputMaximum, seed * 100));
    }
    const Ranges ranges = testing::observe_ranges(made.model, samples);
    EXPECT_TRUE(quantize_to_int8(made.model, ranges, {}));
    if (is_unsigned) testing::make_unsigned(made.model);
    return std::move(made.model);
  };
  const schema::ModelT uint8 = network(true);
  schema::ModelT int8 = network(true);
  const auto report = symmetrize(int8, {.borders = UnsignedBorders::kInt8});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(report->signed_domain.kept, SizeIs(0));
  for (uint32_t seed = 1; seed <= 4; ++seed) {
    const auto inputs = testing::scattered_inputs(uint8, testing::kOperatorInputMinimum,
                                                  testing::kOperatorInputMaximum, seed * 100);
    std::vector<testing::RealTensor> expected;
    try {
      expected = testing::run_in_tflite(uint8, inputs);
    } catch (const std::runtime_error& refusal) {
      GTEST_SKIP() << "no uint8 kernel: " << refusal.what();
    }
    const auto actual = testing::run_in_tflite(int8, inputs);
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); ++i) {
      const graph::Quantization& quantization = actual[i].tensor.quantization;
      const float step = quantization.is_quantized() ? quantization.scales.front() : 0.0f;
      const float allowed = report->signed_domain.other_rounding.empty() ? 0.0f : 1.001f * step;
      for (size_t element = 0; element < actual[i].values.size(); ++element) {
        ASSERT_NEAR(actual[i].values[element], expected[i].values[element], allowed)
            << "element " << element << " of output " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, SignedOperatorTest,
                         ::testing::Range(size_t{0}, testing::operator_networks().size()),
                         test_name);

}  // namespace
}  // namespace lockstep::quantization
