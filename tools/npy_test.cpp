#include "tools/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <limits>

#include "tools/testing/numpy.h"

namespace lockstep::tools {
namespace {

using ::testing::HasSubstr;

template <typename T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::vector<std::byte> bytes_of(const std::string& text) {
  return bytes_of(std::vector<char>(text.begin(), text.end()));
}

// A file with this header, which may be any text.
std::vector<std::byte> file_of(const std::string& header, const std::vector<std::byte>& data,
                               char major = 1) {
  std::string file = "\x93NUMPY";
  file += major;
  file += '\0';
  for (int byte = 0; byte < (major == 1 ? 2 : 4); ++byte) {
    file += static_cast<char>(header.size() >> (8 * byte));
  }
  std::vector<std::byte> bytes = bytes_of(file + header);
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

std::string error_of(const std::string& header, const std::vector<std::byte>& data = {},
                     char major = 1) {
  const auto array = parse_npy(file_of(header, data, major), "x.npy");
  return array ? "" : array.error().message;
}

class NpyFile : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  std::filesystem::path path_ =
      std::filesystem::path(::testing::TempDir()) / "lockstep_npy_test.npy";
};

TEST(Npy, EveryTypeIsReadAsItWasWritten) {
  for (const NumberType type : {NumberType::kBool, NumberType::kInt8, NumberType::kUint8,
                                NumberType::kInt16, NumberType::kInt32, NumberType::kInt64,
                                NumberType::kFloat16, NumberType::kFloat32, NumberType::kFloat64}) {
    NumberArray array{.type = type, .shape = {2, 3}, .data = {}};
    for (size_t i = 0; i < 6 * number_size(type); ++i) {
      array.data.push_back(static_cast<std::byte>(i * 37));
    }
    const auto read = parse_npy(npy_bytes(array), "x.npy");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->type, type);
    EXPECT_EQ(read->shape, array.shape);
    EXPECT_EQ(read->data, array.data);
  }
}

TEST(Npy, ShapesOfAnyRankAreKept) {
  for (const ArrayShape& shape :
       {ArrayShape{}, ArrayShape{3}, ArrayShape{0, 5}, ArrayShape(32, 1)}) {
    NumberArray array{.type = NumberType::kInt8, .shape = shape, .data = {}};
    array.data.resize(shape.empty() ? 1 : shape == ArrayShape{3} ? 3 : shape.size() == 32 ? 1 : 0);
    const auto file = npy_bytes(array);
    EXPECT_EQ((file.size() - array.data.size()) % 64, 0u) << "the numbers are aligned";
    const auto read = parse_npy(file, "x.npy");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->shape, shape);
  }
}

TEST(Npy, HeadersOfAllVersionsAndWritersAreUnderstood) {
  const std::string plain = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }      \n";
  const std::string tight = "{\"shape\":(2,),\"fortran_order\":False,\"descr\":\"<f4\"}";
  const std::string python2 = "{'descr': '<f4', 'fortran_order': False, 'shape': (2L,), }\n";
  const auto data = bytes_of(std::vector<float>{1.5f, -2.0f});
  for (const char major : {'\1', '\2', '\3'}) {
    for (const std::string& header : {plain, tight, python2}) {
      const auto read = parse_npy(file_of(header, data, major), "x.npy");
      ASSERT_TRUE(read) << read.error().message;
      EXPECT_EQ(read->shape, ArrayShape{2});
      EXPECT_EQ(real_values(read->type, read->data), (std::vector<float>{1.5f, -2.0f}));
    }
  }
}

TEST(Npy, FortranOrderIsTurnedAround) {
  // 2x3x2, element [i][j][k] = 100 i + 10 j + k, the first axis innermost.
  std::vector<int16_t> stored;
  std::vector<int16_t> expected;
  for (int k = 0; k < 2; ++k) {
    for (int j = 0; j < 3; ++j) {
      for (int i = 0; i < 2; ++i) stored.push_back(static_cast<int16_t>(100 * i + 10 * j + k));
    }
  }
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 2; ++k) expected.push_back(static_cast<int16_t>(100 * i + 10 * j + k));
    }
  }
  const auto read = parse_npy(
      file_of("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3, 2)}", bytes_of(stored)),
      "x.npy");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->data, bytes_of(expected));
}

TEST(Npy, TypesThatAreNotReadAreNamed) {
  const auto error = [](const std::string& type) {
    return error_of("{'descr': " + type + ", 'fortran_order': False, 'shape': (1,)}");
  };
  EXPECT_THAT(error("'>f4'"), HasSubstr("big-endian numbers ('>f4')"));
  EXPECT_THAT(error("'|O'"), HasSubstr("Python objects"));
  EXPECT_THAT(error("'<U5'"), HasSubstr("'<U5'"));
  EXPECT_THAT(error("'<c8'"), HasSubstr("'<c8'"));
  EXPECT_THAT(error("[('a', '<f4')]"), HasSubstr("structured arrays"));
}

TEST(Npy, DamagedHeadersAreRefused) {
  const std::string good = "{'descr': '|i1', 'fortran_order': False, 'shape': (1,)}";
  ASSERT_EQ(error_of(good, {std::byte{1}}), "");
  for (const std::string& header : {
           std::string("{'descr': '|i1', 'fortran_order': False}"),
           std::string("{'descr': '|i1', 'fortran_order': 0, 'shape': (1,)}"),
           std::string("{'descr': '|i1', 'fortran_order': False, 'shape': (1,)"),
           std::string("{'descr': '|i1', 'fortran_order': False, 'shape': (1"),
           std::string("{'descr': '|i1', 'fortran_order': False, 'shape': (-1,)}"),
           std::string("{'descr': '|i1', 'fortran_order': False, 'shape': 1}"),
           std::string("{'descr': '|i1', 'descr': '|i1', 'fortran_order': False, 'shape': (1,)}"),
           std::string("{'descr': '|i1', 'fortran_order': False, 'shape': (1,), 'extra': 1}"),
           std::string("{'descr': '|i1"),
           good + "x",
           std::string(),
           std::string("{}"),
       }) {
    EXPECT_THAT(error_of(header, {std::byte{1}}), HasSubstr("damaged")) << header;
  }
  EXPECT_THAT(error_of(good, {std::byte{1}}, 4), HasSubstr("version 4.0"));
}

// Every file that is cut off anywhere, and none of them read beyond its end.
TEST(Npy, FilesThatAreCutOffAreRefused) {
  const auto whole = npy_bytes(
      {.type = NumberType::kInt32, .shape = {3}, .data = bytes_of(std::vector<int32_t>{1, 2, 3})});
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parse_npy(std::span(whole).first(size), "x.npy")) << size;
  }
  auto longer = whole;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(parse_npy(longer, "x.npy"));
}

TEST(Npy, ShapesThatNoMemoryHoldsAreRefused) {
  EXPECT_THAT(
      error_of("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}"),
      HasSubstr("larger than memory"));
  EXPECT_THAT(error_of("{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807,)}"),
              HasSubstr("larger than memory"));
  EXPECT_THAT(
      error_of("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}"),
      HasSubstr("no number"));
  std::string axes;
  for (int axis = 0; axis < 65; ++axis) axes += "1,";
  EXPECT_THAT(error_of("{'descr': '|i1', 'fortran_order': False, 'shape': (" + axes + ")}"),
              HasSubstr("more than 64 axes"));
  // Nothing is in it, however large the other extents are.
  EXPECT_EQ(error_of("{'descr': '<f8', 'fortran_order': True, 'shape': (0, 9223372036854775807)}"),
            "");
}

TEST(Npy, RealValuesAreThoseOfTheType) {
  const auto real = [](NumberType type, const auto& values) {
    return real_values(type, bytes_of(values));
  };
  EXPECT_EQ(real(NumberType::kBool, std::vector<uint8_t>{0, 1, 7}), (std::vector<float>{0, 1, 1}));
  EXPECT_EQ(real(NumberType::kInt8, std::vector<int8_t>{-128, 127}),
            (std::vector<float>{-128, 127}));
  EXPECT_EQ(real(NumberType::kUint8, std::vector<uint8_t>{0, 255}), (std::vector<float>{0, 255}));
  EXPECT_EQ(real(NumberType::kInt64, std::vector<int64_t>{-5, int64_t{1} << 40}),
            (std::vector<float>{-5, 0x1p40f}));
  EXPECT_EQ(real(NumberType::kFloat16, std::vector<uint16_t>{0x3e00}), std::vector<float>{1.5f});
  EXPECT_EQ(real(NumberType::kFloat64, std::vector<double>{0.1}), std::vector<float>{0.1f});
}

TEST_F(NpyFile, IsWrittenWholeOrNotAtAll) {
  const NumberArray array{.type = NumberType::kUint8, .shape = {1}, .data = {std::byte{7}}};
  ASSERT_TRUE(write_npy(array, path_));
  const auto read = read_npy(path_);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->data, array.data);
  const Status unwritable = write_npy(array, path_ / "below_a_file.npy");
  ASSERT_FALSE(unwritable);
  EXPECT_THAT(unwritable.error().message, HasSubstr("below_a_file.npy"));
}

TEST_F(NpyFile, IsWhatNumpyReads) {
  ASSERT_TRUE(write_npy({.type = NumberType::kFloat32,
                         .shape = {2, 1, 3},
                         .data = bytes_of(std::vector<float>{1, 2, 3, 4, 5, -0.5f})},
                        path_));
  const auto said = testing::run_numpy("a = numpy.load('" + path_.string() +
                                       "', allow_pickle=False)\n"
                                       "print(a.dtype, a.shape, a.flatten().tolist())");
  if (!said) GTEST_SKIP() << "there is no Python with numpy";
  EXPECT_EQ(*said, "float32 (2, 1, 3) [1.0, 2.0, 3.0, 4.0, 5.0, -0.5]\n");
}

TEST_F(NpyFile, OfNumpyIsRead) {
  const auto said = testing::run_numpy(
      "for version in (1, 2, 3):\n"
      "  for order in 'CF':\n"
      "    a = numpy.arange(24, dtype='<i2').reshape(2, 3, 4)\n"
      "    name = f'" +
      path_.string() +
      ".{version}{order}'\n"
      "    with open(name, 'wb') as f: numpy.lib.format.write_array("
      "f, numpy.asarray(a, order=order), version=(version, 0))");
  if (!said) GTEST_SKIP() << "there is no Python with numpy";
  ASSERT_EQ(*said, "");
  std::vector<int16_t> expected;
  for (int16_t i = 0; i < 24; ++i) expected.push_back(i);
  for (const char* version : {"1", "2", "3"}) {
    for (const char* order : {"C", "F"}) {
      const std::string file = path_.string() + "." + version + order;
      const auto read = read_npy(file);
      ASSERT_TRUE(read) << read.error().message;
      EXPECT_EQ(read->type, NumberType::kInt16);
      EXPECT_EQ(read->shape, (ArrayShape{2, 3, 4}));
      EXPECT_EQ(read->data, bytes_of(expected)) << file;
      std::filesystem::remove(file);
    }
  }
}

}  // namespace
}  // namespace lockstep::tools
