// Every operator with an int8 rule, quantized alone: does TFLite take it, and does it compute what
// the float operator computes?
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>

#include "quantization/int8_quantizer.h"
#include "quantization/operator_rules.h"
#include "quantization/testing/operator_networks.h"
#include "quantization/testing/tflite_run.h"

namespace lockstep::quantization {
namespace {

using testing::OperatorNetwork;
using testing::RealTensor;
using Sample = std::vector<std::vector<float>>;

constexpr uint32_t kSamples = 8;

OperatorNetwork network_at(size_t index) { return std::move(testing::operator_networks()[index]); }

std::string test_name(const ::testing::TestParamInfo<size_t>& info) {
  std::string name = network_at(info.param).name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

class Int8OperatorTest : public ::testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    if (testing::tflite_library() == nullptr) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
    const OperatorNetwork network = network_at(GetParam());
    for (uint32_t seed = 1; seed <= kSamples; ++seed) {
      samples_.push_back(testing::scattered_inputs(network.model, testing::kOperatorInputMinimum,
                                                   testing::kOperatorInputMaximum, seed * 100));
    }
    ranges_ = testing::observe_ranges(network.model, samples_);
  }

  std::vector<Sample> samples_;
  Ranges ranges_;
};

// Inputs as their int8 tensors hold them, so that what differs afterwards is the operator's doing.
Sample rounded(const schema::ModelT& model, Sample sample) {
  const schema::SubGraphT& subgraph = *model.subgraphs.front();
  for (size_t i = 0; i < sample.size(); ++i) {
    const schema::QuantizationParametersT& parameters =
        *subgraph.tensors[static_cast<size_t>(subgraph.inputs[i])]->quantization;
    const Affine affine{.scale = parameters.scale.front(),
                        .zero_point = static_cast<int32_t>(parameters.zero_point.front())};
    for (float& value : sample[i]) value = dequantize(quantize(value, affine, kInt8Range), affine);
  }
  return sample;
}

// Weights are rounded once, constants and intermediate products too, and the output in the end.
constexpr float kLargestErrorInSteps = 1.6f;

TEST_P(Int8OperatorTest, ComputesWhatItsFloatOperatorComputes) {
  const OperatorNetwork real = network_at(GetParam());
  OperatorNetwork quantized = network_at(GetParam());
  const auto report = quantize_to_int8(quantized.model, ranges_, {});
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->added_conversions, 0u);
  for (const Sample& sample : samples_) {
    const Sample inputs = rounded(quantized.model, sample);
    const std::vector<RealTensor> expected = testing::run_in_tflite(real.model, inputs);
    const std::vector<RealTensor> actual = testing::run_in_tflite(quantized.model, inputs);
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t output = 0; output < actual.size(); ++output) {
      // Questions are answered by integers and truth values, which are either right or wrong.
      const graph::Quantization& quantization = actual[output].tensor.quantization;
      const float step = quantization.is_quantized() ? quantization.scales.front() : 0.0f;
      for (size_t i = 0; i < actual[output].values.size(); ++i) {
        ASSERT_NEAR(actual[output].values[i], expected[output].values[i],
                    kLargestErrorInSteps * step)
            << "element " << i << " of output " << output;
      }
    }
  }
}

TEST_P(Int8OperatorTest, RunsBetweenFloatBorders) {
  OperatorNetwork network = network_at(GetParam());
  const bool only_moves = find_rule(network.code)->scales == ScaleRule::kShared;
  const auto report = quantize_to_int8(network.model, ranges_, {.borders = BorderType::kFloat32});
  if (only_moves) {
    ASSERT_FALSE(report.has_value());
    EXPECT_EQ(report.error().code, ErrorCode::kUnsupported);
    return;
  }
  ASSERT_TRUE(report.has_value()) << report.error().message;
  for (const RealTensor& output : testing::run_in_tflite(network.model, samples_.front())) {
    EXPECT_FALSE(output.tensor.quantization.is_quantized());
  }
}

INSTANTIATE_TEST_SUITE_P(All, Int8OperatorTest,
                         ::testing::Range(size_t{0}, testing::operator_networks().size()),
                         test_name);

}  // namespace
}  // namespace lockstep::quantization
