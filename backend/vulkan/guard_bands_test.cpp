#include "backend/vulkan/guard_bands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace lockstep::backend::vulkan {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

constexpr int64_t kBytes = 64;

// 16 guards, an activation of 16 bytes, 8 guards, a constant of 8 bytes, 16 guards.
GuardedMemory example(uint8_t fill) {
  GuardedMemory memory(kBytes, fill);
  memory.add_activation("tensor 'x'", 16, 16);
  memory.add_constant("constant 'w'", 40, 8);
  std::fill_n(memory.image().begin() + 40, 8, std::byte{7});
  return memory;
}

Bytes contents_of(const GuardedMemory& memory) {
  return {memory.image().begin(), memory.image().end()};
}

// What check() says once byte `position` has another value.
std::string message_when_changed(size_t position) {
  const GuardedMemory memory = example(0);
  Bytes contents = contents_of(memory);
  contents[position] ^= std::byte{1};
  const Status status = memory.check(contents.data());
  if (status) {
    return "";
  }
  EXPECT_EQ(status.error().code, ErrorCode::kInternal);
  return status.error().message;
}

TEST(GuardedMemory, OnlyActivationsMayChange) {
  const GuardedMemory memory = example(0);
  EXPECT_TRUE(memory.check(contents_of(memory).data()));
  for (size_t position = 0; position < kBytes; ++position) {
    const bool in_activation = position >= 16 && position < 32;
    EXPECT_EQ(message_when_changed(position).empty(), in_activation) << position;
  }
}

TEST(GuardedMemory, NamesTheNearestBlockAndTheByteInIt) {
  EXPECT_THAT(message_when_changed(13), HasSubstr("outside of tensor 'x', at byte -3 of its 16"));
  EXPECT_THAT(message_when_changed(34), HasSubstr("outside of tensor 'x', at byte 18 of its 16"));
  EXPECT_THAT(message_when_changed(38), HasSubstr("outside of constant 'w', at byte -2 of its 8"));
  EXPECT_THAT(message_when_changed(41), HasSubstr("to constant 'w', at byte 1 of its 8"));
  EXPECT_THAT(message_when_changed(41), HasSubstr("0x07 became 0x06"));
  EXPECT_THAT(message_when_changed(60), HasSubstr("outside of constant 'w', at byte 20 of its 8"));
}

TEST(GuardedMemory, BlocksStartAsTheFillAndGuardsNeverAsOneRepeatedByte) {
  for (int fill = 0; fill < 256; ++fill) {
    const GuardedMemory memory = example(static_cast<uint8_t>(fill));
    const Bytes contents = contents_of(memory);
    EXPECT_EQ(std::ranges::count(contents.begin() + 16, contents.begin() + 32,
                                 static_cast<std::byte>(fill)),
              16);
    // Whatever one byte a kernel repeats, three of four guards notice.
    for (int value = 0; value < 256; ++value) {
      EXPECT_LE(std::ranges::count(contents.begin(), contents.begin() + 16,
                                   static_cast<std::byte>(value)),
                4);
    }
    EXPECT_EQ(
        std::ranges::count(contents.begin(), contents.begin() + 16, static_cast<std::byte>(fill)),
        0);
  }
}

TEST(GuardedMemory, UnusedBuffersAreAllGuards) {
  const GuardedMemory memory(16, 1);
  Bytes contents = contents_of(memory);
  EXPECT_TRUE(memory.check(contents.data()));
  contents[5] = std::byte{0};
  const Status status = memory.check(contents.data());
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("unused memory at byte 5"));
}

}  // namespace
}  // namespace lockstep::backend::vulkan
