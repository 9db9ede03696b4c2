// The operations without weights, ADD and MUL apart, against host_ref.
#include "backend/cpu/operations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "backend/cpu/step_line.h"
#include "backend/cpu/testing/operation_runs.h"
#include "host_ref/data_movement.h"
#include "host_ref/mean.h"
#include "host_ref/pool.h"
#include "host_ref/quantize.h"
#include "host_ref/resize.h"
#include "host_ref/softmax.h"
#include "host_ref/table.h"

namespace lockstep::backend::cpu {
namespace {

using graph::Extent4d;
using graph::PoolKind;
using graph::Window2d;
using testing::random_values;

constexpr std::array kChannels = {1, 3, 5, 17, 33, 64, 100};

// Input tensor 0, output tensor 1.
template <typename Lowered>
void expect_like_reference(Lowered lowered, const std::vector<int8_t>& input,
                           int64_t output_elements, const auto& reference, const auto& make) {
  lowered.input = 0;
  lowered.output = 1;
  std::vector<int8_t> expected(static_cast<size_t>(output_elements));
  reference(lowered, input, expected);
  testing::expect_values([&](const Target& target) { return make(lowered, target); },
                         std::array{input}, expected);
}

constexpr auto kMake = [](const auto& lowered, const Target& target) {
  return make_operation(lowered, target);
};

// --- Pools -------------------------------------------------------------------------------------

void expect_pool(const graph::LoweredPool& pool, uint32_t seed) {
  expect_like_reference(pool, random_values(pool.input_extent.elements(), seed),
                        pool.output_extent.elements(), host_ref::pool, kMake);
}

struct PoolCase {
  Extent4d input;  // without channels
  Extent4d output;
  Window2d window;
};

constexpr std::array kPoolCases = {
    PoolCase{{2, 7, 9},
             {2, 7, 9},
             {.kernel_height = 3, .kernel_width = 3, .padding_top = 1, .padding_left = 1}},
    PoolCase{{2, 8, 8},
             {2, 4, 4},
             {.kernel_height = 2, .kernel_width = 2, .stride_height = 2, .stride_width = 2}},
    PoolCase{{2, 7, 7}, {2, 1, 1}, {.kernel_height = 7, .kernel_width = 7}},
    PoolCase{{1, 20, 30}, {1, 1, 1}, {.kernel_height = 20, .kernel_width = 30}},
    PoolCase{{1, 9, 8},
             {1, 3, 4},
             {.kernel_height = 2,
              .kernel_width = 3,
              .stride_height = 2,
              .dilation_height = 3,
              .dilation_width = 2,
              .padding_left = 1}},
    // Windows outside the image.
    PoolCase{{1, 2, 2},
             {1, 4, 4},
             {.kernel_height = 2,
              .kernel_width = 2,
              .stride_height = 2,
              .stride_width = 2,
              .padding_top = 3,
              .padding_left = 3}},
    PoolCase{{1, 3, 1}, {1, 3, 1}, {.kernel_height = 1, .kernel_width = 1}},
    PoolCase{{1, 40, 50},
             {1, 40, 50},
             {.kernel_height = 5, .kernel_width = 5, .padding_top = 2, .padding_left = 2}},
    PoolCase{{0, 4, 4}, {0, 4, 4}, {}},
};

TEST(CpuPool, EqualsTheReference) {
  uint32_t seed = 0;
  for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage}) {
    for (const PoolCase& pool_case : kPoolCases) {
      for (const int32_t channels : kChannels) {
        if (pool_case.input.height == 40 && channels > 17) continue;  // for its number of pixels
        graph::LoweredPool pool;
        pool.kind = kind;
        pool.input_extent = pool_case.input;
        pool.output_extent = pool_case.output;
        pool.input_extent.channels = pool.output_extent.channels = channels;
        pool.window = pool_case.window;
        pool.accumulator_offset = seed % 2 == 0 ? 0 : 128;
        if (seed % 3 == 0) {
          pool.activation_min = -37;
          pool.activation_max = 90;
        }
        expect_pool(pool, seed++);
      }
    }
  }
}

// Of some counts float32's inverse is so far off that the estimated quotient is one too small where
// the true one is a power of two: 82, 94, 110 and more.
TEST(CpuPool, AveragesExactlyForAllCounts) {
  for (const int32_t count :
       {1, 2, 3, 4, 5, 6, 7, 9, 12, 16, 25, 49, 64, 82, 94, 110, 122, 164, 256, 257, 258, 300}) {
    for (const int32_t offset : {0, 128}) {
      graph::LoweredPool pool;
      pool.input_extent = {1, 1, count, 256};
      pool.output_extent = {1, 1, 1, 256};
      pool.window.kernel_width = count;
      pool.accumulator_offset = offset;
      std::vector<int8_t> input(static_cast<size_t>(count) * 256);
      for (size_t i = 0; i < input.size(); ++i) {
        // Half of the taps are one larger: odd sums, and ties where the count is even.
        const auto value = static_cast<int32_t>(i % 256) - 128;
        const bool is_larger = i / 256 < static_cast<size_t>(count) / 2;
        input[i] = static_cast<int8_t>(std::min(value + (is_larger ? 1 : 0), 127));
      }
      expect_like_reference(pool, input, 256, host_ref::pool, kMake);
    }
  }
}

// As many as lowering lets through: 199 1/2 on average, or so little less than it that float32 does
// not tell the difference.
TEST(CpuPool, AveragesMillionsOfValues) {
  graph::LoweredPool pool;
  pool.output = 1;
  pool.input_extent = {1, 2048, 2048, 1};
  pool.window.kernel_height = pool.window.kernel_width = 2048;
  pool.accumulator_offset = 128;
  const auto count = static_cast<size_t>(pool.input_extent.elements());
  std::vector<std::byte> input(count + kReadSlack, std::byte{199});
  std::fill_n(input.begin(), count / 2, std::byte{200});
  for (const Isa isa : executable_isas()) {
    const OperationPointer operation = make_operation(pool, {.isa = isa});
    for (const int result : {200, 199}) {
      std::byte output{};
      input[0] = result == 200 ? std::byte{200} : std::byte{199};
      operation->run(0, std::array{input.data(), &output}, nullptr);
      EXPECT_EQ(std::to_integer<int>(output), result) << operation->variant();
    }
  }
}

// --- MEAN --------------------------------------------------------------------------------------

// Those of the plain mean, ties up, and a bit of the disorder that engines' roundings make.
std::array<int32_t, 255> mean_thresholds(int32_t count) {
  std::array<int32_t, 255> thresholds{};
  for (int32_t i = 0; i < 255; ++i) {
    thresholds[static_cast<size_t>(i)] = (i - 127) * count - count / 2 - i % 3 % 2;
  }
  std::ranges::sort(thresholds);
  return thresholds;
}

void expect_mean(int32_t outer, int32_t reduced, int32_t inner,
                 const std::array<int32_t, 255>& thresholds) {
  graph::LoweredMean mean;
  mean.outer = outer;
  mean.reduced = reduced;
  mean.inner = inner;
  mean.thresholds = thresholds;
  const int64_t results = int64_t{outer} * inner;
  expect_like_reference(mean, random_values(results * reduced, static_cast<uint32_t>(inner)),
                        results, host_ref::mean, kMake);
}

TEST(CpuMean, EqualsTheReference) {
  for (const int32_t inner : {1, 2, 3, 5, 17, 32, 33, 64, 100, 1280}) {
    for (const int32_t reduced : {1, 7, 49, 63, 64, 65, 600}) {
      expect_mean(2, reduced, inner, mean_thresholds(reduced));
    }
  }
  expect_mean(300, 9, 40, mean_thresholds(9));
  expect_mean(0, 9, 40, mean_thresholds(9));
  expect_mean(1, 9, 40000, mean_thresholds(9));
}

TEST(CpuMean, TakesAnyThresholds) {
  constexpr int32_t kLowest = std::numeric_limits<int32_t>::min();
  constexpr int32_t kHighest = std::numeric_limits<int32_t>::max();
  std::array<int32_t, 255> thresholds{};
  for (const int32_t all : {kLowest, -1, 0, 1, kHighest}) {
    thresholds.fill(all);
    expect_mean(1, 3, 100, thresholds);
    expect_mean(1, 3, 3, thresholds);
  }
  std::mt19937 generator(7);
  for (int32_t& threshold : thresholds) {
    threshold = static_cast<int32_t>(generator() % 800) - 400;
  }
  thresholds[0] = kLowest;
  thresholds[1] = kHighest;
  std::ranges::sort(thresholds);
  expect_mean(3, 3, 100, thresholds);
  expect_mean(3, 3, 3, thresholds);
}

// Steps as long as each other, but for their rounding to whole sums.
TEST(CpuMean, FindsLinesOfPlainMeans) {
  for (const int32_t count : {2, 7, 49, 64, 1000}) {
    std::array<int32_t, 255> thresholds{};
    for (int32_t i = 0; i < 255; ++i) {
      thresholds[static_cast<size_t>(i)] =
          static_cast<int32_t>(std::ceil((i - 127.0 - 0.5) * count * 0.83));
    }
    const std::optional<StepLine> line = step_line(thresholds, -128 * count, 127 * count);
    ASSERT_TRUE(line) << count;
    for (int32_t sum = -128 * count; sum <= 127 * count; sum += 1 + count / 100) {
      const auto reached = std::ranges::upper_bound(thresholds, sum) - thresholds.begin();
      ASSERT_EQ((*line)(sum), reached) << sum << " of " << count;
    }
  }
}

TEST(CpuMean, FindsNoLineOfUnequalSteps) {
  std::array<int32_t, 255> thresholds = mean_thresholds(100);
  thresholds[100] = thresholds[99];
  EXPECT_FALSE(step_line(thresholds, -12800, 12700));
}

// --- Tables ------------------------------------------------------------------------------------

TEST(CpuTable, EqualsTheReference) {
  graph::LoweredTable table;
  std::ranges::copy(random_values(256, 3), table.table.begin());
  const auto reference = [](const graph::LoweredTable& lowered, const std::vector<int8_t>& input,
                            std::span<int8_t> output) {
    host_ref::apply_table(lowered.table, input, output);
  };
  for (const int64_t elements : {0, 1, 15, 31, 63, 64, 65, 127, 256, 1000, 100003}) {
    const auto make = [&](const graph::LoweredTable& lowered, const Target& target) {
      return make_table(lowered, elements, target);
    };
    expect_like_reference(table, random_values(elements, 4), elements, reference, make);
  }
}

TEST(CpuTable, LooksUpEveryByteInEveryLane) {
  graph::LoweredTable table;
  table.output = 1;
  for (size_t i = 0; i < 256; ++i) table.table[i] = static_cast<int8_t>(i * 37 + 11);
  for (int value = -128; value < 128; ++value) {
    const std::vector<int8_t> input(64, static_cast<int8_t>(value));
    const std::vector<int8_t> expected(64, table.table[static_cast<size_t>(value + 128)]);
    testing::expect_values([&](const Target& target) { return make_table(table, 64, target); },
                           std::array{input}, expected);
  }
}

// --- Data movement -----------------------------------------------------------------------------

TEST(CpuPad, EqualsTheReference) {
  struct Case {
    std::array<int32_t, 4> input, output, before;
  };
  for (const Case& pad_case : {
           Case{{2, 3, 4, 5}, {2, 5, 7, 5}, {0, 1, 2, 0}},
           Case{{2, 3, 4, 5}, {4, 3, 4, 9}, {1, 0, 0, 3}},
           Case{{2, 3, 4, 5}, {2, 3, 4, 5}, {0, 0, 0, 0}},
           Case{{2, 3, 4, 5}, {3, 4, 5, 6}, {1, 0, 1, 0}},
           Case{{1, 1, 1, 1}, {1, 1, 1, 40}, {0, 0, 0, 39}},
           Case{{1, 0, 4, 5}, {1, 2, 4, 5}, {0, 1, 0, 0}},
           Case{{1, 50, 60, 33}, {1, 53, 61, 33}, {0, 1, 1, 0}},
       }) {
    const auto count = [](const std::array<int32_t, 4>& extents) {
      return int64_t{extents[0]} * extents[1] * extents[2] * extents[3];
    };
    graph::LoweredPad pad;
    pad.input_extents = pad_case.input;
    pad.output_extents = pad_case.output;
    pad.before = pad_case.before;
    pad.value = -77;
    expect_like_reference(pad, random_values(count(pad_case.input), 5), count(pad_case.output),
                          host_ref::pad, kMake);
  }
}

TEST(CpuConcatenation, EqualsTheReference) {
  struct Case {
    int32_t outer;
    std::vector<int32_t> sizes;
  };
  for (const Case& concatenation_case :
       {Case{1, {5, 100, 1}}, Case{77, {3, 17, 64, 1}}, Case{2, {40000, 30000}},
        Case{400, {130, 0, 65}}, Case{0, {3, 4}}, Case{3, {0, 0}}}) {
    graph::LoweredConcatenation concatenation;
    concatenation.outer = concatenation_case.outer;
    concatenation.axis_sizes = concatenation_case.sizes;
    std::vector<std::vector<int8_t>> inputs;
    std::vector<std::span<const int8_t>> views;
    int64_t elements = 0;
    for (const int32_t size : concatenation_case.sizes) {
      const auto index = static_cast<int32_t>(inputs.size());
      const auto seed = static_cast<uint32_t>(index);
      concatenation.inputs.push_back(index);
      concatenation.tables.push_back(index % 2 == 0 ? std::vector<int8_t>{}
                                                    : random_values(256, seed));
      inputs.push_back(random_values(int64_t{size} * concatenation.outer, seed + 10));
      elements += int64_t{size} * concatenation.outer;
    }
    concatenation.output = static_cast<int32_t>(inputs.size());
    for (const std::vector<int8_t>& input : inputs) views.emplace_back(input);
    std::vector<int8_t> expected(static_cast<size_t>(elements));
    host_ref::concatenation(concatenation, views, expected);
    testing::expect_values(
        [&](const Target& target) { return make_operation(concatenation, target); }, inputs,
        expected);
  }
}

TEST(CpuTransposition, EqualsTheReference) {
  for (const int32_t inner : {1, 3, 17, 64}) {
    for (const auto& [outer, rows, columns] :
         {std::array{1, 1, 1}, std::array{4, 2, 7}, std::array{3, 7, 2}, std::array{50, 33, 4},
          std::array{0, 2, 2}}) {
      graph::LoweredTransposition transposition;
      transposition.outer = outer;
      transposition.rows = rows;
      transposition.columns = columns;
      transposition.inner = inner;
      expect_like_reference(transposition, random_values(transposition.elements(), 6),
                            transposition.elements(), host_ref::transposition, kMake);
    }
  }
}

TEST(CpuCopy, CopiesAllBytes) {
  for (const int64_t bytes : {0, 1, 63, 64, 65, 1000003}) {
    graph::LoweredReshape reshape;
    const auto reference = [](const auto&, const std::vector<int8_t>& input,
                              std::vector<int8_t>& output) { output = input; };
    const auto make = [&](const graph::LoweredReshape& lowered, const Target& target) {
      return make_copy(lowered, bytes, target);
    };
    expect_like_reference(reshape, random_values(bytes, 8), bytes, reference, make);
  }
}

// --- Resizing ----------------------------------------------------------------------------------

TEST(CpuResizeNearestNeighbor, EqualsTheReference) {
  for (const int32_t channels : kChannels) {
    graph::LoweredResizeNearestNeighbor resize;
    resize.input_extent = {2, 3, 4, channels};
    resize.output_extent = {2, 6, 7, channels};
    resize.rows = {0, 0, 1, 1, 2, 2};
    resize.columns = {0, 1, 2, 3, 3, 3, 0};
    expect_like_reference(resize, random_values(resize.input_extent.elements(), 9),
                          resize.output_extent.elements(), host_ref::resize_nearest_neighbor,
                          kMake);
  }
}

// Shares of all sizes, ties among them.
std::vector<graph::Interpolation> interpolations(int32_t count, int32_t extent,
                                                 const auto& weights_at) {
  std::vector<graph::Interpolation> made;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t first = i * extent / count;
    made.push_back(weights_at(i));
    made.back().first = first;
    made.back().second = std::min(first + 1, extent - 1);
  }
  return made;
}

graph::LoweredResizeBilinear bilinear(int32_t channels, const auto& weights_at) {
  graph::LoweredResizeBilinear resize;
  resize.input_extent = {2, 3, 4, channels};
  resize.output_extent = {2, 13, 9, channels};
  resize.rows = interpolations(13, 3, weights_at);
  resize.columns = interpolations(9, 4, weights_at);
  return resize;
}

void expect_bilinear(const graph::LoweredResizeBilinear& resize) {
  expect_like_reference(resize, random_values(resize.input_extent.elements(), 10),
                        resize.output_extent.elements(), host_ref::resize_bilinear, kMake);
}

TEST(CpuResizeBilinear, EqualsTheReferenceInFixedPoint) {
  for (const auto arithmetic : {graph::InterpolationArithmetic::kFixedPointTiesUp,
                                graph::InterpolationArithmetic::kFixedPointTiesAway}) {
    for (const int32_t bits : {1, 2, 10, 11}) {
      for (const int32_t channels : kChannels) {
        graph::LoweredResizeBilinear resize = bilinear(channels, [bits](int32_t i) {
          const int32_t one = 1 << bits;
          const std::array<int32_t, 6> shares = {0, one, one / 2, one / 4, one - 1, 1};
          const int32_t share = shares[static_cast<size_t>(i) % shares.size()];
          return graph::Interpolation{.first_weight = one - share, .second_weight = share};
        });
        resize.arithmetic = arithmetic;
        resize.fraction_bits = bits;
        expect_bilinear(resize);
      }
    }
  }
}

TEST(CpuResizeBilinear, EqualsTheReferenceInFloat32) {
  for (const int32_t channels : kChannels) {
    graph::LoweredResizeBilinear resize = bilinear(channels, [](int32_t i) {
      const std::array<float, 6> shares = {0.0f, 1.0f, 0.5f, 1.0f / 3.0f, 0.1f, 0.99999994f};
      const float share = shares[static_cast<size_t>(i) % shares.size()];
      return graph::Interpolation{.first_weight = std::bit_cast<int32_t>(1.0f - share),
                                  .second_weight = std::bit_cast<int32_t>(share)};
    });
    resize.arithmetic = graph::InterpolationArithmetic::kFloat32;
    expect_bilinear(resize);
  }
}

// --- SOFTMAX -----------------------------------------------------------------------------------

TEST(CpuSoftmax, EqualsTheReference) {
  for (const bool is_unsigned : {false, true}) {
    for (const int32_t depth : {1, 2, 10, 255, 256, 1001}) {
      graph::LoweredSoftmax softmax;
      softmax.rows = 7;
      softmax.depth = depth;
      softmax.output_is_unsigned = is_unsigned;
      softmax.output_zero_point = is_unsigned ? 0 : -128;
      for (size_t i = 0; i < 256; ++i) {
        softmax.exponentials[i] = std::exp(-0.05f * static_cast<float>(i));
      }
      const int64_t elements = int64_t{7} * depth;
      expect_like_reference(softmax, random_values(elements, 11), elements, host_ref::softmax,
                            kMake);
    }
  }
}

TEST(CpuSoftmax, SaturatesWhereTheSumVanishes) {
  graph::LoweredSoftmax softmax;
  softmax.depth = 300;
  softmax.output_scale = 1e-30f;
  softmax.exponentials.fill(1e-30f);
  expect_like_reference(softmax, random_values(300, 12), 300, host_ref::softmax, kMake);
}

// --- QUANTIZE and DEQUANTIZE -------------------------------------------------------------------

std::vector<std::byte> bytes_of(std::span<const float> values) {
  const std::span<const std::byte> bytes = std::as_bytes(values);
  return {bytes.begin(), bytes.end()};
}

// Numbers around every tie of the scale, and whatever is hard.
std::vector<float> hard_numbers(float scale) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> values = {0.0f,
                               -0.0f,
                               std::numeric_limits<float>::quiet_NaN(),
                               1e-45f,
                               -1e-45f,
                               kInfinity,
                               -kInfinity,
                               std::numeric_limits<float>::max(),
                               std::numeric_limits<float>::lowest()};
  for (int i = -600; i <= 600; ++i) {
    const float tie = 0.5f * static_cast<float>(i) * scale;
    values.insert(values.end(),
                  {tie, std::nextafter(tie, kInfinity), std::nextafter(tie, -kInfinity)});
  }
  return values;
}

TEST(CpuQuantize, EqualsTheReference) {
  for (const numerics::Contract contract :
       {numerics::Contract::kTflite, numerics::Contract::kLitert, numerics::Contract::kReference,
        numerics::Contract::kSingle}) {
    for (const float scale : {1.0f, 0.1f, 0.0078431f, 3e-39f, 2e38f}) {
      for (const int32_t zero_point : {-128, 0, 127}) {
        graph::LoweredQuantize quantize;
        quantize.output = 1;
        quantize.scale = scale;
        quantize.zero_point = zero_point;
        quantize.contract = contract;
        const std::vector<float> input = hard_numbers(scale);
        std::vector<int8_t> expected(input.size());
        host_ref::quantize(quantize, input, expected);
        testing::expect_output(
            [&](const Target& target) {
              return make_quantize(quantize, static_cast<int64_t>(input.size()), target);
            },
            std::array{bytes_of(input)}, testing::to_bytes(expected));
      }
    }
  }
}

TEST(CpuQuantize, CutsLargeTensors) {
  std::vector<float> input(100003);
  for (size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(i % 997) * 0.3f - 150.0f;
  const graph::LoweredQuantize quantize{.input = 0, .output = 1, .scale = 1.1f, .zero_point = 3};
  std::vector<int8_t> expected(input.size());
  host_ref::quantize(quantize, input, expected);
  testing::expect_output(
      [&](const Target& target) {
        return make_quantize(quantize, static_cast<int64_t>(input.size()), target);
      },
      std::array{bytes_of(input)}, testing::to_bytes(expected));
}

TEST(CpuDequantize, EqualsTheReference) {
  for (const float scale : {1.0f, 0.1f, 0.0078431f, 3e-39f, 2e38f}) {
    for (const int32_t zero_point : {-128, 5, 127}) {
      for (const int64_t elements : {0, 1, 257, 50001}) {
        const graph::LoweredDequantize dequantize{
            .input = 0, .output = 1, .scale = scale, .zero_point = zero_point};
        const std::vector<int8_t> input = random_values(elements, 13);
        std::vector<float> expected(input.size());
        host_ref::dequantize(dequantize, input, expected);
        testing::expect_output(
            [&](const Target& target) { return make_dequantize(dequantize, elements, target); },
            std::array{testing::to_bytes(input)}, bytes_of(expected));
      }
    }
  }
}

}  // namespace
}  // namespace lockstep::backend::cpu
