// What passes the self-test, and which lies it finds.
#include "backend/cpu/self_test.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace lockstep::backend::cpu {
namespace {

TEST(SelfTest, IsPassedByEveryInstructionSetOfThisProcessor) {
  for (const Isa isa : executable_isas()) EXPECT_TRUE(computes_exactly(isa)) << isa_name(isa);
}

// --- Sums of products --------------------------------------------------------------------------

enum class GemmLie : uint8_t {
  kNone,
  kSaturatesPairs,      // to 16 bits, as vpmaddubsw does
  kSaturatesSums,       // as vpdpbusds would where accumulators are narrower
  kSignedRows,          // takes 255 for -1
  kLosesLastElement,    // of the depth
  kLosesLastRow,        // of a whole tile
  kLosesLastOfFewRows,  // of any other
  kLosesLastPanel,
  kSwapsChannels,
};

constexpr size_t kBlock = 2;
constexpr size_t kChannels = 4;
constexpr size_t kRows = 3;

// By the book, but for the lie.
template <GemmLie kLie>
void accumulate(const void* rows, size_t row_stride, size_t row_count, const int8_t* panels,
                size_t panel_bytes, size_t panel_count, size_t depth, int32_t* accumulators) {
  for (size_t r = 0; r < row_count; ++r) {
    const auto* row = static_cast<const uint8_t*>(rows) + r * row_stride;
    for (size_t panel = 0; panel < panel_count; ++panel) {
      for (size_t channel = 0; channel < kChannels; ++channel) {
        const size_t lane = kLie == GemmLie::kSwapsChannels ? channel ^ 1 : channel;
        int32_t sum = 0;
        for (size_t k = 0; k < depth; k += kBlock) {
          int32_t pair = 0;
          for (size_t i = 0; i < kBlock; ++i) {
            if (kLie == GemmLie::kLosesLastElement && k + i + 2 >= depth) continue;
            const int32_t x = kLie == GemmLie::kSignedRows ? static_cast<int8_t>(row[k + i])
                                                           : static_cast<int32_t>(row[k + i]);
            pair += x * panels[panel * panel_bytes + k * kChannels + lane * kBlock + i];
          }
          sum += kLie == GemmLie::kSaturatesPairs ? std::clamp(pair, -32768, 32767) : pair;
        }
        if (kLie == GemmLie::kSaturatesSums) sum = std::clamp(sum, -(1 << 22), 1 << 22);
        const bool is_lost =
            (kLie == GemmLie::kLosesLastRow && r == kRows - 1) ||
            (kLie == GemmLie::kLosesLastOfFewRows && row_count < kRows && r == row_count - 1) ||
            (kLie == GemmLie::kLosesLastPanel && panel == panel_count - 1);
        if (is_lost) sum = 0;
        accumulators[(r * panel_count + panel) * kChannels + channel] = sum;
      }
    }
  }
}

template <GemmLie kLie>
bool is_found_out() {
  return !computes_exactly(GemmKernel{.depth_block = kBlock,
                                      .panel_depth = kBlock,
                                      .panel_channels = kChannels,
                                      .tile_rows = kRows,
                                      .tile_panels = 2,
                                      .accumulate = accumulate<kLie>});
}

TEST(SelfTest, FindsWrongSumsOfProducts) {
  EXPECT_FALSE(is_found_out<GemmLie::kNone>());
  EXPECT_TRUE(is_found_out<GemmLie::kSaturatesPairs>());
  EXPECT_TRUE(is_found_out<GemmLie::kSaturatesSums>());
  EXPECT_TRUE(is_found_out<GemmLie::kSignedRows>());
  EXPECT_TRUE(is_found_out<GemmLie::kLosesLastElement>());
  EXPECT_TRUE(is_found_out<GemmLie::kLosesLastRow>());
  EXPECT_TRUE(is_found_out<GemmLie::kLosesLastOfFewRows>());
  EXPECT_TRUE(is_found_out<GemmLie::kLosesLastPanel>());
  EXPECT_TRUE(is_found_out<GemmLie::kSwapsChannels>());
}

TEST(SelfTest, FindsARowOffsetThatTheKernelDoesNotTakeOff) {
  GemmKernel kernel{.depth_block = kBlock,
                    .panel_depth = kBlock,
                    .panel_channels = kChannels,
                    .tile_rows = kRows,
                    .accumulate = accumulate<GemmLie::kNone>};
  EXPECT_TRUE(computes_exactly(kernel));
  kernel.row_offset = 128;
  EXPECT_FALSE(computes_exactly(kernel));
}

// --- Depthwise convolution and requantization: lies told about what a real kernel says ----------

const DepthwiseKernel& honest_depthwise() {
  return depthwise_kernel(executable_isas().back(), /*weights_are_bytes=*/true);
}

bool is_found_out(void (*interleave)(const InterleavedRows&, size_t, std::byte*),
                  void (*compute_row)(const DepthwiseRow&)) {
  DepthwiseKernel kernel = honest_depthwise();
  if (interleave != nullptr) kernel.interleave = interleave;
  if (compute_row != nullptr) kernel.compute_row = compute_row;
  return !computes_exactly(kernel);
}

TEST(SelfTest, FindsWrongDepthwiseSums) {
  if (executable_isas().empty()) GTEST_SKIP() << "no kernels for this kind of processor";
  EXPECT_FALSE(is_found_out(nullptr, nullptr));
  const auto saturates = [](const DepthwiseRow& row) {
    honest_depthwise().compute_row(row);
    auto* sums = static_cast<int32_t*>(row.output);
    std::ranges::transform(sums, sums + row.outputs * row.output_step, sums,
                           [](int32_t sum) { return std::clamp(sum, -32768, 32767); });
  };
  EXPECT_TRUE(is_found_out(nullptr, saturates));
  const auto loses_last_tap = [](const DepthwiseRow& row) {
    DepthwiseRow less = row;
    --less.taps;
    honest_depthwise().compute_row(less);
  };
  EXPECT_TRUE(is_found_out(nullptr, loses_last_tap));
  const auto loses_last_output = [](const DepthwiseRow& row) {
    DepthwiseRow less = row;
    --less.outputs;
    honest_depthwise().compute_row(less);
  };
  EXPECT_TRUE(is_found_out(nullptr, loses_last_output));
  const auto loses_last_lane = [](const DepthwiseRow& row) {
    DepthwiseRow less = row;
    --less.channels;
    honest_depthwise().compute_row(less);
  };
  EXPECT_TRUE(is_found_out(nullptr, loses_last_lane));
  const auto swaps_rows = [](const InterleavedRows& rows, size_t columns, std::byte* strip) {
    InterleavedRows swapped = rows;
    std::swap(swapped.rows[0], swapped.rows[1]);
    honest_depthwise().interleave(swapped, columns, strip);
  };
  EXPECT_TRUE(is_found_out(swaps_rows, nullptr));
}

const GemmTileKernels& honest_tiles() { return gemm_tile_kernels(executable_isas().back()); }

// A lie about the constants, or about the result.
template <typename Lie>
bool is_found_out(Lie) {
  GemmTileKernels kernels = honest_tiles();
  kernels.requantize = [](const Requantization& requantization, size_t first_channel,
                          const int32_t* accumulators, size_t accumulator_stride, size_t rows,
                          size_t channels, const int32_t* row_terms, const int32_t* factors,
                          uint8_t* output, size_t output_stride) {
    Requantization other = requantization;
    Lie()(other);
    honest_tiles().requantize(other, first_channel, accumulators, accumulator_stride, rows,
                              channels, row_terms, factors, output, output_stride);
  };
  return !computes_exactly(kernels);
}

TEST(SelfTest, FindsWrongRoundings) {
  if (executable_isas().empty()) GTEST_SKIP() << "no kernels for this kind of processor";
  EXPECT_FALSE(is_found_out([](Requantization&) {}));
  EXPECT_TRUE(is_found_out([](Requantization& requantization) {
    // Ties of negative numbers up, where they go away from zero.
    requantization.addend_of_negative = requantization.addend;
  }));
  EXPECT_TRUE(is_found_out([](Requantization& requantization) {
    // Ties down.
    for (int32_t& addend : requantization.addend) --addend;
  }));
  EXPECT_TRUE(is_found_out([](Requantization& requantization) {
    for (float& scale : requantization.scale) scale *= 1.001f;
  }));
  EXPECT_TRUE(is_found_out([](Requantization& requantization) { ++requantization.minimum; }));
  EXPECT_TRUE(is_found_out(
      [](Requantization& requantization) { std::ranges::fill(requantization.bias, 0); }));
}

TEST(SelfTest, FindsOneWrongByte) {
  if (executable_isas().empty()) GTEST_SKIP() << "no kernels for this kind of processor";
  GemmTileKernels kernels = honest_tiles();
  kernels.requantize = [](const Requantization& requantization, size_t first_channel,
                          const int32_t* accumulators, size_t accumulator_stride, size_t rows,
                          size_t channels, const int32_t* row_terms, const int32_t* factors,
                          uint8_t* output, size_t output_stride) {
    honest_tiles().requantize(requantization, first_channel, accumulators, accumulator_stride, rows,
                              channels, row_terms, factors, output, output_stride);
    output[(rows - 1) * output_stride + channels - 1] ^= 1;
  };
  EXPECT_FALSE(computes_exactly(kernels));
}

}  // namespace
}  // namespace lockstep::backend::cpu
