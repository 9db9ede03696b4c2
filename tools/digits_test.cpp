// Handwritten digits as a data set: from an array through calibration and quantization to a
// comparison.
#include "tools/testing/digits.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "graph/editable_model.h"
#include "graph/tflite_reader.h"
#include "quantization/calibration.h"
#include "quantization/int8_quantizer.h"
#include "quantization/model_comparison.h"
#include "quantization/testing/float_network_builder.h"
#include "quantization/testing/tflite_run.h"
#include "tools/data_set.h"

namespace lockstep::tools {
namespace {

namespace schema = graph::schema;
using quantization::Observed;
using quantization::RangeMethod;
using testing::Digits;
using testing::kDigitExtent;
using testing::read_digits;

constexpr size_t kPixels = kDigitExtent * kDigitExtent;
constexpr size_t kClasses = 10;

// Scores every digit by how near it is to the mean of each class:
//   x * mean - |mean|^2 / 2  is the largest where  |x - mean|^2  is the least.
schema::ModelT classifier_of(const Digits& digits) {
  std::vector<float> means(kClasses * kPixels, 0.0f);
  const auto per_class = static_cast<float>(digits.count() / kClasses);
  for (size_t i = 0; i < digits.count(); ++i) {
    const std::vector<float> image = digits.image(i);
    float* mean = means.data() + digits.classes[i] * kPixels;
    for (size_t pixel = 0; pixel < kPixels; ++pixel) mean[pixel] += image[pixel] / per_class;
  }
  std::vector<float> bias(kClasses, 0.0f);
  for (size_t i = 0; i < means.size(); ++i) bias[i / kPixels] -= means[i] * means[i] / 2;

  constexpr auto kExtent = static_cast<int32_t>(kDigitExtent);
  constexpr auto kRow = static_cast<int32_t>(kPixels);
  quantization::testing::FloatNetworkBuilder builder;
  const int32_t input = builder.input("digit", {1, kExtent, kExtent, 1});
  const int32_t shape = builder.integers("shape", {2}, {1, kRow});
  const int32_t row = builder.apply(schema::BuiltinOperator::RESHAPE, schema::ReshapeOptionsT{},
                                    {input, shape}, {1, kRow});
  const int32_t scores =
      builder.apply(schema::BuiltinOperator::FULLY_CONNECTED, schema::FullyConnectedOptionsT{},
                    {row, builder.constant("means", {kClasses, kRow}, means),
                     builder.constant("bias", {kClasses}, bias)},
                    {1, kClasses});
  return builder.build({scores});
}

std::vector<std::byte> file_of(schema::ModelT tree) {
  const auto bytes = graph::write_editable_model({.tree = std::move(tree), .archive = {}});
  EXPECT_TRUE(bytes) << bytes.error().message;
  return bytes.value_or(std::vector<std::byte>());
}

class DigitsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("lockstep_digits_test_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // The data of a file of these digits.
  quantization::SampleSource source_of(const Digits& digits, const std::string& name,
                                       const graph::Graph& graph) const {
    const std::string path = (folder_ / name).string();
    EXPECT_TRUE(write_npy(digits.images, path));
    const auto source = open_data_set(graph, {.data = {path}});
    EXPECT_TRUE(source) << source.error().message;
    return source.value_or(quantization::SampleSource{});
  }

  std::filesystem::path folder_;
};

TEST_F(DigitsTest, AreSamplesOfTheArray) {
  const auto digits = read_digits(0, 3);
  if (!digits) GTEST_SKIP() << "LOCKSTEP_DIGITS_DIR names no digits";
  const auto bytes = file_of(classifier_of(*digits));
  const auto graph = graph::read_tflite(bytes, "classifier");
  ASSERT_TRUE(graph) << graph.error().message;
  const auto source = source_of(*digits, "digits.npy", *graph);
  ASSERT_EQ(source.count, 30u);
  const auto sample = source.read(17);
  ASSERT_TRUE(sample) << sample.error().message;
  std::vector<float> values(kPixels);
  ASSERT_EQ((*sample)[0].size(), values.size() * sizeof(float));
  std::memcpy(values.data(), (*sample)[0].data(), (*sample)[0].size());
  EXPECT_EQ(values, digits->image(17));
  EXPECT_EQ(digits->classes[17], 7u);
}

// Calibrated with one set of digits, compared on another.
TEST_F(DigitsTest, AreClassifiedAlikeWhateverChoosesTheRanges) {
  const auto training = read_digits(0, 100);
  if (!training) GTEST_SKIP() << "LOCKSTEP_DIGITS_DIR names no digits";
  const auto library = quantization::testing::tflite_library();
  if (!library) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY names no TFLite";
  const auto calibration_digits = read_digits(100, 10);
  const auto test_digits = read_digits(200, 30);

  const auto float_file = file_of(classifier_of(*training));
  const auto graph = graph::read_tflite(float_file, "classifier");
  ASSERT_TRUE(graph) << graph.error().message;
  const auto calibration = quantization::calibrate(
      float_file, library, source_of(*calibration_digits, "calibration.npy", *graph), {});
  ASSERT_TRUE(calibration) << calibration.error().message;
  const auto test_source = source_of(*test_digits, "test.npy", *graph);

  for (const RangeMethod method :
       {RangeMethod::kMinMax, RangeMethod::kPercentile, RangeMethod::kMse, RangeMethod::kEntropy}) {
    SCOPED_TRACE(quantization::range_method_name(method));
    auto quantized = classifier_of(*training);
    const auto report = quantization::quantize_to_int8(
        quantized, quantization::choose_ranges(*calibration, {.method = method}), {});
    ASSERT_TRUE(report) << report.error().message;
    const auto int8_file = file_of(std::move(quantized));
    const auto expected =
        quantization::open_in_tflite(float_file, "float", library, 1, Observed::kAllTensors);
    ASSERT_TRUE(expected) << expected.error().message;
    const auto actual =
        quantization::open_in_tflite(int8_file, "int8", library, 1, Observed::kAllTensors);
    ASSERT_TRUE(actual) << actual.error().message;
    const auto comparison = quantization::compare_models(**expected, **actual, test_source, {});
    ASSERT_TRUE(comparison) << comparison.error().message;
    const quantization::OutputComparison& output = comparison->outputs.at(0);
    EXPECT_GE(output.agreement.top1(), 0.97);
    EXPECT_GT(output.tensor.error.sqnr(), 25);
    size_t right = 0;
    for (const quantization::SampleComparison& sample : output.samples) {
      right += sample.actual_class == test_digits->classes[sample.sample] ? 1 : 0;
    }
    EXPECT_GT(right, test_digits->count() * 3 / 4) << "it is a classifier";
  }
}

}  // namespace
}  // namespace lockstep::tools
