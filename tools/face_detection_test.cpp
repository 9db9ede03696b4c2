#include "tools/face_detection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lockstep::tools {
namespace {

using testing::FloatNear;
using testing::HasSubstr;

// Outputs of the network of short range in which nobody is to be seen.
struct ShortRange {
  std::vector<OutputValues> outputs{
      {.shape = {1, 896, 16}, .values = std::vector<float>(size_t{896} * 16, 0.0f)},
      {.shape = {1, 896, 1}, .values = std::vector<float>(896, -50.0f)}};

  void put(size_t anchor, float x, float y, float width, float height, float logit) {
    const std::vector<float> box{x, y, width, height};
    std::ranges::copy(box, outputs[0].values.begin() + static_cast<std::ptrdiff_t>(anchor * 16));
    outputs[1].values[anchor] = logit;
  }
};

TEST(FaceDetection, AnchorsStandInTheMiddleOfTheirCells) {
  const auto short_range = face_anchors(128, 896);
  ASSERT_TRUE(short_range);
  ASSERT_EQ(short_range->size(), 896u);
  EXPECT_FLOAT_EQ((*short_range)[0].x, 0.5f / 16);
  EXPECT_FLOAT_EQ((*short_range)[1].x, 0.5f / 16) << "two in each cell";
  EXPECT_FLOAT_EQ((*short_range)[2].x, 1.5f / 16);
  EXPECT_FLOAT_EQ((*short_range)[512].x, 0.5f / 8) << "the coarser grid follows";
  EXPECT_FLOAT_EQ((*short_range)[512 + 6].x, 1.5f / 8) << "six in each cell";
  EXPECT_FLOAT_EQ(short_range->back().y, 7.5f / 8);
  const auto full_range = face_anchors(192, 2304);
  ASSERT_TRUE(full_range);
  ASSERT_EQ(full_range->size(), 2304u);
  EXPECT_FLOAT_EQ((*full_range)[49].y, 1.5f / 48);
  const auto other = face_anchors(128, 895);
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("895 boxes in 128 x 128"));
}

TEST(FaceDetection, ABoxIsRelativeToItsAnchorAndInPixels) {
  ShortRange network;
  network.put(512, 8, -4, 32, 64, 0.0f);  // anchor at 1/16, 1/16
  const auto faces = faces_of(network.outputs, 128, 0.5f);
  ASSERT_TRUE(faces);
  ASSERT_EQ(faces->size(), 1u);
  EXPECT_FLOAT_EQ(faces->front().score, 0.5f);
  EXPECT_FLOAT_EQ(faces->front().left, 0.0625f + 0.0625f - 0.125f);
  EXPECT_FLOAT_EQ(faces->front().right, 0.0625f + 0.0625f + 0.125f);
  EXPECT_FLOAT_EQ(faces->front().top, 0.0625f - 0.03125f - 0.25f);
  EXPECT_FLOAT_EQ(faces->front().bottom, 0.0625f - 0.03125f + 0.25f);
}

TEST(FaceDetection, OverlappingBoxesAreOneFaceWeightedByScore) {
  ShortRange network;
  network.put(0, 0, 0, 32, 32, 2.0f);
  network.put(1, 4, 0, 32, 32, 1.0f);
  network.put(700, 0, 0, 16, 16, 3.0f);
  const auto faces = faces_of(network.outputs, 128, 0.5f);
  ASSERT_TRUE(faces);
  ASSERT_EQ(faces->size(), 2u);
  EXPECT_NEAR((*faces)[0].score, 1 / (1 + std::exp(-3.0f)), 1e-6f) << "the best comes first";
  const float first = 1 / (1 + std::exp(-2.0f));
  const float second = 1 / (1 + std::exp(-1.0f));
  const float shift = 4.0f / 128 * second / (first + second);
  EXPECT_THAT((*faces)[1].left, FloatNear(0.5f / 16 - 0.125f + shift, 1e-6f));
  EXPECT_FLOAT_EQ((*faces)[1].score, first);
}

TEST(FaceDetection, NonsenseAndLowScoresAreNobody) {
  ShortRange network;
  network.put(0, std::numeric_limits<float>::quiet_NaN(), 0, 32, 32, 5.0f);
  network.put(3, 0, 0, 32, 32, std::numeric_limits<float>::quiet_NaN());
  network.put(5, 0, 0, 32, 32, -0.1f);
  const auto faces = faces_of(network.outputs, 128, 0.5f);
  ASSERT_TRUE(faces);
  EXPECT_TRUE(faces->empty());
}

TEST(FaceDetection, OutputsOfOtherNetworksAreRefused) {
  ShortRange network;
  network.outputs[1].shape = {1, 896, 2};
  const auto faces = faces_of(network.outputs, 128, 0.5f);
  ASSERT_FALSE(faces);
  EXPECT_EQ(faces.error().code, ErrorCode::kUnsupported);
}

TEST(FaceDetection, ALetterboxKeepsProportionsAndFindsTheWayBack) {
  Image photo{.width = 200, .height = 100, .pixels = std::vector<uint8_t>(200 * 100 * 3, 255)};
  const Letterbox box = letterbox(photo, 128);
  EXPECT_EQ(box.image.width, 128);
  EXPECT_EQ(box.image.height, 128);
  EXPECT_EQ(box.image.pixels[0], 0) << "black above the photo";
  EXPECT_EQ(box.image.pixels[(64 * 128 + 64) * 3], 255);
  const Detection whole = box.in_photo({.top = 0.25f, .left = 0, .bottom = 0.75f, .right = 1});
  EXPECT_FLOAT_EQ(whole.top, 0);
  EXPECT_FLOAT_EQ(whole.bottom, 1);
  EXPECT_FLOAT_EQ(whole.right, 1);
}

TEST(FaceDetection, IntersectionOverUnion) {
  const Detection a{.top = 0, .left = 0, .bottom = 2, .right = 2};
  EXPECT_FLOAT_EQ(intersection_over_union(a, a), 1);
  EXPECT_FLOAT_EQ(intersection_over_union(a, {.top = 0, .left = 1, .bottom = 2, .right = 3}),
                  1.0f / 3);
  EXPECT_FLOAT_EQ(intersection_over_union(a, {.top = 3, .left = 3, .bottom = 4, .right = 4}), 0);
  EXPECT_FLOAT_EQ(intersection_over_union({}, {}), 0);
}

}  // namespace
}  // namespace lockstep::tools
