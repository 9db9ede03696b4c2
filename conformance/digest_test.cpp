#include "conformance/digest.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace lockstep::conformance {
namespace {

TEST(Digest, IsXxh3OfTheBytes) {
  // The vectors that xxHash's own `xxhsum -H2` prints.
  EXPECT_EQ(digest_of("").hex(), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(digest_of("abc").hex(), "06b05ab6733a618578af5f94892f3950");
}

TEST(Digest, HexAndParseAreInverse) {
  const Digest digest = digest_of("lockstep");
  EXPECT_EQ(Digest::parse(digest.hex()), digest);
  EXPECT_TRUE(Digest::parse("00000000000000000000000000000000")->is_empty());
}

TEST(Digest, ParseTakesNothingElse) {
  EXPECT_FALSE(Digest::parse(""));
  EXPECT_FALSE(Digest::parse("06b05ab6733a618578af5f94892f395"));    // a digit short
  EXPECT_FALSE(Digest::parse("06b05ab6733a618578af5f94892f39500"));  // one too many
  EXPECT_FALSE(Digest::parse("06B05ab6733a618578af5f94892f3950"));   // upper case
  EXPECT_FALSE(Digest::parse("06b05ab6733a618578af5f94892f395g"));
}

TEST(Digest, OfNothingIsNotEmpty) {
  EXPECT_TRUE(Digest{}.is_empty());
  EXPECT_FALSE(digest_of("").is_empty());
  EXPECT_FALSE(DigestBuilder().finish().is_empty());
}

TEST(DigestBuilder, TellsWhereFieldsEnd) {
  std::set<Digest> digests;
  const std::vector<std::vector<std::string_view>> sequences = {
      {"ab", "c"}, {"a", "bc"}, {"abc"}, {"abc", ""}, {"", "abc"}, {"c", "ab"}, {}, {""}};
  for (const auto& sequence : sequences) {
    DigestBuilder builder;
    for (const std::string_view field : sequence) builder.add(field);
    digests.insert(builder.finish());
  }
  EXPECT_EQ(digests.size(), sequences.size());
}

TEST(DigestBuilder, ChangesWithEveryBit) {
  std::vector<std::byte> bytes(300);
  std::set<Digest> digests{DigestBuilder().add(bytes).finish()};
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    digests.insert(DigestBuilder().add(bytes).finish());
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  }
  EXPECT_EQ(digests.size(), 8 * bytes.size() + 1);
}

TEST(DigestBuilder, FinishLeavesItUsable) {
  DigestBuilder builder;
  builder.add("a");
  const Digest first = builder.finish();
  EXPECT_EQ(builder.finish(), first);
  EXPECT_EQ(builder.add("b").finish(), DigestBuilder().add("a").add("b").finish());
}

}  // namespace
}  // namespace lockstep::conformance
