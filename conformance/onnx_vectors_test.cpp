// ONNX's own vectors of its quantized operators, as third-party cases: on every device, in every
// configuration in which the device computes them, every byte under `litert`.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/vulkan/testing/validation_environment.h"
#include "conformance/subject.h"
#include "conformance/testing/onnx_case.h"
#include "conformance/testing/onnx_file.h"

namespace lockstep::conformance {
namespace {

using numerics::Contract;
using ::testing::HasSubstr;
using testing::OnnxCase;
using testing::OnnxVector;

const auto* const kValidation = backend::vulkan::testing::fail_on_validation_messages();

// Where the package libonnx-testdata puts the vectors of single operators, or a copy of them.
std::filesystem::path vector_folder() {
  const char* const folder = std::getenv("LOCKSTEP_ONNX_VECTORS");
  return folder != nullptr ? folder : "/usr/share/libonnx-testdata/data/node";
}

// Names of the vectors whose last node is a quantized operator.
std::vector<std::string> list_vectors() {
  std::vector<std::string> names;
  std::error_code absent;
  for (const auto& entry : std::filesystem::directory_iterator(vector_folder(), absent)) {
    const auto nodes = testing::read_onnx_nodes(entry.path() / "model.onnx");
    if (nodes && testing::is_quantized_onnx_operator(nodes->back().type)) {
      names.push_back(entry.path().filename().string());
    }
  }
  std::ranges::sort(names);
  return names;
}

class OnnxVectors : public ::testing::TestWithParam<std::string> {
 protected:
  // Opened once: every device with all its masks.
  static void SetUpTestSuite() {
    for (const std::string& selector : list_subjects()) {
      auto subject = open_subject(selector);
      ASSERT_TRUE(subject) << subject.error().message;
      subjects_.push_back(std::move(*subject));
    }
  }
  static void TearDownTestSuite() { subjects_.clear(); }

  static std::vector<std::unique_ptr<Subject>> subjects_;
};
std::vector<std::unique_ptr<Subject>> OnnxVectors::subjects_;

// What the vector speaks of among what a subject computed: outputs, or accumulators behind them.
void expect_vector(const OnnxCase& onnx_case, const LoweredCase& lowered,
                   const Observation& observation) {
  const size_t first = onnx_case.expects_accumulators ? lowered.output_count : 0;
  ASSERT_GE(observation.outputs.size(), first + onnx_case.expected.size());
  for (size_t i = 0; i < onnx_case.expected.size(); ++i) {
    EXPECT_EQ(observation.outputs[first + i], onnx_case.expected[i]) << "tensor " << i;
  }
}

// The one element of all vectors that `litert` computes otherwise, because its QUANTIZE of float32
// multiplies by the scale's inverse where ONNX divides: -2.5 by float32(5 / 255) is float32
// -127.499992, and -2.5 * 51 is -127.5, a tie.
void expect_litert_in_place_of_onnx(OnnxCase& onnx_case, const std::string& vector) {
  if (vector != "test_dynamicquantizelinear" && vector != "test_dynamicquantizelinear_expanded") {
    return;
  }
  constexpr int kZeroPoint = 153;
  std::byte& element = onnx_case.expected.at(0).at(3);
  ASSERT_EQ(element, std::byte{kZeroPoint - 127});
  element = std::byte{kZeroPoint - 128};
}

TEST_P(OnnxVectors, AreComputedBitForBit) {
  const auto vector = testing::read_onnx_vector(vector_folder() / GetParam());
  if (!vector && vector.error().code == ErrorCode::kUnsupported) {
    GTEST_SKIP() << vector.error().message;
  }
  ASSERT_TRUE(vector) << vector.error().message;
  auto onnx_case = testing::make_onnx_case(*vector);
  if (!onnx_case && onnx_case.error().code == ErrorCode::kUnsupported) {
    GTEST_SKIP() << onnx_case.error().message;
  }
  ASSERT_TRUE(onnx_case) << onnx_case.error().message;
  ASSERT_NO_FATAL_FAILURE(expect_litert_in_place_of_onnx(*onnx_case, vector->name));
  const auto lowered = lower_case(onnx_case->source, Contract::kLitert);
  ASSERT_TRUE(lowered) << lowered.error().message;

  for (const auto& subject : subjects_) {
    SCOPED_TRACE(subject->description().device.name);
    const auto groups = subject->configurations(*lowered);
    // Only hosts compute what has floats in it.
    if (!groups && groups.error().code == ErrorCode::kUnsupported &&
        vector->nodes.back().type.ends_with("antizeLinear") &&
        subject->description().selector != "ref") {
      continue;
    }
    ASSERT_TRUE(groups) << groups.error().message;
    for (const ConfigurationGroup& group : *groups) {
      SCOPED_TRACE(group.configuration.name());
      const auto observations = subject->run(*lowered, group.configuration, 2);
      ASSERT_TRUE(observations) << observations.error().message;
      for (const Observation& observation : *observations) {
        expect_vector(*onnx_case, *lowered, observation);
      }
    }
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OnnxVectors);
INSTANTIATE_TEST_SUITE_P(Package, OnnxVectors, ::testing::ValuesIn(list_vectors()),
                         [](const auto& name) { return name.param; });

// A package that lost some, or a mapping that refuses some, would otherwise go unnoticed.
TEST(OnnxPackage, HasVectorsOfEveryOperatorThatWeMap) {
  const std::vector<std::string> names = list_vectors();
  if (names.empty()) {
    GTEST_SKIP() << "no vectors in " << vector_folder() << ": install libonnx-testdata";
  }
  std::map<std::string, int> mapped;
  for (const std::string& name : names) {
    const auto vector = testing::read_onnx_vector(vector_folder() / name);
    if (!vector || !testing::make_onnx_case(*vector)) continue;
    const bool is_expanded = vector->nodes.size() > 1;
    ++mapped[vector->nodes.back().type + (is_expanded ? " (expanded)" : "")];
  }
  const std::map<std::string, int> least = {
      {"ConvInteger", 3},           {"DequantizeLinear", 2},
      {"DynamicQuantizeLinear", 3}, {"MatMulInteger", 1},
      {"QLinearConv", 1},           {"QLinearMatMul", 2},
      {"QuantizeLinear", 2},        {"QuantizeLinear (expanded)", 3}};
  for (const auto& [type, count] : least) {
    EXPECT_GE(mapped[type], count) << type;
  }
}

// --- The reader and the mapping distrust what they read ----------------------------------------

class OnnxFile : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* const test = ::testing::UnitTest::GetInstance()->current_test_info();
    file_ = std::filesystem::path(::testing::TempDir()) / fmt::format("onnx_{}.pb", test->name());
  }
  void TearDown() override { std::filesystem::remove(file_); }

  // Protobuf: a tag (field * 8 + 0 for a number, + 2 for bytes with their count), then the value.
  Result<testing::OnnxTensor> read(const std::string& bytes) const {
    std::ofstream(file_, std::ios::binary) << bytes;
    return testing::read_onnx_tensor(file_);
  }

  std::filesystem::path file_;
};

TEST_F(OnnxFile, ReadsRawAndTypedContents) {
  // dims 3, data_type uint8, raw_data
  const auto raw = read(std::string("\x08\x03\x10\x02\x4a\x03\x01\x80\xff", 9));
  ASSERT_TRUE(raw) << raw.error().message;
  EXPECT_EQ(raw->shape, (graph::Shape{3}));
  EXPECT_EQ(raw->data, (std::vector{std::byte{1}, std::byte{0x80}, std::byte{0xff}}));
  // dims 2, data_type uint8, int32_data 7, 200
  const auto typed = read(std::string("\x08\x02\x10\x02\x2a\x03\x07\xc8\x01", 9));
  ASSERT_TRUE(typed) << typed.error().message;
  EXPECT_EQ(typed->data, (std::vector{std::byte{7}, std::byte{200}}));
  // no dims, data_type float32, float_data 1
  const auto scalar = read(std::string("\x10\x01\x22\x04\x00\x00\x80\x3f", 8));
  ASSERT_TRUE(scalar) << scalar.error().message;
  EXPECT_EQ(scalar->data.size(), 4u);
}

TEST_F(OnnxFile, RefusesWhatContradictsItself) {
  const auto expect_refusal = [&](const std::string& bytes, ErrorCode code, const char* reason) {
    const auto tensor = read(bytes);
    ASSERT_FALSE(tensor);
    EXPECT_EQ(tensor.error().code, code);
    EXPECT_THAT(tensor.error().message, HasSubstr(reason));
  };
  expect_refusal(std::string("\x08\x04\x10\x02\x4a\x03\x01\x80\xff", 9), ErrorCode::kInvalidModel,
                 "3 bytes for 4 elements uint8");
  expect_refusal(std::string("\x08\x03\x10\x02\x4a\x7f\x01", 7), ErrorCode::kInvalidModel,
                 "no ONNX protobuf file");
  // dims -1: ten bytes of a number
  expect_refusal(std::string("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x02", 13),
                 ErrorCode::kInvalidModel, "extent of -1");
  expect_refusal(std::string("\x10\x0b", 2), ErrorCode::kUnsupported, "type 11");
  const auto absent = testing::read_onnx_tensor(file_.string() + ".absent");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
}

testing::OnnxTensor tensor_of(const char* name, graph::DataType type, graph::Shape shape) {
  const auto count = static_cast<size_t>(graph::element_count(shape).value());
  return {name, type, std::move(shape),
          std::vector<std::byte>(count * graph::data_type_size(type), std::byte{1})};
}

OnnxVector convolution_vector() {
  using graph::DataType;
  return {.name = "made",
          .nodes = {{.type = "ConvInteger",
                     .inputs = {"x", "w", "", "wz"},
                     .outputs = {"y"},
                     .numbers = {},
                     .texts = {}}},
          .inputs = {tensor_of("x", DataType::kInt8, {1, 1, 3, 3}),
                     tensor_of("w", DataType::kInt8, {1, 1, 2, 2})},
          .outputs = {tensor_of("y", DataType::kInt32, {1, 1, 2, 2})}};
}

TEST(OnnxMapping, RefusesWhatOurOperatorsComputeOtherwise) {
  EXPECT_TRUE(testing::make_onnx_case(convolution_vector()));
  const auto expect_refusal = [](const OnnxVector& vector, const char* reason) {
    const auto mapped = testing::make_onnx_case(vector);
    ASSERT_FALSE(mapped);
    EXPECT_THAT(mapped.error().message, HasSubstr(reason));
  };
  OnnxVector asymmetric = convolution_vector();
  asymmetric.inputs.push_back(tensor_of("wz", graph::DataType::kInt8, {}));
  expect_refusal(asymmetric, "int8 weights have a zero point");

  OnnxVector mixed = convolution_vector();
  mixed.inputs[0].type = graph::DataType::kUint8;
  expect_refusal(mixed, "operands are uint8 and int8");

  OnnxVector automatic = convolution_vector();
  automatic.nodes[0].texts["auto_pad"] = "SAME_UPPER";
  expect_refusal(automatic, "its window is none of ours");

  OnnxVector incomplete = convolution_vector();
  incomplete.inputs.pop_back();
  expect_refusal(incomplete, "an operand is missing");

  OnnxVector several = convolution_vector();
  several.nodes.insert(several.nodes.begin(), several.nodes[0]);
  expect_refusal(several, "it has 2 nodes");
}

// The package's images have one channel, its windows no stride and no groups.
OnnxVector many_channels_vector(int32_t output_channels, int32_t groups) {
  using graph::DataType;
  constexpr int32_t kChannels = 4, kHeight = 5, kWidth = 3, kKernelHeight = 2;
  constexpr int32_t kTop = 1, kRight = 2, kStride = 2, kOutputHeight = 3, kOutputWidth = 5;
  const int32_t group_inputs = kChannels / groups;
  const int32_t group_outputs = output_channels / groups;
  OnnxVector vector = {
      .name = "many channels",
      .nodes = {{.type = "ConvInteger",
                 .inputs = {"x", "w", "xz"},
                 .outputs = {"y"},
                 .numbers = {{"pads", {kTop, 0, 0, kRight}}, {"strides", {kStride, 1}}},
                 .texts = {}}},
      .inputs = {tensor_of("x", DataType::kUint8, {1, kChannels, kHeight, kWidth}),
                 tensor_of("w", DataType::kUint8,
                           {output_channels, group_inputs, kKernelHeight, 1}),
                 tensor_of("xz", DataType::kUint8, {})},
      .outputs = {
          tensor_of("y", DataType::kInt32, {1, output_channels, kOutputHeight, kOutputWidth})}};
  const auto input = [](int32_t c, int32_t y, int32_t x) { return 10 * c + 3 * y * y + 7 * x; };
  const auto weight = [](int32_t o, int32_t i, int32_t k) { return 1 + o + 5 * i * i + 2 * k; };
  size_t position = 0;
  for (int32_t c = 0; c < kChannels; ++c) {
    for (int32_t i = 0; i < kHeight * kWidth; ++i) {
      vector.inputs[0].data[position++] = static_cast<std::byte>(input(c, i / kWidth, i % kWidth));
    }
  }
  position = 0;
  for (int32_t o = 0; o < output_channels; ++o) {
    for (int32_t i = 0; i < group_inputs * kKernelHeight; ++i) {
      vector.inputs[1].data[position++] =
          static_cast<std::byte>(weight(o, i / kKernelHeight, i % kKernelHeight));
    }
  }
  const int32_t input_zero_point = std::to_integer<int32_t>(vector.inputs[2].data[0]);
  std::vector<int32_t> sums;
  for (int32_t o = 0; o < output_channels; ++o) {
    for (int32_t y = 0; y < kOutputHeight; ++y) {
      for (int32_t x = 0; x < kOutputWidth; ++x) {
        int32_t sum = 0;
        for (int32_t i = 0; i < group_inputs; ++i) {
          for (int32_t k = 0; k < kKernelHeight; ++k) {
            const int32_t row = kStride * y - kTop + k;
            if (row < 0 || row >= kHeight || x >= kWidth) continue;
            const int32_t channel = o / group_outputs * group_inputs + i;
            sum += (input(channel, row, x) - input_zero_point) * weight(o, i, k);
          }
        }
        sums.push_back(sum);
      }
    }
  }
  std::memcpy(vector.outputs[0].data.data(), sums.data(), vector.outputs[0].data.size());
  return vector;
}

TEST(OnnxMapping, PutsChannelsLast) {
  const auto subject = open_subject("ref");
  ASSERT_TRUE(subject) << subject.error().message;
  for (const int32_t groups : {1, 2, 4}) {
    SCOPED_TRACE(fmt::format("{} groups", groups));
    const auto onnx_case = testing::make_onnx_case(many_channels_vector(8, groups));
    ASSERT_TRUE(onnx_case) << onnx_case.error().message;
    const auto lowered = lower_case(onnx_case->source, Contract::kLitert);
    ASSERT_TRUE(lowered) << lowered.error().message;
    const auto observations = (*subject)->run(*lowered, {}, 1);
    ASSERT_TRUE(observations) << observations.error().message;
    expect_vector(*onnx_case, *lowered, (*observations)[0]);
  }
}

}  // namespace
}  // namespace lockstep::conformance
