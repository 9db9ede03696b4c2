#include "quantization/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"

namespace lockstep::quantization {
namespace {

using ::testing::HasSubstr;

// A real float network and the engine to run it.
class CalibrationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* library = std::getenv("LOCKSTEP_TFLITE_LIBRARY");
    if (library == nullptr) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY names no TFLite";
    auto loaded = host_ref::TfliteLibrary::load(library);
    ASSERT_TRUE(loaded) << loaded.error().message;
    library_ = std::move(*loaded);
    const auto path = std::filesystem::path(LOCKSTEP_MODELS_DIR) / "resnet8_cifar10_float32.tflite";
    if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent";
    auto bytes = graph::read_file_bytes(path);
    ASSERT_TRUE(bytes) << bytes.error().message;
    model_ = std::move(*bytes);
    auto graph = graph::read_tflite(model_, "resnet8");
    ASSERT_TRUE(graph) << graph.error().message;
    graph_ = std::move(*graph);
  }

  Result<Calibration> calibrate_on(const std::vector<std::vector<float>>& inputs) const {
    const SampleSource source = {
        .count = inputs.size(),
        .read = [&](size_t index) -> Result<Sample> {
          const auto bytes = std::as_bytes(std::span(inputs[index]));
          return Sample{{bytes.begin(), bytes.end()}};
        },
        .name = [](size_t index) { return "sample " + std::to_string(index); }};
    return calibrate(model_, library_, source, {});
  }

  size_t input_elements() const {
    const graph::Tensor& input = graph_.tensors[static_cast<size_t>(graph_.inputs[0])];
    return static_cast<size_t>(*graph::element_count(input.shape));
  }

  std::vector<std::vector<float>> random_inputs(size_t count) const {
    std::mt19937 dice(5);
    std::vector<std::vector<float>> inputs(count, std::vector<float>(input_elements()));
    for (auto& input : inputs) {
      for (float& value : input) value = static_cast<float>(dice() % 256);
    }
    return inputs;
  }

  // All values of all float tensors, by the engine itself.
  std::map<int32_t, std::vector<float>> all_values(
      const std::vector<std::vector<float>>& inputs) const {
    std::map<int32_t, std::vector<float>> values;
    const auto exposed = graph::expose_all_tensors(model_);
    const auto graph = graph::read_tflite(*exposed, "resnet8");
    auto interpreter = host_ref::TfliteInterpreter::create(library_, *exposed, {});
    EXPECT_TRUE(interpreter) << interpreter.error().message;
    for (const auto& input : inputs) {
      EXPECT_TRUE((*interpreter)->set_input(0, std::as_bytes(std::span(input))));
      EXPECT_TRUE((*interpreter)->invoke());
      for (size_t i = 0; i < graph->outputs.size(); ++i) {
        const auto view = (*interpreter)->output(i);
        std::vector<float> output(view.data.size() / sizeof(float));
        std::memcpy(output.data(), view.data.data(), view.data.size());
        auto& all = values[graph->outputs[i]];
        all.insert(all.end(), output.begin(), output.end());
      }
    }
    return values;
  }

  std::shared_ptr<const host_ref::TfliteLibrary> library_;
  std::vector<std::byte> model_;
  graph::Graph graph_;
};

TEST_F(CalibrationTest, EveryActivationIsObserved) {
  const auto inputs = random_inputs(3);
  const auto calibration = calibrate_on(inputs);
  ASSERT_TRUE(calibration) << calibration.error().message;
  EXPECT_EQ(calibration->samples, 3u);
  const auto expected = all_values(inputs);
  ASSERT_EQ(calibration->tensors.size(), expected.size() + 1) << "the input, too";
  for (const auto& [tensor, values] : expected) {
    const TensorObserver& observer = calibration->tensors.at(tensor);
    EXPECT_EQ(observer.histogram().count(), values.size());
    EXPECT_EQ(observer.histogram().minimum(), *std::min_element(values.begin(), values.end()));
    EXPECT_EQ(observer.histogram().maximum(), *std::max_element(values.begin(), values.end()));
    const graph::Shape& shape = graph_.tensors[static_cast<size_t>(tensor)].shape;
    EXPECT_EQ(observer.channel_count(), static_cast<size_t>(shape.back())) << observer.name();
  }
  const TensorObserver& input = calibration->tensors.at(graph_.inputs[0]);
  EXPECT_EQ(input.histogram().range(), (TensorRange{.minimum = 0, .maximum = 255}));
}

TEST_F(CalibrationTest, RangesOfAllMethodsLieInWhatWasSeen) {
  const auto calibration = calibrate_on(random_inputs(2));
  ASSERT_TRUE(calibration) << calibration.error().message;
  for (const RangeMethod method :
       {RangeMethod::kMinMax, RangeMethod::kPercentile, RangeMethod::kMse, RangeMethod::kEntropy}) {
    const Ranges ranges = choose_ranges(*calibration, {.method = method});
    ASSERT_EQ(ranges.size(), calibration->tensors.size());
    for (const auto& [tensor, range] : ranges) {
      const TensorRange seen = widened(calibration->tensors.at(tensor).histogram().range());
      EXPECT_LE(seen.minimum, range.minimum);
      EXPECT_GE(seen.maximum, range.maximum);
      EXPECT_LT(range.minimum, range.maximum);
    }
  }
}

TEST_F(CalibrationTest, ProgressIsToldAfterEverySample) {
  std::vector<size_t> told;
  const std::vector<std::vector<float>> inputs = random_inputs(1);
  const SampleSource source = {.count = 3,
                               .read = [&](size_t) -> Result<Sample> {
                                 const auto bytes = std::as_bytes(std::span(inputs[0]));
                                 return Sample{{bytes.begin(), bytes.end()}};
                               },
                               .name = [](size_t) { return std::string("x"); }};
  const auto calibration =
      calibrate(model_, library_, source, {.progress = [&](size_t done, size_t count) {
                  EXPECT_EQ(count, 3u);
                  told.push_back(done);
                }});
  ASSERT_TRUE(calibration) << calibration.error().message;
  EXPECT_THAT(told, ::testing::ElementsAre(1, 2, 3));
}

TEST_F(CalibrationTest, WhatHasNoRangeIsNamed) {
  auto inputs = random_inputs(2);
  inputs[1][7] = std::numeric_limits<float>::quiet_NaN();
  auto refused = calibrate_on(inputs);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("NaN at element 7 for sample 'sample 1'"));
  // Finite inputs on which the network leaves the numbers.
  std::mt19937 dice(1);
  for (float& value : inputs[1]) {
    value = std::numeric_limits<float>::max() * (dice() % 2 == 0 ? 1.0f : -1.0f);
  }
  refused = calibrate_on(inputs);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("for sample 'sample 1'"));
}

TEST_F(CalibrationTest, InputsThatDoNotFitAreRefused) {
  EXPECT_FALSE(calibrate_on({}));
  const auto refused = calibrate_on({std::vector<float>(5)});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("sample 'sample 0'"));
}

}  // namespace
}  // namespace lockstep::quantization
