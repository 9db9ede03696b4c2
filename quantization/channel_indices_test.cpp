#include "quantization/channel_indices.h"

#include <gtest/gtest.h>

namespace lockstep::quantization {
namespace {

schema::SubGraphT tensors_of(const std::vector<std::vector<int32_t>>& shapes) {
  schema::SubGraphT subgraph;
  for (const auto& shape : shapes) {
    subgraph.tensors.push_back(std::make_unique<schema::TensorT>());
    subgraph.tensors.back()->shape = shape;
  }
  return subgraph;
}

TEST(ChannelIndices, JoinsAreTransitive) {
  ChannelIndices indices(tensors_of({{4}, {4}, {2, 8}}));
  indices.join_all({0, 0}, {1, 0});
  indices.join({1, 0}, 2, {2, 1}, 7);
  EXPECT_EQ(indices.class_of({0, 0}, 2), indices.class_of({2, 1}, 7));
  EXPECT_NE(indices.class_of({0, 0}, 2), indices.class_of({0, 0}, 3));
  EXPECT_NE(indices.class_of({0, 0}, 2), indices.class_of({2, 1}, 2));
}

TEST(ChannelIndices, ReasonsReachTheWholeClassBeforeAndAfterwards) {
  ChannelIndices indices(tensors_of({{3}, {3}, {3}}));
  indices.join_all({0, 0}, {1, 0});
  indices.fix({1, 0}, "one");
  indices.fix({1, 0}, "two");
  indices.join({2, 0}, 1, {0, 0}, 1);
  ASSERT_NE(indices.reason_against(indices.class_of({2, 0}, 1)), nullptr);
  EXPECT_EQ(*indices.reason_against(indices.class_of({2, 0}, 1)), "one");
  EXPECT_EQ(indices.reason_against(indices.class_of({2, 0}, 0)), nullptr);
}

TEST(ChannelIndices, WhatDoesNotFitIsFixed) {
  ChannelIndices indices(tensors_of({{3}, {4}, {5}}));
  indices.join_all({0, 0}, {1, 0});
  indices.join({2, 0}, 5, {1, 0}, 0);
  for (const TensorAxis axis : {TensorAxis{0, 0}, TensorAxis{1, 0}, TensorAxis{2, 0}}) {
    ASSERT_NE(indices.reason_against(indices.class_of(axis, 0)), nullptr);
  }
}

TEST(ChannelIndices, HugeDimensionsCostNothingAndStay) {
  ChannelIndices indices(tensors_of({{2'000'000'000}, {2'000'000'000}, {7}, {0}}));
  EXPECT_LT(indices.class_limit(), 100u);
  indices.join_all({0, 0}, {1, 0});
  EXPECT_NE(indices.reason_against(indices.class_of({1, 0}, 1'999'999'999)), nullptr);
  EXPECT_EQ(indices.reason_against(indices.class_of({2, 0}, 6)), nullptr);
  EXPECT_NE(indices.reason_against(indices.class_of({3, 0}, 0)), nullptr);
}

}  // namespace
}  // namespace lockstep::quantization
