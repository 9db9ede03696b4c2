#include "quantization/class_agreement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace lockstep::quantization {
namespace {

using ::testing::ElementsAre;

TEST(ClassAgreement, BestClassesAreSortedAndTiesGoToTheLowerIndex) {
  const std::vector<float> scores = {0.1f, 0.4f, 0.4f, 0.05f, 0.4f, -1};
  EXPECT_THAT(best_classes(scores, 4), ElementsAre(1, 2, 4, 0));
  EXPECT_THAT(best_classes(scores, 99), ElementsAre(1, 2, 4, 0, 3, 5));
  EXPECT_THAT(best_classes(std::vector<float>{std::nanf(""), -3, std::nanf(""), -2}, 4),
              ElementsAre(3, 1, 0, 2));
}

TEST(ClassAgreement, CountsFirstPlacesAndTheFirstFive) {
  ClassAgreement agreement;
  const std::vector<float> expected = {9, 8, 7, 6, 5, 4, 3};
  agreement.add(expected, expected);
  agreement.add(expected, std::vector<float>{5, 9, 8, 7, 6, 0, 0});  // fifth
  agreement.add(expected, std::vector<float>{4, 9, 8, 7, 6, 5, 0});  // sixth
  agreement.add(expected, std::vector<float>{9, 1, 1, 1, 1, 1, 1});
  EXPECT_EQ(agreement.count(), 4u);
  EXPECT_EQ(agreement.top1(), 0.5);
  EXPECT_EQ(agreement.top5(), 0.75);
}

TEST(ClassAgreement, TiesDecideAsADeploymentWould) {
  ClassAgreement agreement;
  // The actual scores cannot tell 1 from 2: whoever asks gets 1.
  agreement.add(std::vector<float>{0, 2, 1}, std::vector<float>{0, 1, 1});
  EXPECT_EQ(agreement.top1(), 1);
  agreement.add(std::vector<float>{0, 1, 2}, std::vector<float>{0, 1, 1});
  EXPECT_EQ(agreement.top1(), 0.5);
  // The same scores always agree.
  agreement.add(std::vector<float>{1, 1, 1}, std::vector<float>{1, 1, 1});
  EXPECT_NEAR(agreement.top1(), 2.0 / 3, 1e-12);
  EXPECT_EQ(agreement.top5(), 1) << "there are but three classes";
}

}  // namespace
}  // namespace lockstep::quantization
