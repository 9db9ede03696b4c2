#include "tools/tensor_comparison.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace lockstep::tools {
namespace {

template <typename T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

TEST(TensorComparison, FindsTheFirstDifferenceAndTheLargest) {
  const std::vector<int8_t> expected{1, -128, 3, 4};
  const std::vector<int8_t> actual{1, 127, 3, 5};
  const auto result = compare_tensors(graph::DataType::kInt8, bytes_of(expected), bytes_of(actual));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->elements, 4);
  EXPECT_EQ(result->differing, 2);
  EXPECT_EQ(result->first_differing, 1);
  EXPECT_EQ(result->largest_difference, 255);
}

TEST(TensorComparison, ComparesBitsNotValues) {
  const std::vector<float> expected{0.0f, NAN};
  const std::vector<float> actual{-0.0f, NAN};
  const auto result =
      compare_tensors(graph::DataType::kFloat32, bytes_of(expected), bytes_of(actual));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->differing, 1) << "equal NaN bits are equal, 0 and -0 are not";
  EXPECT_EQ(result->largest_difference, 0);
}

TEST(TensorComparison, ANanAgainstANumberIsInfinitelyFar) {
  const std::vector<float> expected{1.0f};
  const std::vector<float> actual{NAN};
  const auto result =
      compare_tensors(graph::DataType::kFloat32, bytes_of(expected), bytes_of(actual));
  ASSERT_TRUE(result);
  EXPECT_TRUE(std::isinf(result->largest_difference));
}

TEST(TensorComparison, RefusesDifferentSizes) {
  const std::vector<int8_t> expected{1, 2};
  const std::vector<int8_t> actual{1};
  EXPECT_FALSE(compare_tensors(graph::DataType::kInt8, bytes_of(expected), bytes_of(actual)));
}

}  // namespace
}  // namespace lockstep::tools
