#include "tools/predictions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

namespace lockstep::tools {
namespace {

using testing::ElementsAre;
using testing::Field;

std::vector<OutputValues> detector_outputs(std::vector<float> scores) {
  const auto count = static_cast<int32_t>(scores.size());
  std::vector<float> boxes;
  std::vector<float> classes;
  for (size_t i = 0; i < scores.size(); ++i) {
    boxes.insert(boxes.end(), {0.1f, 0.2f, 0.3f, 0.4f});
    classes.push_back(static_cast<float>(i));
  }
  return {{.shape = {1, count, 4}, .values = boxes},
          {.shape = {1, count}, .values = classes},
          {.shape = {1, count}, .values = scores},
          {.shape = {1}, .values = {static_cast<float>(count)}}};
}

TEST(Predictions, DetectionsAreSortedAndFiltered) {
  const auto detections = detections_of(detector_outputs({0.4f, 0.9f, 0.6f}), 0.5f);
  ASSERT_TRUE(detections);
  EXPECT_THAT(*detections,
              ElementsAre(Field(&Detection::class_id, 1), Field(&Detection::class_id, 2)));
}

TEST(Predictions, NonsenseFromTheNetworkIsDropped) {
  auto outputs = detector_outputs({0.9f, 0.9f, 0.9f});
  outputs[0].values[1] = std::numeric_limits<float>::quiet_NaN();
  outputs[1].values[1] = -5.0f;
  outputs[2].values[2] = std::numeric_limits<float>::quiet_NaN();
  const auto detections = detections_of(outputs, 0.5f);
  ASSERT_TRUE(detections);
  EXPECT_TRUE(detections->empty());
}

TEST(Predictions, ACountBeyondTheCapacityIsClamped) {
  auto outputs = detector_outputs({0.9f});
  outputs[3].values[0] = 1e9f;
  EXPECT_EQ(detections_of(outputs, 0.5f)->size(), 1u);
}

TEST(Predictions, OtherOutputsAreNoDetections) {
  const std::vector<OutputValues> classifier{{.shape = {1, 3}, .values = {0.1f, 0.7f, 0.2f}}};
  EXPECT_FALSE(detections_of(classifier, 0.5f));
  const auto best = classifications_of(classifier, 2);
  ASSERT_TRUE(best);
  EXPECT_THAT(
      *best, ElementsAre(Field(&Classification::class_id, 1), Field(&Classification::class_id, 2)));
  EXPECT_FALSE(classifications_of(detector_outputs({0.5f}), 2));
}

TEST(Predictions, AClassWithoutANumberIsTheLast) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<OutputValues> classifier{{.shape = {1, 4}, .values = {0.1f, nan, 0.9f, -1.0f}}};
  const auto best = classifications_of(classifier, 4);
  ASSERT_TRUE(best);
  EXPECT_THAT(
      *best, ElementsAre(Field(&Classification::class_id, 2), Field(&Classification::class_id, 0),
                         Field(&Classification::class_id, 3), Field(&Classification::class_id, 1)));
}

TEST(Predictions, QuantizedOutputsBecomeRealValues) {
  graph::Tensor tensor;
  tensor.type = graph::DataType::kInt8;
  tensor.shape = {1, 2};
  tensor.quantization = {.scales = {0.5f}, .zero_points = {-2}, .axis = 0};
  const std::vector<std::byte> bytes{std::byte{0}, std::byte{0xFE}};
  const auto output = output_values(tensor, bytes);
  ASSERT_TRUE(output);
  EXPECT_THAT(output->values, ElementsAre(1.0f, 0.0f));
}

TEST(Predictions, LabelsWithAndWithoutNumbers) {
  const auto path = std::filesystem::path(testing::TempDir()) / "lockstep_labels.txt";
  std::ofstream(path) << "0  person\r\n2  car\n";
  const auto numbered = Labels::read(path);
  ASSERT_TRUE(numbered);
  EXPECT_EQ(numbered->name(0), "person");
  EXPECT_EQ(numbered->name(1), "class 1");
  EXPECT_EQ(numbered->name(2), "car");
  EXPECT_EQ(numbered->name(-1), "class -1");
  std::ofstream(path) << "background\ntench, Tinca tinca\n3D printer\n";
  const auto plain = Labels::read(path);
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->name(1), "tench, Tinca tinca");
  EXPECT_EQ(plain->name(2), "3D printer");
  std::filesystem::remove(path);
}

TEST(Predictions, AbsurdLabelNumbersAreRefused) {
  const auto path = std::filesystem::path(testing::TempDir()) / "lockstep_labels_absurd.txt";
  std::ofstream(path) << "9999999  person\n";
  EXPECT_FALSE(Labels::read(path));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace lockstep::tools
