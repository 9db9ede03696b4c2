#include "quantization/sparse_encoding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <random>

#include "host_ref/testing/tflite_oracle.h"
#include "quantization/model_editing.h"

namespace lockstep::quantization {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;
using graph::Shape;

template <typename T>
Bytes bytes_of(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

// A matrix of our own choice, by hand:
//   0 0 1 0
//   0 0 0 0
//   2 3 0 4
const Shape kShape = {3, 4};
const std::vector<int8_t> kMatrix = {0, 0, 1, 0, 0, 0, 0, 0, 2, 3, 0, 4};

std::unique_ptr<schema::DimensionMetadataT> dense(int32_t extent) {
  auto level = std::make_unique<schema::DimensionMetadataT>();
  level->dense_size = extent;
  return level;
}

template <typename Vector = schema::Uint8VectorT>
std::unique_ptr<schema::DimensionMetadataT> compressed(std::initializer_list<int> segments,
                                                       std::initializer_list<int> indices) {
  auto level = std::make_unique<schema::DimensionMetadataT>();
  level->format = schema::DimensionType::SPARSE_CSR;
  Vector vector;
  vector.values.assign(segments.begin(), segments.end());
  level->array_segments.Set(std::move(vector));
  Vector second;
  second.values.assign(indices.begin(), indices.end());
  level->array_indices.Set(std::move(second));
  return level;
}

schema::SparsityParametersT by_rows() {
  schema::SparsityParametersT sparsity;
  sparsity.traversal_order = {0, 1};
  sparsity.dim_metadata.push_back(dense(3));
  sparsity.dim_metadata.push_back(compressed({0, 1, 1, 4}, {2, 0, 1, 3}));
  return sparsity;
}

TEST(SparseEncoding, RowsAreRead) {
  EXPECT_EQ(decode_sparse(by_rows(), bytes_of<int8_t>({1, 2, 3, 4}), 1, kShape).value(),
            bytes_of(kMatrix));
}

TEST(SparseEncoding, IndicesOfAllWidthsAreRead) {
  auto sparsity = by_rows();
  sparsity.dim_metadata[1] = compressed<schema::Uint16VectorT>({0, 1, 1, 4}, {2, 0, 1, 3});
  const Bytes stored = bytes_of<int8_t>({1, 2, 3, 4});
  EXPECT_EQ(decode_sparse(sparsity, stored, 1, kShape).value(), bytes_of(kMatrix));
  sparsity.dim_metadata[1] = compressed<schema::Int32VectorT>({0, 1, 1, 4}, {2, 0, 1, 3});
  EXPECT_EQ(decode_sparse(sparsity, stored, 1, kShape).value(), bytes_of(kMatrix));
}

TEST(SparseEncoding, ColumnsAreRead) {
  schema::SparsityParametersT sparsity;
  sparsity.traversal_order = {1, 0};
  sparsity.dim_metadata.push_back(dense(4));
  sparsity.dim_metadata.push_back(compressed({0, 1, 2, 3, 4}, {2, 2, 0, 2}));
  EXPECT_EQ(decode_sparse(sparsity, bytes_of<int8_t>({2, 3, 1, 4}), 1, kShape).value(),
            bytes_of(kMatrix));
}

// Rows that hold nothing are not listed either.
TEST(SparseEncoding, SeveralCompressedLevelsAreRead) {
  schema::SparsityParametersT sparsity;
  sparsity.traversal_order = {0, 1};
  sparsity.dim_metadata.push_back(compressed({0, 2}, {0, 2}));
  sparsity.dim_metadata.push_back(compressed({0, 1, 4}, {2, 0, 1, 3}));
  EXPECT_EQ(decode_sparse(sparsity, bytes_of<int8_t>({1, 2, 3, 4}), 1, kShape).value(),
            bytes_of(kMatrix));
}

// Blocks of 1x2 of the 2x4 matrix
//   1 2 0 0
//   0 3 4 5
TEST(SparseEncoding, BlocksAreRead) {
  schema::SparsityParametersT sparsity;
  sparsity.traversal_order = {0, 1, 2};
  sparsity.block_map = {1};
  sparsity.dim_metadata.push_back(dense(2));
  sparsity.dim_metadata.push_back(compressed({0, 1, 3}, {0, 0, 1}));
  sparsity.dim_metadata.push_back(dense(2));
  EXPECT_EQ(decode_sparse(sparsity, bytes_of<int8_t>({1, 2, 0, 3, 4, 5}), 1, Shape{2, 4}).value(),
            bytes_of<int8_t>({1, 2, 0, 0, 0, 3, 4, 5}));
}

// Blocks of 2x2, each stored column by column: block dimensions have an order too.
TEST(SparseEncoding, BlocksInAnotherOrderAreRead) {
  schema::SparsityParametersT sparsity;
  sparsity.traversal_order = {1, 0, 3, 2};
  sparsity.block_map = {0, 1};
  sparsity.dim_metadata.push_back(dense(2));
  sparsity.dim_metadata.push_back(compressed({0, 0, 1}, {0}));
  sparsity.dim_metadata.push_back(dense(2));
  sparsity.dim_metadata.push_back(dense(2));
  EXPECT_EQ(decode_sparse(sparsity, bytes_of<int8_t>({1, 2, 3, 4}), 1, Shape{2, 4}).value(),
            bytes_of<int8_t>({0, 0, 1, 3, 0, 0, 2, 4}));
}

TEST(SparseEncoding, EmptyTensorsAreRead) {
  schema::SparsityParametersT sparsity;
  sparsity.traversal_order = {0, 1};
  sparsity.dim_metadata.push_back(dense(2'000'000'000));
  sparsity.dim_metadata.push_back(dense(0));
  EXPECT_TRUE(decode_sparse(sparsity, {}, 4, Shape{2'000'000'000, 0})->empty());
}

// ---- What contradicts itself ----

struct BadEncoding {
  std::string name;
  std::function<void(schema::SparsityParametersT&)> change;
  std::string message;
};

class SparseEncodingRefuses : public ::testing::TestWithParam<BadEncoding> {};

TEST_P(SparseEncodingRefuses, AndSaysWhy) {
  auto sparsity = by_rows();
  GetParam().change(sparsity);
  const auto decoded = decode_sparse(sparsity, bytes_of<int8_t>({1, 2, 3, 4}), 1, kShape);
  ASSERT_FALSE(decoded);
  EXPECT_THAT(decoded.error().message, HasSubstr(GetParam().message));
}

using Sparsity = schema::SparsityParametersT;
INSTANTIATE_TEST_SUITE_P(
    Encodings, SparseEncodingRefuses,
    ::testing::Values(
        BadEncoding{"NoOrder", [](Sparsity& s) { s.traversal_order.clear(); },
                    "2 levels and 0 blocks for 2 dimensions"},
        BadEncoding{"OneLevel", [](Sparsity& s) { s.dim_metadata.pop_back(); },
                    "1 levels and 0 blocks for 2 dimensions"},
        BadEncoding{"DimensionTwice",
                    [](Sparsity& s) {
                      s.traversal_order = {1, 1};
                    },
                    "no permutation"},
        BadEncoding{"NegativeDimension",
                    [](Sparsity& s) {
                      s.traversal_order = {0, -1};
                    },
                    "no permutation"},
        BadEncoding{"BlockOfNothing",
                    [](Sparsity& s) {
                      s.traversal_order = {0, 1, 2};
                      s.block_map = {2};
                      s.dim_metadata.push_back(dense(2));
                    },
                    "divides dimension 2 of 2"},
        BadEncoding{"BlockThatDoesNotDivide",
                    [](Sparsity& s) {
                      s.traversal_order = {0, 1, 2};
                      s.block_map = {1};
                      s.dim_metadata.push_back(dense(3));
                    },
                    "no multiple"},
        BadEncoding{"EmptyBlock",
                    [](Sparsity& s) {
                      s.traversal_order = {0, 1, 2};
                      s.block_map = {1};
                      s.dim_metadata.push_back(dense(0));
                    },
                    "a block's extent is 0"},
        BadEncoding{"CompressedBlock",
                    [](Sparsity& s) {
                      s.traversal_order = {0, 1, 2};
                      s.block_map = {1};
                      s.dim_metadata.push_back(compressed({0, 1}, {0}));
                    },
                    "its blocks are compressed"},
        BadEncoding{"DenseLevelOfAnotherExtent",
                    [](Sparsity& s) { s.dim_metadata[0]->dense_size = 2; }, "has 2 indices, not 3"},
        BadEncoding{"TooFewSegments",
                    [](Sparsity& s) {
                      s.dim_metadata[1] = compressed({0, 1, 4}, {2, 0, 1, 3});
                    },
                    "3 segments for 3 nodes"},
        BadEncoding{"NoSegments", [](Sparsity& s) { s.dim_metadata[1]->array_segments.Reset(); },
                    "less than its dense levels announce"},
        BadEncoding{"SegmentsThatFall",
                    [](Sparsity& s) {
                      s.dim_metadata[1] = compressed({0, 3, 1, 4}, {2, 0, 1, 3});
                    },
                    "do not divide"},
        BadEncoding{"SegmentsThatEndTooLate",
                    [](Sparsity& s) {
                      s.dim_metadata[1] = compressed({0, 1, 1, 9}, {2, 0, 1, 3});
                    },
                    "do not divide the 4 indices"},
        BadEncoding{
            "NegativeSegments",
            [](Sparsity& s) {
              s.dim_metadata[1] = compressed<schema::Int32VectorT>({-1, 1, 1, 4}, {2, 0, 1, 3});
            },
            "do not divide"},
        BadEncoding{"IndexOutOfRange",
                    [](Sparsity& s) {
                      s.dim_metadata[1] = compressed({0, 1, 1, 4}, {4, 0, 1, 3});
                    },
                    "index 4 behind -1, of 4"},
        BadEncoding{"IndexTwice",
                    [](Sparsity& s) {
                      s.dim_metadata[1] = compressed({0, 1, 1, 4}, {2, 0, 0, 3});
                    },
                    "index 0 behind 0, of 4"},
        BadEncoding{"OneElementTooMany",
                    [](Sparsity& s) {
                      s.dim_metadata[1] = compressed({0, 1, 1, 3}, {2, 0, 1});
                    },
                    "4 bytes are stored for 3 elements"},
        BadEncoding{
            "UnknownKind",
            [](Sparsity& s) { s.dim_metadata[1]->format = static_cast<schema::DimensionType>(2); },
            "a level of kind 2"}),
    [](const auto& test) { return test.param.name; });

TEST(SparseEncoding, ManyDenseNodesInASmallFileAreRefused) {
  schema::SparsityParametersT sparsity;
  sparsity.traversal_order = {0, 1};
  sparsity.dim_metadata.push_back(dense(2'000'000'000));
  sparsity.dim_metadata.push_back(compressed({0, 1}, {0}));
  EXPECT_FALSE(decode_sparse(sparsity, bytes_of<int8_t>({1}), 1, Shape{2'000'000'000, 1}));
}

TEST(SparseEncoding, MoreZerosThanAFileCanHoldAreRefused) {
  schema::SparsityParametersT sparsity;
  sparsity.traversal_order = {0, 1};
  sparsity.dim_metadata.push_back(compressed({0, 1}, {0}));
  sparsity.dim_metadata.push_back(compressed({0, 1}, {0}));
  const auto larger =
      decode_sparse(sparsity, bytes_of<int8_t>({1}), 1, Shape{(1 << 15) + 1, 1 << 15});
  ASSERT_FALSE(larger);
  EXPECT_THAT(larger.error().message, HasSubstr("1073774592 elements"));
}

// ---- Encoding ----

template <typename T>
std::vector<T> dice(size_t count, double share_of_zeros, uint32_t seed) {
  std::mt19937 generator(seed);
  std::bernoulli_distribution is_zero(share_of_zeros);
  std::vector<T> values(count);
  for (T& value : values) {
    value = is_zero(generator) ? T{} : static_cast<T>(static_cast<int>(generator() % 255) - 127);
  }
  return values;
}

void expect_same_again(const Bytes& dense, size_t element_size, const Shape& shape,
                       const Shape& block) {
  const auto encoded = encode_sparse(dense, element_size, shape, block);
  ASSERT_TRUE(encoded) << encoded.error().message;
  const auto decoded = decode_sparse(encoded->sparsity, encoded->stored, element_size, shape);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_TRUE(*decoded == dense);
}

TEST(SparseEncoding, WhatIsEncodedIsDecoded) {
  for (const double zeros : {0.0, 0.5, 0.9, 1.0}) {
    SCOPED_TRACE(zeros);
    const Bytes bytes = bytes_of(dice<int8_t>(8 * 12, zeros, 1));
    for (const Shape& block : {Shape{1, 1}, {4, 1}, {1, 4}, {2, 3}, {8, 12}}) {
      expect_same_again(bytes, 1, {8, 12}, block);
    }
    const Bytes floats = bytes_of(dice<float>(4 * 3 * 3 * 8, zeros, 2));
    for (const Shape& block : {Shape{1, 1, 1, 1}, {4, 1, 1, 1}, {1, 3, 1, 2}, {2, 1, 1, 8}}) {
      expect_same_again(floats, 4, {4, 3, 3, 8}, block);
    }
    expect_same_again(bytes_of(dice<int16_t>(70'000, zeros, 3)), 2, {70'000}, {1});
    expect_same_again(bytes_of(dice<int8_t>(700, zeros, 4)), 1, {1, 700}, {1, 1});
  }
  expect_same_again({}, 4, {0, 5}, {1, 1});
}

TEST(SparseEncoding, BlocksAreStoredWholeOrNotAtAll) {
  const auto encoded =
      encode_sparse(bytes_of<int8_t>({0, 0, 7, 0, 0, 0, 0, 0}), 1, Shape{2, 4}, Shape{2, 1});
  ASSERT_TRUE(encoded);
  EXPECT_EQ(encoded->stored, bytes_of<int8_t>({7, 0}));
  EXPECT_THAT(encoded->sparsity.block_map, ElementsAre(0));
  EXPECT_THAT(encoded->sparsity.traversal_order, ElementsAre(0, 1, 2));
  EXPECT_THAT(encoded->sparsity.dim_metadata[1]->array_indices.AsUint8Vector()->values,
              ElementsAre(2));
}

TEST(SparseEncoding, NegativeZeroIsKept) {
  expect_same_again(bytes_of<float>({0.0f, -0.0f, 1.0f, 0.0f}), 4, {2, 2}, {1, 1});
}

TEST(SparseEncoding, NothingButZerosIsStillAConstant) {
  const auto encoded = encode_sparse(Bytes(24), 2, Shape{3, 4}, Shape{1, 2});
  EXPECT_EQ(encoded->stored.size(), 4u);
}

TEST(SparseEncoding, BlocksThatDoNotFitAreRefused) {
  EXPECT_EQ(encode_sparse(Bytes(12), 1, kShape, Shape{2, 1}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(encode_sparse(Bytes(12), 1, kShape, Shape{1}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(encode_sparse(Bytes(12), 1, kShape, Shape{0, 1}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(encode_sparse(Bytes(1), 1, Shape{}, Shape{}).error().code, ErrorCode::kInvalidArgument);
}

TEST(SparseEncoding, SizeCountsIndices) {
  const Bytes bytes = bytes_of(dice<int8_t>(64 * 64, 0.5, 5));
  const auto encoded = encode_sparse(bytes, 1, Shape{64, 64}, Shape{1, 1});
  const size_t indices = encoded->stored.size();  // one byte each
  EXPECT_GT(size_in_file(*encoded), encoded->stored.size() + indices + 2 * 65);
  EXPECT_LT(size_in_file(*encoded), encoded->stored.size() + indices + 2 * 65 + 200);
}

}  // namespace
}  // namespace lockstep::quantization
