#include "backend/vulkan/host_layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

namespace lockstep::backend::vulkan {
namespace {

using graph::DataType;

constexpr std::byte kUntouched{0xA5};

TEST(LayoutOf, ViewsAllButTheLastExtentAsRows) {
  const std::vector<int32_t> image{2, 5, 7, 17};
  EXPECT_EQ(layout_of(image), (TensorLayout{70, 17, 32}));
  EXPECT_EQ(layout_of(graph::Shape{}), (TensorLayout{1, 1, 4}));
  const std::vector<int32_t> vector{9};
  EXPECT_EQ(layout_of(vector), (TensorLayout{1, 9, 16}));
}

TEST(LayoutOf, StrideIsOneWordOrMultiplesOfSixteen) {
  EXPECT_EQ(channel_stride_for(1), 4);
  EXPECT_EQ(channel_stride_for(4), 4);
  EXPECT_EQ(channel_stride_for(5), 16);
  EXPECT_EQ(channel_stride_for(16), 16);
  EXPECT_EQ(channel_stride_for(17), 32);
}

TEST(LayoutOf, WordsOfAccumulatorsLieWhereBytesDo) {
  for (const int32_t channels : {1, 4, 5, 16, 17}) {
    const TensorLayout bytes = layout_of({"x", DataType::kUint8, {3, channels}, {}});
    const TensorLayout words = layout_of({"x", DataType::kInt32, {3, channels}, {}});
    EXPECT_EQ(bytes, layout_of(graph::Shape{3, channels}));
    EXPECT_EQ(words.channel_stride, 4 * bytes.channel_stride);
    EXPECT_EQ(words.bytes(), 4 * bytes.bytes());
    EXPECT_EQ(words.row_bytes(), 4 * channels);
    EXPECT_EQ(words.is_dense(), bytes.is_dense());
  }
}

TEST(HostLayout, CopiesWordsOfAccumulatorsAsTheyAre) {
  for (const int32_t channels : {1, 2, 4, 5}) {
    const TensorLayout layout = layout_of({"x", DataType::kInt32, {3, channels}, {}});
    std::vector<std::byte> dense(static_cast<size_t>(layout.rows * layout.row_bytes()));
    for (size_t i = 0; i < dense.size(); ++i) {
      dense[i] = static_cast<std::byte>(i + 1);
    }
    std::vector<std::byte> device(static_cast<size_t>(layout.bytes()), kUntouched);
    copy_to_device_layout(DataType::kInt32, layout, dense.data(), device.data());
    const auto second_row = device.begin() + layout.channel_stride;
    EXPECT_TRUE(std::equal(second_row, second_row + layout.row_bytes(),
                           dense.begin() + layout.row_bytes()));
    EXPECT_EQ(std::ranges::count(device, kUntouched),
              layout.rows * (layout.channel_stride - layout.row_bytes()));
    std::vector<std::byte> back(dense.size());
    copy_from_device_layout(DataType::kInt32, layout, device.data(), back.data());
    EXPECT_EQ(back, dense);
  }
}

TEST(HostLayout, PutsEveryByteWhereTheLayoutSaysAndLeavesPaddingAlone) {
  std::mt19937 random(3);
  for (int32_t channels = 1; channels <= 40; ++channels) {
    for (const DataType type : {DataType::kInt8, DataType::kUint8}) {
      const std::vector<int32_t> shape{1, 3, 5, channels};
      const TensorLayout layout = layout_of(shape);
      std::vector<std::byte> dense(static_cast<size_t>(layout.rows * channels));
      for (std::byte& value : dense) {
        value = static_cast<std::byte>(random());
      }
      std::vector<std::byte> device(static_cast<size_t>(layout.bytes()), kUntouched);
      copy_to_device_layout(type, layout, dense.data(), device.data());
      const std::byte flip{static_cast<unsigned char>(type == DataType::kUint8 ? 0x80 : 0)};
      for (int64_t row = 0; row < layout.rows; ++row) {
        for (int32_t channel = 0; channel < layout.channel_stride; ++channel) {
          const std::byte stored =
              device[static_cast<size_t>(row * layout.channel_stride + channel)];
          const std::byte expected =
              channel < channels ? dense[static_cast<size_t>(row * channels + channel)] ^ flip
                                 : kUntouched;
          ASSERT_EQ(stored, expected) << channels << " channels, row " << row << ", " << channel;
        }
      }
      std::vector<std::byte> back(dense.size(), kUntouched);
      copy_from_device_layout(type, layout, device.data(), back.data());
      EXPECT_EQ(back, dense) << channels;
    }
  }
}

TEST(HostLayout, LooksEveryByteUpOnItsWay) {
  std::array<std::byte, 256> table{};
  for (size_t i = 0; i < table.size(); ++i) {
    table[i] = static_cast<std::byte>(7 * i + 3);  // a permutation: 7 is odd
  }
  std::array<std::byte, 256> inverse{};
  for (size_t i = 0; i < table.size(); ++i) {
    inverse[std::to_integer<size_t>(table[i])] = static_cast<std::byte>(i);
  }
  for (const int32_t channels : {1, 2, 3, 4, 5, 16, 17}) {
    const TensorLayout layout = layout_of(graph::Shape{100, channels});
    std::vector<std::byte> dense(static_cast<size_t>(layout.rows * layout.row_bytes()));
    for (size_t i = 0; i < dense.size(); ++i) {
      dense[i] = static_cast<std::byte>(i);
    }
    std::vector<std::byte> device(static_cast<size_t>(layout.bytes()), kUntouched);
    map_to_device_layout(table, layout, dense.data(), device.data());
    const auto second_row = device.begin() + layout.channel_stride;
    for (int32_t channel = 0; channel < channels; ++channel) {
      EXPECT_EQ(second_row[channel], table[static_cast<size_t>(channels + channel)]);
    }
    EXPECT_TRUE(std::all_of(second_row + channels, second_row + layout.channel_stride,
                            [](std::byte value) { return value == kUntouched; }));
    std::vector<std::byte> back(dense.size());
    map_from_device_layout(inverse, layout, device.data(), back.data());
    EXPECT_EQ(back, dense);
  }
}

}  // namespace
}  // namespace lockstep::backend::vulkan
