#include "tools/npz.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "graph/tflite_reader.h"
#include "tools/testing/numpy.h"

namespace lockstep::tools {
namespace {

using ::testing::HasSubstr;

NumberArray ramp(int64_t size) {
  NumberArray array{.type = NumberType::kUint8, .shape = {size}, .data = {}};
  for (int64_t i = 0; i < size; ++i) array.data.push_back(static_cast<std::byte>(i / 16));
  return array;
}

class Npz : public ::testing::Test {
 protected:
  void SetUp() override {
    const Status written =
        write_npz(std::vector<NpzMember>{{.name = "x", .array = ramp(1)}}, path_);
    if (!written && written.error().code == ErrorCode::kUnsupported) {
      GTEST_SKIP() << written.error().message;
    }
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::string error_of(std::vector<std::byte> bytes) const {
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    const auto read = read_npz(path_);
    return read ? "" : read.error().message;
  }

  std::filesystem::path path_ =
      std::filesystem::path(::testing::TempDir()) / "lockstep_npz_test.npz";
};

TEST_F(Npz, MembersAreReadAsTheyWereWritten) {
  const std::vector<NpzMember> members = {{.name = "second/weights", .array = ramp(5000)},
                                          {.name = "b\xc3\xa4h", .array = ramp(0)}};
  ASSERT_TRUE(write_npz(members, path_));
  EXPECT_LT(std::filesystem::file_size(path_), 2000u) << "the ramp deflates";
  const auto read = read_npz(path_);
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*read)[i].name, members[i].name);
    EXPECT_EQ((*read)[i].array.shape, members[i].array.shape);
    EXPECT_EQ((*read)[i].array.data, members[i].array.data);
  }
}

TEST_F(Npz, TheSameArraysMakeTheSameFile) {
  const std::vector<NpzMember> members = {{.name = "x", .array = ramp(100)}};
  ASSERT_TRUE(write_npz(members, path_));
  const auto first = graph::read_file_bytes(path_);
  ASSERT_TRUE(write_npz(members, path_));
  EXPECT_EQ(*first, *graph::read_file_bytes(path_));
}

TEST_F(Npz, NamesThatCannotBeWrittenAreRefused) {
  const auto error = [&](const std::vector<NpzMember>& members) {
    const Status status = write_npz(members, path_);
    return status ? "" : status.error().message;
  };
  EXPECT_THAT(error({{.name = "a", .array = ramp(1)}, {.name = "a", .array = ramp(1)}}),
              HasSubstr("member 'a'"));
  EXPECT_THAT(error({{.name = "\xff", .array = ramp(1)}}), HasSubstr("member"));
  EXPECT_THAT(error({}), HasSubstr("no arrays"));
}

TEST_F(Npz, WhatUnpacksToTooMuchIsRefused) {
  // Almost a thousandfold: 16 MiB in some 16 KiB.
  NumberArray zeros{.type = NumberType::kUint8, .shape = {1 << 24}, .data = {}};
  zeros.data.resize(1 << 24);
  ASSERT_TRUE(write_npz(
      std::vector<NpzMember>{{.name = "a", .array = zeros}, {.name = "b", .array = ramp(1)}},
      path_));
  ASSERT_LT(std::filesystem::file_size(path_), 100'000u);
  ASSERT_TRUE(read_npz(path_));
  const auto read = read_npz(path_, (1 << 24) + 128);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("unpacks to more than"));
}

TEST_F(Npz, DamagedArchivesAreRefused) {
  ASSERT_TRUE(write_npz(std::vector<NpzMember>{{.name = "x", .array = ramp(1000)}}, path_));
  const auto whole = graph::read_file_bytes(path_);
  ASSERT_TRUE(whole);
  for (size_t size = 0; size < whole->size(); size += 3) {
    EXPECT_THAT(error_of({whole->begin(), whole->begin() + static_cast<ptrdiff_t>(size)}),
                HasSubstr("lockstep_npz_test.npz"));
  }
  for (size_t i = 0; i < whole->size(); ++i) {  // must end in an error or an array, nothing else
    auto damaged = *whole;
    damaged[i] ^= std::byte{0x5a};
    error_of(damaged);
  }
  // The numbers themselves are covered by a checksum.
  auto damaged = *whole;
  damaged[60] ^= std::byte{0x01};
  EXPECT_NE(error_of(damaged), "");
}

TEST_F(Npz, ThatIsNotThereIsNamed) {
  const auto read = read_npz("/nowhere/x.npz");
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("/nowhere/x.npz"));
}

TEST_F(Npz, OfNumpyIsRead) {
  for (const std::string save : {"savez", "savez_compressed"}) {
    const auto said = testing::run_numpy(
        "numpy." + save + "('" + path_.string() +
        "', labels=numpy.array([3, 1], dtype='<i4'), images=numpy.ones((2, 3), dtype='<f2'))");
    if (!said) GTEST_SKIP() << "there is no Python with numpy";
    ASSERT_EQ(*said, "");
    const auto read = read_npz(path_);
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->size(), 2u);
    EXPECT_EQ((*read)[0].name, "labels");
    EXPECT_EQ(real_values((*read)[0].array.type, (*read)[0].array.data),
              (std::vector<float>{3, 1}));
    EXPECT_EQ((*read)[1].array.type, NumberType::kFloat16);
    EXPECT_EQ((*read)[1].array.shape, (ArrayShape{2, 3}));
  }
}

TEST_F(Npz, IsWhatNumpyReads) {
  ASSERT_TRUE(write_npz(std::vector<NpzMember>{{.name = "layer/kernel:0", .array = ramp(20)},
                                               {.name = "bias", .array = ramp(0)}},
                        path_));
  const auto said = testing::run_numpy("a = numpy.load('" + path_.string() +
                                       "', allow_pickle=False)\n"
                                       "print(sorted(a.keys()), a['layer/kernel:0'].sum(), "
                                       "a['bias'].shape, a['bias'].dtype)");
  if (!said) GTEST_SKIP() << "there is no Python with numpy";
  EXPECT_EQ(*said, "['bias', 'layer/kernel:0'] 4 (0,) uint8\n");
}

TEST_F(Npz, StrangeMembersAreRefused) {
  const auto said = testing::run_numpy("import zipfile\nwith zipfile.ZipFile('" + path_.string() +
                                       "', 'w') as z: z.writestr('README', 'hello')");
  if (!said) GTEST_SKIP() << "there is no Python with numpy";
  const auto stranger = read_npz(path_);
  ASSERT_FALSE(stranger);
  EXPECT_THAT(stranger.error().message, HasSubstr("'README' in it is no .npy file"));
}

}  // namespace
}  // namespace lockstep::tools
