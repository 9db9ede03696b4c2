#include "conformance/difference_picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "conformance/report_testing.h"

namespace lockstep::conformance {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

TensorDifference difference_of(graph::Shape shape, std::vector<int64_t> indices) {
  TensorDifference difference;
  difference.shape = std::move(shape);
  difference.differing = static_cast<int64_t>(indices.size());
  difference.first = indices.empty() ? 0 : indices.front();
  difference.indices = std::move(indices);
  difference.histogram[3] = difference.differing;
  return difference;
}

int64_t sum(const std::vector<int64_t>& values) {
  return std::accumulate(values.begin(), values.end(), int64_t{0});
}

TEST(DifferencePicture, AnImageHasOneViewABatchAndOneAChannel) {
  // 2x2x3x4: batch 1, row 1, column 2, channels 0 and 3; batch 0, row 0, column 1, channel 3.
  const auto grids = difference_grids(difference_of({2, 2, 3, 4}, {7, 44, 47}));
  ASSERT_THAT(grids, SizeIs(5));
  EXPECT_EQ(grids[0].caption, "batch 0, all 4 channels");
  EXPECT_THAT(grids[0].differing, ElementsAre(0, 1, 0, 0, 0, 0));
  EXPECT_THAT(grids[0].elements, Each(4));
  EXPECT_EQ(grids[1].caption, "batch 1, all 4 channels");
  EXPECT_THAT(grids[1].differing, ElementsAre(0, 0, 0, 0, 0, 2));
  EXPECT_EQ(grids[2].caption, "batch 0, channel 3");
  EXPECT_EQ(grids[3].caption, "batch 1, channel 0");
  EXPECT_EQ(grids[4].caption, "batch 1, channel 3");
  EXPECT_THAT(grids[4].differing, ElementsAre(0, 0, 0, 0, 0, 1));
  EXPECT_THAT(grids[4].elements, Each(1));
}

TEST(DifferencePicture, OneChannelNeedsNoSheetOfItsOwn) {
  const auto grids = difference_grids(difference_of({1, 2, 2, 1}, {3}));
  ASSERT_THAT(grids, SizeIs(1));
  EXPECT_EQ(grids[0].caption, "batch 0");
}

TEST(DifferencePicture, MatricesAreRowsOfTheInnermostDimension) {
  const auto grids = difference_grids(difference_of({2, 3, 5}, {4, 29}));
  ASSERT_THAT(grids, SizeIs(1));
  EXPECT_EQ(grids[0].rows, 6);
  EXPECT_EQ(grids[0].columns, 5);
  EXPECT_EQ(grids[0].differing[4], 1);
  EXPECT_EQ(grids[0].differing[29], 1);
}

TEST(DifferencePicture, ALongRowIsWrappedAndItsLastLineEndsEarly) {
  const auto grids = difference_grids(difference_of({1, 1, 1, 70}, {69}));
  ASSERT_THAT(grids, SizeIs(1));
  EXPECT_EQ(grids[0].rows, 2);
  EXPECT_EQ(grids[0].columns, 64);
  EXPECT_EQ(grids[0].differing[64 + 5], 1);
  EXPECT_EQ(sum(grids[0].elements), 70);
}

TEST(DifferencePicture, AScalarIsOneCell) {
  const auto grids = difference_grids(difference_of({}, {0}));
  ASSERT_THAT(grids, SizeIs(1));
  EXPECT_THAT(grids[0].differing, ElementsAre(1));
}

TEST(DifferencePicture, LargeTensorsAreBinnedWithoutLosingAnElement) {
  // 1x300x500x2; one element in each corner. Square cells: 8 fit both limits.
  const int64_t row = 500 * 2;
  const auto grids =
      difference_grids(difference_of({1, 300, 500, 2}, {0, row - 1, 299 * row, 300 * row - 1}));
  const DifferenceGrid& all = grids.at(0);
  EXPECT_EQ(all.cell_height, 8);
  EXPECT_EQ(all.cell_width, 8);
  EXPECT_EQ(all.cell_rows, 38);
  EXPECT_EQ(all.cell_columns, 63);
  EXPECT_EQ(sum(all.differing), 4);
  EXPECT_EQ(sum(all.elements), 300 * row);
  EXPECT_EQ(all.differing.front(), 1);
  EXPECT_EQ(all.differing[62], 1);
  EXPECT_EQ(all.differing.back(), 1);
}

TEST(DifferencePicture, TheShortSideOfALongTensorIsNotBinned) {
  const auto grids = difference_grids(difference_of({9600, 3}, {28'799}));
  EXPECT_EQ(grids.at(0).cell_height, 200);
  EXPECT_EQ(grids.at(0).cell_width, 1);
  EXPECT_EQ(grids.at(0).cell_rows, DifferenceGrid::kMaximumRows);
  EXPECT_EQ(grids.at(0).differing.back(), 1);
}

TEST(DifferencePicture, EveryElementFallsIntoTheCellThatCountsIt) {
  // All elements differ: in every cell as many as there are, whatever the remainders of binning.
  for (const int32_t rows : {1, 2, 47, 48, 49, 97}) {
    for (const int32_t columns : {1, 63, 64, 65, 130}) {
      std::vector<int64_t> indices(static_cast<size_t>(rows * columns));
      std::iota(indices.begin(), indices.end(), 0);
      const auto grids = difference_grids(difference_of({rows, columns}, indices));
      ASSERT_THAT(grids, SizeIs(1));
      EXPECT_EQ(grids[0].differing, grids[0].elements) << rows << "x" << columns;
    }
  }
}

TEST(DifferencePicture, CellsBehindTheLastRecordedElementAreUnknown) {
  TensorDifference difference = difference_of({4, 2}, {1, 3});
  EXPECT_THAT(difference_grids(difference)[0].unknown, Each(false));
  difference.differing = 5;
  EXPECT_THAT(difference_grids(difference)[0].unknown,
              ElementsAre(false, false, false, false, true, true, true, true));
  EXPECT_THAT(difference_picture(difference), HasSubstr("class=\"unknown\" d=\"M0 2h2v1h-2zM0 3"));
}

TEST(DifferencePicture, ManyChannelsAreCutAndProfiled) {
  std::vector<int64_t> indices;
  for (int64_t pixel = 0; pixel < 4; ++pixel) {
    for (int64_t channel = 0; channel < 40; ++channel) indices.push_back(pixel * 40 + channel);
  }
  const TensorDifference difference = difference_of({1, 2, 2, 40}, indices);
  EXPECT_THAT(difference_grids(difference), SizeIs(1 + kMaximumSheets));
  EXPECT_THAT(innermost_profile(difference, 64), ::testing::AllOf(SizeIs(40), Each(4)));
  EXPECT_THAT(innermost_profile(difference, 8), ::testing::AllOf(SizeIs(8), Each(20)));
}

TEST(DifferencePicture, AProfileThatWouldSayNothingIsLeftOut) {
  EXPECT_THAT(innermost_profile(difference_of({5, 1}, {2}), 64), IsEmpty());
  EXPECT_THAT(innermost_profile(difference_of({1, 5}, {2}), 64), IsEmpty());
  EXPECT_THAT(innermost_profile(difference_of({}, {0}), 64), IsEmpty());
}

TEST(DifferencePicture, WhatMakesNoSenseDrawsNothing) {
  EXPECT_THAT(difference_grids(difference_of({0, 4}, {1})), IsEmpty());
  EXPECT_THAT(difference_grids(difference_of({-1, 4}, {1})), IsEmpty());
  EXPECT_EQ(difference_picture(difference_of({1 << 30, 1 << 30}, {1})), "");
  // Indices outside the tensor are passed over.
  const auto grids = difference_grids(difference_of({2, 2}, {-1, 3, 4}));
  EXPECT_THAT(grids.at(0).differing, ElementsAre(0, 0, 0, 1));
}

TEST(DifferencePicture, IsWellFormedAndSmall) {
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < 4096; ++i) indices.push_back(i * 37);
  const std::string picture = difference_picture(difference_of({2, 60, 70, 33}, indices));
  EXPECT_EQ(testing::parse_markup("<div>" + picture + "</div>", false).error, "");
  EXPECT_LT(picture.size(), 200'000U);
}

TEST(DifferencePicture, TheHistogramShowsEveryBin) {
  TensorDifference difference = difference_of({8}, {0});
  difference.histogram = {101, 0, 103, 104, 105, 106, 107, 108};
  const std::string picture = histogram_picture(difference);
  const testing::Markup markup = testing::parse_markup(picture, false);
  ASSERT_EQ(markup.error, "");
  std::vector<std::string> texts;
  for (const auto* text : markup.named("text")) texts.push_back(text->text);
  EXPECT_THAT(texts, ElementsAre("101", "≤ −4", "0", "−3", "103", "−2", "104", "−1", "105", "+1",
                                 "106", "+2", "107", "+3", "108", "≥ +4"));
}

}  // namespace
}  // namespace lockstep::conformance
