#include "graph/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace lockstep::graph {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::optional<int64_t> count(const Shape& shape) { return element_count(shape); }

TEST(Tensor, CountsElements) {
  EXPECT_EQ(count({}), 1);
  EXPECT_EQ(count({2, 3, 4}), 24);
  EXPECT_EQ(count({5, 0, 7}), 0);
}

TEST(Tensor, RefusesNegativeExtentsEvenBesideAnEmptyOne) {
  EXPECT_EQ(count({-1, 2}), std::nullopt);
  EXPECT_EQ(count({0, -1}), std::nullopt);
}

TEST(Tensor, RefusesCountsAboveTheLimitWithoutOverflow) {
  const int32_t huge = std::numeric_limits<int32_t>::max();
  EXPECT_EQ(count({huge}), huge);
  EXPECT_EQ(count({1 << 16, 1 << 15}), std::nullopt) << "2^31 is beyond int32";
  EXPECT_EQ(count({huge, huge, huge, huge, huge}), std::nullopt);
  EXPECT_EQ(count({huge, huge, 0}), 0);
}

TEST(Tensor, PrintsShapes) {
  EXPECT_EQ(shape_to_string(Shape{}), "scalar");
  EXPECT_EQ(shape_to_string(Shape{1, 224, 224, 3}), "1x224x224x3");
}

TEST(Tensor, CutsShapesThatNobodyWouldReadToTheEnd) {
  const std::string text = shape_to_string(Shape(1'000'000, 1));
  EXPECT_LT(text.size(), 100u);
  EXPECT_TRUE(text.ends_with("x1x...")) << text;
}

TEST(Tensor, MakesNamesFitForMessages) {
  EXPECT_EQ(printable("a\nb\x1b[31m\x7f"), "a?b?[31m?");
  EXPECT_EQ(printable(std::string(101, 'x')), std::string(100, 'x') + "...");
  EXPECT_EQ(printable("conv/\xc3\xa4"), "conv/\xc3\xa4");
}

TEST(Tensor, KnowsTypeSizesAndRanges) {
  EXPECT_EQ(data_type_size(DataType::kInt8), 1u);
  EXPECT_EQ(data_type_size(DataType::kFloat16), 2u);
  EXPECT_EQ(data_type_size(DataType::kInt64), 8u);
  EXPECT_EQ(data_type_size(DataType::kOther), 0u);
  EXPECT_EQ(integer_range(DataType::kInt8)->minimum, -128);
  EXPECT_EQ(integer_range(DataType::kUint8)->maximum, 255);
  EXPECT_EQ(integer_range(DataType::kInt16)->maximum, 32767);
  EXPECT_EQ(integer_range(DataType::kFloat32), std::nullopt);
}

TEST(Tensor, ReadsConstantsThatAreNotAligned) {
  alignas(4) std::array<std::byte, 9> bytes{};
  bytes[1] = std::byte{0xfe};
  bytes[2] = bytes[3] = bytes[4] = std::byte{0xff};
  bytes[5] = std::byte{7};
  Tensor tensor;
  tensor.type = DataType::kInt32;
  tensor.shape = {2};
  tensor.data = std::span(bytes).subspan(1);
  EXPECT_THAT(constant_values<int32_t>(tensor), ElementsAre(-2, 7));
}

TEST(Tensor, ReadsNoConstantOfAnotherTypeOrEncoding) {
  const std::array<std::byte, 8> bytes{};
  Tensor tensor;
  tensor.type = DataType::kInt32;
  tensor.shape = {2};
  tensor.data = bytes;
  EXPECT_THAT(constant_values<int64_t>(tensor), IsEmpty());
  tensor.data = std::span(bytes).first(7);
  EXPECT_THAT(constant_values<int32_t>(tensor), IsEmpty());
  tensor.data = bytes;
  tensor.is_sparse = true;
  EXPECT_THAT(constant_values<int32_t>(tensor), IsEmpty());
}

}  // namespace
}  // namespace lockstep::graph
