#include "quantization/scale_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::quantization {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Affine kProbability{.scale = 1.0f / 256.0f, .zero_point = -128};
constexpr Affine kTangent{.scale = 1.0f / 128.0f, .zero_point = 0};

ScaledOperator free(std::vector<int32_t> inputs, std::vector<int32_t> outputs) {
  return {.inputs = std::move(inputs), .outputs = std::move(outputs)};
}

ScaledOperator shared(std::vector<int32_t> inputs, std::vector<int32_t> outputs) {
  return {.scales = ScaleRule::kShared, .inputs = std::move(inputs), .outputs = std::move(outputs)};
}

ScaledOperator fixed(int32_t input, int32_t output, Affine parameters = kProbability) {
  return {.scales = ScaleRule::kFixed,
          .fixed_output = parameters,
          .inputs = {input},
          .outputs = {output}};
}

ScaledOperator with_constants(ScaledOperator op, TensorRange constants) {
  op.constants = constants;
  return op;
}

void expect_range(const ScaleGroups& groups, int32_t tensor, float minimum, float maximum) {
  EXPECT_FLOAT_EQ(groups.of(tensor).range.minimum, minimum) << "tensor " << tensor;
  EXPECT_FLOAT_EQ(groups.of(tensor).range.maximum, maximum) << "tensor " << tensor;
}

TEST(ScaleGroupsTest, TensorsOfFreeOperatorsKeepTheirOwnRanges) {
  const std::vector operators{free({0, 1}, {2})};
  const auto groups = group_scales(operators, {{0, {-1, 1}}, {1, {-2, 2}}, {2, {-3, 3}}});
  expect_range(groups, 0, -1, 1);
  expect_range(groups, 1, -2, 2);
  expect_range(groups, 2, -3, 3);
  EXPECT_THAT(groups.requantizations, IsEmpty());
}

TEST(ScaleGroupsTest, ConcatenationUnitesItsInputsAndItsOutput) {
  const std::vector operators{free({0}, {1}), free({0}, {2}), shared({1, 2}, {3})};
  const auto groups =
      group_scales(operators, {{0, {0, 9}}, {1, {-1, 1}}, {2, {-2, 6}}, {3, {-2, 6}}});
  for (const int32_t tensor : {1, 2, 3}) expect_range(groups, tensor, -2, 6);
  EXPECT_EQ(groups.group_of.at(1), groups.group_of.at(3));
  EXPECT_NE(groups.group_of.at(0), groups.group_of.at(3));
  EXPECT_THAT(groups.requantizations, IsEmpty());
}

TEST(ScaleGroupsTest, WhatWasDemandedOfOneCountsForAllOfItsGroup) {
  const std::vector operators{free({0}, {1}), free({0}, {2}), shared({1, 2}, {3})};
  const Ranges ranges{{0, {0, 9}}, {1, {-1, 1}}, {2, {-2, 6}}, {3, {-3, 3}}};
  const auto groups = group_scales(operators, ranges, {{3, {-3, 3}}});
  for (const int32_t tensor : {1, 2, 3}) expect_range(groups, tensor, -3, 3);
  expect_range(groups, 0, 0, 9);
  // Of several demands the union.
  const auto both = group_scales(operators, ranges, {{1, {-1, 1}}, {3, {-3, 0.5f}}});
  for (const int32_t tensor : {1, 2, 3}) expect_range(both, tensor, -3, 1);
}

TEST(ScaleGroupsTest, SharingRunsBackwardsThroughChains) {
  // 0 -> RESHAPE -> 1, 2 -> PAD -> 3, CONCATENATION of 1 and 3: all of them know of the widest.
  const std::vector operators{shared({0}, {1}), shared({2}, {3}), shared({1, 3}, {4})};
  const auto groups =
      group_scales(operators, {{0, {0, 1}}, {1, {0, 1}}, {2, {-7, 0}}, {3, {-7, 0}}, {4, {-7, 1}}});
  for (const int32_t tensor : {0, 1, 2, 3, 4}) expect_range(groups, tensor, -7, 1);
  EXPECT_THAT(groups.requantizations, IsEmpty());
}

TEST(ScaleGroupsTest, AllOutputsOfASplitShareWithItsInput) {
  const std::vector operators{shared({0}, {1, 2, 3})};
  const auto groups =
      group_scales(operators, {{0, {-4, 4}}, {1, {-4, 0}}, {2, {0, 1}}, {3, {1, 4}}});
  for (const int32_t tensor : {0, 1, 2, 3}) expect_range(groups, tensor, -4, 4);
}

TEST(ScaleGroupsTest, WhatCopiesAFixedScaleHasIt) {
  const std::vector operators{fixed(0, 1), shared({1}, {2})};
  const auto groups = group_scales(operators, {{0, {-9, 9}}, {1, {0, 0.5f}}, {2, {0, 0.5f}}});
  EXPECT_EQ(groups.of(1).fixed, kProbability);
  EXPECT_EQ(groups.of(2).fixed, kProbability);
  EXPECT_FALSE(groups.of(0).fixed.has_value());
  EXPECT_THAT(groups.requantizations, IsEmpty());
}

TEST(ScaleGroupsTest, FixedScaleIsRequantizedWhereOthersDoNotFitIt) {
  // 1 is in [0, 1] by its kernel, 2 is not.
  const std::vector operators{fixed(0, 1), shared({2, 1}, {3})};
  const auto groups =
      group_scales(operators, {{0, {-9, 9}}, {1, {0, 1}}, {2, {-5, 5}}, {3, {-5, 5}}});
  EXPECT_THAT(groups.requantizations, ElementsAre(Requantization{.op = 1, .input = 1}));
  EXPECT_EQ(groups.of(1).fixed, kProbability);
  EXPECT_FALSE(groups.of(3).fixed.has_value());
  EXPECT_EQ(groups.group_of.at(2), groups.group_of.at(3));
  expect_range(groups, 3, -5, 5);
}

TEST(ScaleGroupsTest, FixedScaleStaysWhereOthersFitIt) {
  const std::vector operators{fixed(0, 1), shared({2, 1}, {3})};
  const auto groups =
      group_scales(operators, {{0, {-9, 9}}, {1, {0, 1}}, {2, {0, 0.75f}}, {3, {0, 1}}});
  EXPECT_THAT(groups.requantizations, IsEmpty());
  for (const int32_t tensor : {1, 2, 3}) EXPECT_EQ(groups.of(tensor).fixed, kProbability);
}

TEST(ScaleGroupsTest, TwoDifferentFixedScalesAreBothRequantized) {
  const std::vector operators{fixed(0, 1), fixed(0, 2, kTangent), shared({1, 2}, {3})};
  const auto groups =
      group_scales(operators, {{0, {-9, 9}}, {1, {0, 1}}, {2, {-1, 1}}, {3, {-1, 1}}});
  EXPECT_THAT(groups.requantizations, ElementsAre(Requantization{2, 0}, Requantization{2, 1}));
  EXPECT_EQ(groups.of(1).fixed, kProbability);
  EXPECT_EQ(groups.of(2).fixed, kTangent);
  expect_range(groups, 3, -1, 1);
}

TEST(ScaleGroupsTest, TwoEqualFixedScalesAreOne) {
  const std::vector operators{fixed(0, 1), fixed(0, 2), shared({1, 2}, {3})};
  const auto groups =
      group_scales(operators, {{0, {-9, 9}}, {1, {0, 1}}, {2, {0, 1}}, {3, {0, 1}}});
  EXPECT_THAT(groups.requantizations, IsEmpty());
  EXPECT_EQ(groups.group_of.at(1), groups.group_of.at(2));
}

TEST(ScaleGroupsTest, ReaderOfAnyScaleIsSparedAMuchWiderRange) {
  // 1 is small and also read by an operator of its own; 2 is five times as wide.
  const Ranges ranges{{0, {0, 1}}, {1, {-1, 1}}, {2, {-5, 5}}, {3, {-5, 5}}, {4, {0, 1}}};
  const auto spared = group_scales(
      std::vector{free({0}, {1}), free({0}, {2}), shared({1, 2}, {3}), free({1}, {4})}, ranges);
  EXPECT_THAT(spared.requantizations, ElementsAre(Requantization{2, 0}));
  expect_range(spared, 1, -1, 1);
  expect_range(spared, 3, -5, 5);

  const auto unread =
      group_scales(std::vector{free({0}, {1}), free({0}, {2}), shared({1, 2}, {3})}, ranges);
  EXPECT_THAT(unread.requantizations, IsEmpty());
  expect_range(unread, 1, -5, 5);
}

TEST(ScaleGroupsTest, ReaderOfAnyScaleAcceptsALittleWidening) {
  const std::vector operators{free({0}, {1}), free({0}, {2}), shared({1, 2}, {3}), free({1}, {4})};
  const auto groups =
      group_scales(operators, {{0, {0, 1}}, {1, {-3, 3}}, {2, {-5, 5}}, {3, {-5, 5}}, {4, {0, 1}}});
  EXPECT_THAT(groups.requantizations, IsEmpty());
  expect_range(groups, 1, -5, 5);
}

TEST(ScaleGroupsTest, ConstantsCountAmongTheMembers) {
  const std::vector operators{with_constants(shared({0}, {1}), {-10, 2})};
  const auto groups = group_scales(operators, {{0, {-1, 1}}, {1, {-1, 2}}});
  expect_range(groups, 0, -10, 2);
  expect_range(groups, 1, -10, 2);
}

TEST(ScaleGroupsTest, ConstantOutsideAFixedScaleRequantizes) {
  const std::vector operators{fixed(0, 1), with_constants(shared({1}, {2}), {-1, -1})};
  const auto groups = group_scales(operators, {{0, {-9, 9}}, {1, {0, 1}}, {2, {-1, 1}}});
  EXPECT_THAT(groups.requantizations, ElementsAre(Requantization{1, 0}));
  EXPECT_EQ(groups.of(1).fixed, kProbability);
  expect_range(groups, 2, -1, 1);
}

TEST(ScaleGroupsTest, TensorReadTwiceByOneOperatorLeavesTwice) {
  const std::vector operators{fixed(0, 1), shared({1, 2, 1}, {3})};
  const auto groups =
      group_scales(operators, {{0, {-9, 9}}, {1, {0, 1}}, {2, {-5, 5}}, {3, {-5, 5}}});
  EXPECT_THAT(groups.requantizations, ElementsAre(Requantization{1, 0}, Requantization{1, 2}));
}

TEST(ScaleGroupsTest, LongChainsAreGroupedWithoutDeepRecursion) {
  constexpr int32_t kLength = 200'000;
  std::vector<ScaledOperator> operators;
  std::map<int32_t, TensorRange> ranges{{0, {0, 1}}};
  for (int32_t i = 0; i < kLength; ++i) {
    operators.push_back(shared({i}, {i + 1}));
    ranges[i + 1] = {0, 1};
  }
  ranges[kLength] = {-1, 1};
  const auto groups = group_scales(operators, ranges);
  EXPECT_EQ(groups.groups.size(), 1u);
  expect_range(groups, 0, -1, 1);
}

}  // namespace
}  // namespace lockstep::quantization
