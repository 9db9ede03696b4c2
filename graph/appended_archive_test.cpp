#include "graph/appended_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace lockstep::graph {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

void put(Bytes& bytes, uint32_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) bytes.push_back(static_cast<std::byte>(value >> (8 * i)));
}

void put(Bytes& bytes, const std::string& text) {
  for (const char letter : text) bytes.push_back(static_cast<std::byte>(letter));
}

// An archive of empty members whose positions count from `origin` bytes before it.
Bytes archive(const std::vector<std::string>& names, uint32_t origin,
              const std::string& comment = "") {
  Bytes bytes;
  std::vector<uint32_t> positions;
  for (const std::string& name : names) {
    positions.push_back(static_cast<uint32_t>(bytes.size()) + origin);
    put(bytes, 0x04034b50, 4);
    bytes.resize(bytes.size() + 22);
    put(bytes, static_cast<uint32_t>(name.size()), 2);
    put(bytes, 0, 2);
    put(bytes, name);
  }
  const auto directory = static_cast<uint32_t>(bytes.size());
  for (size_t i = 0; i < names.size(); ++i) {
    put(bytes, 0x02014b50, 4);
    bytes.resize(bytes.size() + 24);
    put(bytes, static_cast<uint32_t>(names[i].size()), 2);
    bytes.resize(bytes.size() + 12);
    put(bytes, positions[i], 4);
    put(bytes, names[i]);
  }
  const auto size = static_cast<uint32_t>(bytes.size()) - directory;
  put(bytes, 0x06054b50, 4);
  put(bytes, 0, 4);
  put(bytes, static_cast<uint32_t>(names.size()), 2);
  put(bytes, static_cast<uint32_t>(names.size()), 2);
  put(bytes, size, 4);
  put(bytes, directory + origin, 4);
  put(bytes, static_cast<uint32_t>(comment.size()), 2);
  put(bytes, comment);
  return bytes;
}

TEST(AppendedArchive, PositionsMoveWithTheArchive) {
  Bytes bytes = archive({"labels.txt", "b"}, 4'000'000);
  ASSERT_TRUE(place_archive(bytes, 0));
  EXPECT_EQ(bytes, archive({"labels.txt", "b"}, 0));
  ASSERT_TRUE(place_archive(bytes, 1234));
  EXPECT_EQ(bytes, archive({"labels.txt", "b"}, 1234));
}

TEST(AppendedArchive, CommentsAndEmptyArchivesAreTaken) {
  Bytes bytes = archive({"x"}, 100, "a comment");
  ASSERT_TRUE(place_archive(bytes, 7));
  EXPECT_EQ(bytes, archive({"x"}, 7, "a comment"));
  bytes = archive({}, 100);
  ASSERT_TRUE(place_archive(bytes, 7));
  EXPECT_EQ(bytes, archive({}, 7));
}

TEST(AppendedArchive, DamagedDirectoriesAreRefused) {
  const Bytes whole = archive({"x", "y"}, 50);
  const auto refusal = [&](size_t from_end, uint8_t value) {
    Bytes bytes = whole;
    bytes[bytes.size() - from_end] = std::byte{value};
    const auto status = place_archive(bytes, 0);
    return status ? "accepted" : status.error().message;
  };
  EXPECT_THAT(refusal(12, 3), HasSubstr("damaged"));             // entries
  EXPECT_THAT(refusal(10, 0xff), HasSubstr("damaged"));          // size of the directory
  EXPECT_THAT(refusal(6, 0xff), HasSubstr("damaged"));           // its position
  EXPECT_THAT(refusal(18, 1), HasSubstr("several parts"));       // number of this part
  EXPECT_THAT(refusal(22 + 47, 0), HasSubstr("damaged"));        // signature of the last entry
  EXPECT_THAT(refusal(22 + 1 + 4, 0xff), HasSubstr("damaged"));  // where its member lies
}

// Every byte of a small archive once replaced: no crash, and nothing read behind the end.
TEST(AppendedArchive, AnyDamageIsSurvived) {
  const Bytes whole = archive({"x", "y"}, 50);
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      Bytes bytes = whole;
      bytes[i] = static_cast<std::byte>(value);
      (void)place_archive(bytes, 0);
    }
    Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(i));
    (void)place_archive(cut, 0);
  }
}

}  // namespace
}  // namespace lockstep::graph
