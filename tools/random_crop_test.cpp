#include "tools/random_crop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

namespace lockstep::tools {
namespace {

constexpr ImageSize kPhoto{.width = 60, .height = 40};

TEST(RandomCrop, LiesInThePhotoAndHasTheRatioOfTheInput) {
  for (const ImageSize input : {ImageSize{8, 8}, ImageSize{30, 10}, ImageSize{7, 40}}) {
    for (size_t number = 0; number < 500; ++number) {
      const ImagePart crop = random_crop(kPhoto, input, 1, number);
      ASSERT_GE(crop.x, 0);
      ASSERT_GE(crop.y, 0);
      ASSERT_LE(crop.x + crop.width, kPhoto.width);
      ASSERT_LE(crop.y + crop.height, kPhoto.height);
      ASSERT_GE(crop.width, input.width);
      ASSERT_GE(crop.height, input.height);
      const double height = 1.0 * crop.width * input.height / input.width;
      ASSERT_LE(std::abs(crop.height - height), 0.5) << crop.width << " x " << crop.height;
    }
  }
}

TEST(RandomCrop, MayBeOfAnySizeAtAnyPlace) {
  ImagePart least{.x = 60, .y = 40, .width = 60, .height = 40};
  ImagePart most{.x = 0, .y = 0, .width = 0, .height = 0};
  for (size_t number = 0; number < 2000; ++number) {
    const ImagePart crop = random_crop(kPhoto, {.width = 8, .height = 8}, 1, number);
    least = {std::min(least.x, crop.x), std::min(least.y, crop.y),
             std::min(least.width, crop.width), std::min(least.height, crop.height)};
    most = {std::max(most.x, crop.x), std::max(most.y, crop.y), std::max(most.width, crop.width),
            std::max(most.height, crop.height)};
  }
  EXPECT_EQ(least.x, 0);
  EXPECT_EQ(least.y, 0);
  EXPECT_EQ(least.width, 8);
  EXPECT_EQ(most.width, 40);
  EXPECT_GT(most.x, 45);
  EXPECT_GT(most.y, 28);
}

TEST(RandomCrop, SeedsMeanTheSamePartsEverywhere) {
  const auto crop = [](uint64_t seed, size_t number) {
    const ImagePart part = random_crop(kPhoto, {.width = 8, .height = 8}, seed, number);
    return std::array{part.x, part.y, part.width, part.height};
  };
  EXPECT_THAT(crop(1, 0), ::testing::ElementsAre(36, 1, 18, 18));
  EXPECT_THAT(crop(1, 1), ::testing::ElementsAre(20, 5, 31, 31));
  EXPECT_THAT(crop(uint64_t{1} << 32, 0), ::testing::ElementsAre(25, 12, 13, 13));
}

TEST(RandomCrop, NeedsAPhotoThatIsLargerThanTheInput) {
  constexpr ImageSize kInput{.width = 8, .height = 6};
  EXPECT_TRUE(has_crops({.width = 9, .height = 6}, kInput));
  EXPECT_TRUE(has_crops({.width = 8, .height = 7}, kInput));
  EXPECT_FALSE(has_crops(kInput, kInput)) << "all crops would be the photo";
  EXPECT_FALSE(has_crops({.width = 7, .height = 100}, kInput));
  EXPECT_FALSE(has_crops({.width = 100, .height = 5}, kInput));
}

}  // namespace
}  // namespace lockstep::tools
