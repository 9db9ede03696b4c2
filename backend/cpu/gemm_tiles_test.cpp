// What is done with sums of products, in every kind of vectors, against numerics/.
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "backend/cpu/gemm.h"
#include "backend/cpu/operation.h"
#include "backend/testing/random_values.h"
#include "numerics/requantization.h"

namespace lockstep::backend::cpu {
namespace {

using backend::testing::RandomValues;
using numerics::Rounding;
using ::testing::ElementsAre;

constexpr uint8_t kCanary = 0xa5;
constexpr int64_t kAnyAccumulator = int64_t{1} << 31;
constexpr int64_t kNarrowBound = (1 << 28) - 1;  // for scales of up to 1

int32_t wrap(uint32_t value) { return static_cast<int32_t>(value); }

// An output stage and the sums that a tile brings to it.
class TileCase {
 public:
  // `bound`: of |accumulator|.
  TileCase(graph::OutputStage stage, size_t rows, int64_t bound, RandomValues& random)
      : stage_(std::move(stage)),
        channels_(stage_.scales.size()),
        rows_(rows),
        requantization_(
            make_requantization(stage_, random_words(channels_, random),
                                std::vector<AccumulatorRange>(channels_, {-bound, bound}))),
        factors_(random_words(channels_ + kConstantPadding, random)),
        row_terms_(random_words(rows, random)) {
    for (size_t i = 0; i < rows_ * channels_; ++i) sums_.push_back(random_sum(bound, random));
  }

  ScaleForm form() const { return requantization_.form; }

  // Of the channels from `first` on, so many of them.
  void expect_requantized(const GemmTileKernels& kernels, size_t first, size_t count,
                          bool has_row_terms) const {
    expect_tile<uint8_t>(
        kernels.requantize, first, count, has_row_terms, kCanary, [&](size_t row, size_t channel) {
          return to_byte(numerics::requantize(sum(row, channel), stage_.scales[channel],
                                              stage_.rounding, stage_.zero_point,
                                              stage_.activation_min, stage_.activation_max));
        });
  }
  void expect_stored(const GemmTileKernels& kernels, size_t first, size_t count,
                     bool has_row_terms) const {
    expect_tile<int32_t>(kernels.store_sums, first, count, has_row_terms, 0x5a5a5a5a,
                         [&](size_t row, size_t channel) { return sum(row, channel); });
  }

 private:
  static std::vector<int32_t> random_words(size_t count, RandomValues& random) {
    std::vector<int32_t> words(count);
    std::ranges::generate(words, [&] {
      return random.between(std::numeric_limits<int32_t>::min(),
                            std::numeric_limits<int32_t>::max());
    });
    return words;
  }
  // Small ones, of which many tie; and both ends of what is possible.
  static int32_t random_sum(int64_t bound, RandomValues& random) {
    const auto end = static_cast<int32_t>(std::min(bound, kAnyAccumulator - 1));
    const auto start = static_cast<int32_t>(-std::min(bound, kAnyAccumulator));
    return random.pick({std::clamp(random.between(-600, 600), start, end),
                        std::clamp(random.between(-90'000, 90'000), start, end),
                        random.between(start, end), start, end});
  }

  int32_t sum(size_t row, size_t channel) const { return sums_[row * channels_ + channel]; }

  template <typename Element>
  void expect_tile(const auto& function, size_t first, size_t count, bool has_row_terms,
                   Element canary, const auto& expected) const {
    constexpr size_t kGap = 3;
    const size_t accumulator_stride = count + 1;
    const size_t output_stride = count + kGap;
    // Vectors may read beyond the last channel.
    std::vector<int32_t> accumulators(rows_ * accumulator_stride + kConstantPadding);
    for (size_t row = 0; row < rows_; ++row) {
      for (size_t c = 0; c < count; ++c) {
        const size_t channel = first + c;
        auto accumulator = static_cast<uint32_t>(sum(row, channel)) -
                           static_cast<uint32_t>(requantization_.bias[channel]);
        if (has_row_terms) {
          accumulator -=
              static_cast<uint32_t>(row_terms_[row]) * static_cast<uint32_t>(factors_[channel]);
        }
        accumulators[row * accumulator_stride + c] = wrap(accumulator);
      }
    }
    std::vector<Element> output((rows_ - 1) * output_stride + count + 1, canary);
    function(requantization_, first, accumulators.data(), accumulator_stride, rows_, count,
             has_row_terms ? row_terms_.data() : nullptr, has_row_terms ? factors_.data() : nullptr,
             output.data(), output_stride);
    for (size_t i = 0; i < output.size(); ++i) {
      const size_t c = i % output_stride;
      const size_t row = i / output_stride;
      const bool is_written = c < count && row < rows_;
      ASSERT_EQ(output[i], is_written ? expected(row, first + c) : canary)
          << numerics::rounding_name(stage_.rounding) << ", row " << row << " of " << rows_
          << ", channel " << c << " of " << count << " from " << first << ", sum "
          << (is_written ? sum(row, first + c) : 0);
    }
  }

  graph::OutputStage stage_;
  size_t channels_;
  size_t rows_;
  Requantization requantization_;
  std::vector<int32_t> factors_;
  std::vector<int32_t> row_terms_;
  std::vector<int32_t> sums_;
};

// Powers of two make ties, the others are ordinary. `most`: of the scales.
graph::OutputStage random_stage(Rounding rounding, size_t channels, double most,
                                RandomValues& random) {
  graph::OutputStage stage;
  stage.rounding = rounding;
  stage.zero_point = random.zero_point();
  stage.activation_min = random.pick({-128, -128, -128, 0, random.between(-128, 127), 127});
  stage.activation_max = std::max(stage.activation_min, random.pick({127, 127, 0, -128}));
  for (size_t i = 0; i < channels; ++i) {
    const double scale = random.pick({0.5, 0.25, 0.125, 1.0, 0.3, 0.0017, 1e-6, 0.0, 0.75, 0.9999});
    stage.scales.push_back(numerics::channel_scale(std::min(scale, most), rounding));
  }
  return stage;
}

void on_all_kernels(const auto& function) {
  std::vector<const GemmTileKernels*> seen;
  for (const Isa isa : executable_isas()) {
    const GemmTileKernels& kernels = gemm_tile_kernels(isa);
    if (std::ranges::find(seen, &kernels) != seen.end()) continue;
    seen.push_back(&kernels);
    SCOPED_TRACE(isa_name(isa));
    function(kernels);
  }
}

TEST(GemmTileKernels, RequantizeAnyNumberOfChannels) {
  RandomValues random(1);
  for (const Rounding rounding : numerics::kAllRoundings) {
    for (size_t channels = 1; channels <= 70; ++channels) {
      const TileCase tile(random_stage(rounding, channels, 1.0, random), 1 + channels * 5 % 9,
                          kNarrowBound, random);
      EXPECT_NE(tile.form(), ScaleForm::kGeneral);
      on_all_kernels([&](const GemmTileKernels& kernels) {
        tile.expect_requantized(kernels, 0, channels, false);
        tile.expect_requantized(kernels, 0, channels, true);
      });
    }
  }
}

TEST(GemmTileKernels, RequantizeAnyNumberOfRows) {
  RandomValues random(2);
  for (const Rounding rounding : numerics::kAllRoundings) {
    for (size_t rows = 1; rows <= 33; ++rows) {
      for (const size_t channels : {5, 16, 33, 57}) {
        const TileCase tile(random_stage(rounding, channels, 1.0, random), rows, kNarrowBound,
                            random);
        on_all_kernels([&](const GemmTileKernels& kernels) {
          tile.expect_requantized(kernels, 0, channels, rows % 2 == 0);
        });
      }
    }
  }
}

TEST(GemmTileKernels, RequantizeChannelsFromAnyOneOn) {
  RandomValues random(3);
  for (const Rounding rounding : numerics::kAllRoundings) {
    const TileCase tile(random_stage(rounding, 80, 1.0, random), 5, kNarrowBound, random);
    on_all_kernels([&](const GemmTileKernels& kernels) {
      for (size_t first = 0; first < 80; first += 7) {
        tile.expect_requantized(kernels, first, 80 - first, true);
      }
    });
  }
}

// The largest scales and sums that are still narrow, and those just beyond.
TEST(GemmTileKernels, RequantizeUpToTheBoundsOfTheNarrowForm) {
  RandomValues random(4);
  for (const Rounding rounding :
       {Rounding::kDoubleTiesUp, Rounding::kDoubleTiesAway, Rounding::kSingle}) {
    for (const int32_t shift : {0, 1, 5, 20}) {
      graph::OutputStage stage = random_stage(rounding, 40, 1.0, random);
      for (size_t i = 0; i < stage.scales.size(); ++i) {
        stage.scales[i] = {(1 << 30) + static_cast<int32_t>(i) * 26'000'000, shift};
      }
      stage.scales.front().multiplier = std::numeric_limits<int32_t>::max();
      stage.activation_min = -128;  // no output is the same at both bounds
      stage.activation_max = 127;
      const int64_t bound = (int64_t{1} << (29 - shift)) - 1;
      const TileCase narrow(stage, 6, bound, random);
      EXPECT_TRUE(narrow.form() == ScaleForm::kNarrow ||
                  narrow.form() == ScaleForm::kNarrowTiesAway);
      const TileCase general(stage, 6, bound + 1, random);
      EXPECT_EQ(general.form(), ScaleForm::kGeneral);
      on_all_kernels([&](const GemmTileKernels& kernels) {
        narrow.expect_requantized(kernels, 0, 40, true);
        general.expect_requantized(kernels, 0, 40, true);
      });
    }
    // The longest shift to the right.
    graph::OutputStage stage = random_stage(rounding, 40, 1.0, random);
    for (numerics::ChannelScale& scale : stage.scales) scale = {(1 << 30) + 12345, -30};
    const TileCase smallest(stage, 6, (int64_t{1} << 29) - 1, random);
    EXPECT_NE(smallest.form(), ScaleForm::kGeneral);
    on_all_kernels([&](const GemmTileKernels& kernels) {
      smallest.expect_requantized(kernels, 0, 40, false);
    });
  }
}

TEST(GemmTileKernels, RequantizeAllAccumulatorsThereAre) {
  RandomValues random(5);
  for (const Rounding rounding : numerics::kAllRoundings) {
    for (const double scale : {1e-9, 0.5, 1.0, 3.7, 1000.0, 1e8}) {
      for (const size_t channels : {1, 16, 70}) {
        graph::OutputStage stage = random_stage(rounding, channels, 1.0, random);
        std::ranges::fill(stage.scales, numerics::channel_scale(scale, rounding));
        const TileCase tile(stage, 9, kAnyAccumulator, random);
        EXPECT_EQ(tile.form(), rounding == Rounding::kFloat32TiesEven ? ScaleForm::kFloat32
                                                                      : ScaleForm::kGeneral);
        on_all_kernels([&](const GemmTileKernels& kernels) {
          tile.expect_requantized(kernels, 0, channels, false);
          tile.expect_requantized(kernels, 0, channels, true);
        });
      }
    }
  }
}

TEST(GemmTileKernels, RequantizeWithinAnyBounds) {
  RandomValues random(6);
  for (const Rounding rounding : numerics::kAllRoundings) {
    for (const int32_t zero_point : {-128, -1, 0, 127}) {
      for (const auto& [minimum, maximum] :
           {std::pair{-128, 127}, std::pair{-128, -128}, std::pair{127, 127}, std::pair{0, 0},
            std::pair{-1, 0}, std::pair{-37, 90}}) {
        graph::OutputStage stage = random_stage(rounding, 33, 1.0, random);
        stage.zero_point = zero_point;
        stage.activation_min = minimum;
        stage.activation_max = maximum;
        const TileCase tile(stage, 7, kNarrowBound, random);
        on_all_kernels([&](const GemmTileKernels& kernels) {
          tile.expect_requantized(kernels, 0, 33, false);
        });
      }
    }
  }
}

TEST(GemmTileKernels, StoreSumsAsTheyAre) {
  RandomValues random(7);
  for (size_t channels = 1; channels <= 70; ++channels) {
    graph::OutputStage stage = random_stage(Rounding::kSingle, channels, 1.0, random);
    stage.stores_accumulators = true;
    const TileCase tile(stage, 1 + channels % 5, kAnyAccumulator, random);
    EXPECT_EQ(tile.form(), ScaleForm::kNone);
    on_all_kernels([&](const GemmTileKernels& kernels) {
      tile.expect_stored(kernels, 0, channels, false);
      tile.expect_stored(kernels, channels / 3, channels - channels / 3, true);
    });
  }
}

TEST(GemmTileKernels, SumBytes) {
  on_all_kernels([](const GemmTileKernels& kernels) {
    for (size_t count = 0; count < 300; ++count) {
      std::vector<uint8_t> bytes(count, 255);
      ASSERT_EQ(kernels.sum_bytes(bytes.data(), count), static_cast<int32_t>(255 * count));
      std::iota(bytes.begin(), bytes.end(), uint8_t{7});
      ASSERT_EQ(kernels.sum_bytes(bytes.data(), count),
                std::accumulate(bytes.begin(), bytes.end(), 0));
    }
    const std::vector<uint8_t> many(1 << 20, 255);
    EXPECT_EQ(kernels.sum_bytes(many.data(), many.size()), 255 << 20);
  });
}

TEST(GemmTileKernels, WidenBytes) {
  on_all_kernels([](const GemmTileKernels& kernels) {
    for (size_t count = 0; count < 200; ++count) {
      std::vector<uint8_t> bytes(count);
      std::iota(bytes.begin(), bytes.end(), uint8_t{100});
      std::vector<uint16_t> words(count + 1, 0xa5a5);
      kernels.widen(bytes.data(), count, words.data());
      ASSERT_TRUE(std::equal(bytes.begin(), bytes.end(), words.begin())) << count;
      ASSERT_EQ(words.back(), 0xa5a5);
    }
  });
}

// As training leaves them: next to no weights, so a scale next to 0, so the largest biases there
// are.
TEST(Requantization, OfUnusedChannelsIsAConstant) {
  constexpr int32_t kBias = 1 << 30;
  constexpr int64_t kReach = 5'000'000;
  for (const numerics::Rounding rounding :
       {numerics::Rounding::kDoubleTiesUp, numerics::Rounding::kDoubleTiesAway,
        numerics::Rounding::kSingle}) {
    graph::OutputStage stage;
    stage.rounding = rounding;
    stage.zero_point = -3;
    // 2^30 * 2^-24 is 64; half a unit more or less is 2^23.
    stage.scales = {numerics::channel_scale(0x1p-24, rounding),
                    numerics::channel_scale(0x1p-24, rounding),
                    numerics::channel_scale(0.01, rounding)};
    const std::vector<int32_t> bias = {kBias, -kBias, 5};
    const std::vector<AccumulatorRange> ranges = {
        {kBias - kReach, kBias + kReach}, {-kBias - kReach, -kBias + kReach}, {-1000, 1010}};
    const Requantization requantization = make_requantization(stage, bias, ranges);
    EXPECT_NE(requantization.form, ScaleForm::kGeneral);
    for (const Isa isa : executable_isas()) {
      for (const int32_t sum : {0, 4'999'999, -5'000'000, 77}) {
        std::vector<int32_t> sums(kConstantPadding);
        sums[0] = sums[1] = sum;
        std::array<uint8_t, 3> output{};
        gemm_tile_kernels(isa).requantize(requantization, 0, sums.data(), 3, 1, 3, nullptr, nullptr,
                                          output.data(), 3);
        EXPECT_THAT(output, ElementsAre(64 - 3 + 128, -64 - 3 + 128, -3 + 128))
            << isa_name(isa) << ", " << rounding_name(rounding);
      }
    }
  }
  // Where the output does depend on the input, plain functions compute it.
  graph::OutputStage stage;
  stage.scales = {numerics::channel_scale(0x1p-24, stage.rounding)};
  const std::vector<int32_t> bias = {kBias};
  const std::vector<AccumulatorRange> wide = {{kBias - (1 << 24), kBias + (1 << 24)}};
  EXPECT_EQ(make_requantization(stage, bias, wide).form, ScaleForm::kGeneral);
}

}  // namespace
}  // namespace lockstep::backend::cpu
