// AVERAGE_POOL_2D and MAX_POOL_2D.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <variant>

#include "conformance/generators/case_collector.h"
#include "conformance/generators/families.h"
#include "conformance/generators/operand_contents.h"
#include "conformance/generators/random_cases.h"

namespace lockstep::conformance {
namespace {

using graph::Activation;
using graph::DataType;
using graph::GraphBuilder;
using graph::Operator;
using graph::Padding;
using graph::Pool2dAttributes;
using graph::PoolKind;
using graph::Quantization;
using graph::Shape;
using graph::Tensor;

// --- Generation --------------------------------------------------------------------------------

// A base value for each channel, one more in every second column (even channels) or row (odd ones).
// Where a window is even in that direction, however it is cut by the border, half of its values are
// one higher: its average lies exactly half way. The bases run over both signs.
Bytes stripes(DataType type, const Shape& shape) {
  std::vector<int32_t> values;
  const int32_t channels = shape[3];
  for (int32_t n = 0; n < shape[0]; ++n) {
    for (int32_t y = 0; y < shape[1]; ++y) {
      for (int32_t x = 0; x < shape[2]; ++x) {
        for (int32_t c = 0; c < channels; ++c) {
          const int32_t base = -128 + (c / 2 * 97 + n * 31) % 255;
          values.push_back(base + ((c % 2 == 0 ? x : y) & 1));
        }
      }
    }
  }
  return stored_bytes(type, values);
}

struct PoolCase {
  const char* name;
  Shape shape;
  int32_t filter_height;
  int32_t filter_width;
  int32_t stride_height;
  int32_t stride_width;
  Padding padding;
  bool is_quick = false;
};

std::vector<PoolCase> pool_cases() {
  constexpr Padding kSame = Padding::kSame;
  constexpr Padding kValid = Padding::kValid;
  return {{"2x2 stride 2 valid", {1, 8, 8, 16}, 2, 2, 2, 2, kValid},
          {"2x2 stride 2 valid with a remainder", {1, 7, 9, 16}, 2, 2, 2, 2, kValid},
          {"2x2 stride 2 same with a remainder", {2, 7, 9, 5}, 2, 2, 2, 2, kSame, true},
          {"2x2 stride 1 same", {1, 5, 6, 8}, 2, 2, 1, 1, kSame},
          {"3x3 stride 1 same", {2, 7, 9, 6}, 3, 3, 1, 1, kSame},
          {"3x3 stride 2 valid with a remainder", {1, 8, 10, 4}, 3, 3, 2, 2, kValid},
          {"3x3 stride 2 same", {1, 8, 9, 16}, 3, 3, 2, 2, kSame},
          {"4x4 stride 3 same with a remainder", {1, 11, 12, 8}, 4, 4, 3, 3, kSame},
          {"5x5 stride 1 same", {1, 6, 7, 16}, 5, 5, 1, 1, kSame},
          {"2x4 stride 2 same", {1, 7, 9, 16}, 2, 4, 2, 2, kSame},
          {"1x4 stride 1x2 valid", {1, 3, 11, 8}, 1, 4, 1, 2, kValid},
          {"6x1 stride 2x1 same", {1, 9, 3, 8}, 6, 1, 2, 1, kSame},
          {"2x3 stride 3x2 valid", {1, 9, 8, 8}, 2, 3, 3, 2, kValid},
          {"stride beyond the window", {1, 9, 9, 8}, 2, 2, 3, 4, kValid},
          {"1x1 stride 2", {1, 5, 5, 8}, 1, 1, 2, 2, kValid},
          {"kernel larger than the image same", {1, 3, 4, 16}, 7, 9, 1, 1, kSame, true},
          {"kernel taller than the image stride 2 same", {1, 3, 12, 8}, 8, 2, 2, 2, kSame},
          {"global 7x7", {1, 7, 7, 64}, 7, 7, 1, 1, kValid, true},
          {"global 8x8", {2, 8, 8, 32}, 8, 8, 8, 8, kValid},
          {"global 1x16", {1, 1, 16, 33}, 1, 16, 1, 1, kValid}};
}

Pool2dAttributes attributes_of(const PoolCase& c, PoolKind kind, Activation activation) {
  return {.kind = kind,
          .padding = c.padding,
          .stride_height = c.stride_height,
          .stride_width = c.stride_width,
          .filter_height = c.filter_height,
          .filter_width = c.filter_width,
          .activation = activation};
}

Result<graph::Graph> pool_graph(DataType type, const Shape& shape, const Quantization& both,
                                const Pool2dAttributes& attributes) {
  GraphBuilder builder;
  const int32_t input = builder.input("x", type, shape, both);
  return builder.build({builder.pool_2d(input, attributes, both)});
}

void add_windows(CaseCollector& cases, PoolKind kind) {
  constexpr std::array<int32_t, 4> kZeroPoints = {-128, 0, 127, 5};
  size_t index = 0;
  for (const PoolCase& c : pool_cases()) {
    const DataType type = k8BitTypes[index % 4 == 3 ? 1 : 0];
    const Quantization both = signed_quantization(type, 0.05f, kZeroPoints[index % 4]);
    ++index;
    const Result<graph::Graph> graph =
        pool_graph(type, c.shape, both, attributes_of(c, kind, Activation::kNone));
    // The average's ties need stripes; the maximum is better tried on values in disorder.
    Bytes contents =
        kind == PoolKind::kAverage ? stripes(type, c.shape) : every_byte(element_count_of(c.shape));
    const std::string name = fmt::format("{} {}", c.name, graph::data_type_name(type));
    if (c.is_quick) {
      cases.add_quick(name, graph, {std::move(contents)});
    } else {
      cases.add(name, graph, {std::move(contents)});
    }
  }
}

// uint8 sums are never negative: the rounding of signed ones does not hold for them.
void add_types(CaseCollector& cases, PoolKind kind) {
  const PoolCase window = {"", {1, 8, 10, 32}, 3, 2, 1, 2, Padding::kSame};
  const size_t count = element_count_of(window.shape);
  for (const DataType type : k8BitTypes) {
    const Result<graph::Graph> graph =
        pool_graph(type, window.shape, signed_quantization(type, 0.05f, -7),
                   attributes_of(window, kind, Activation::kNone));
    const std::string_view type_name = graph::data_type_name(type);
    cases.add(fmt::format("stripes {}", type_name), graph, {stripes(type, window.shape)});
    cases.add(fmt::format("scrambled {}", type_name), graph, {every_byte(count)});
    const bool is_signed = type == DataType::kInt8;
    cases.add(fmt::format("all {} {}", is_signed ? "lowest" : "highest", type_name), graph,
              {Bytes(count, stored_byte(type, is_signed ? -128 : 127))});
  }
}

void add_channel_tails(CaseCollector& cases, PoolKind kind) {
  const DataType type = DataType::kInt8;
  const Quantization both = signed_quantization(type, 0.05f, 11);
  GraphBuilder builder;
  std::vector<int32_t> results;
  std::vector<Bytes> inputs;
  for (const int32_t channels : kChannelTails) {
    const PoolCase window = {"", {1, 5, 4, channels}, 3, 2, 2, 1, Padding::kSame};
    const int32_t input = builder.input(fmt::format("x{}", channels), type, window.shape, both);
    results.push_back(builder.pool_2d(input, attributes_of(window, kind, Activation::kNone), both));
    inputs.push_back(every_byte(element_count_of(window.shape)));
  }
  cases.add("channel tails", builder.build(results), std::move(inputs));
}

// Windows of equal values, so that the output is the input and activation_contents() says what is
// clipped: nothing, some, all.
void add_activations(CaseCollector& cases, PoolKind kind) {
  constexpr size_t kChannels = 64;
  constexpr size_t kPixels = 16;
  const PoolCase window = {"", {1, 4, 4, kChannels}, 2, 2, 2, 2, Padding::kValid};
  for (const Activation activation : kFusedActivations) {
    const DataType type = k8BitTypes[activation == Activation::kRelu6 ? 1 : 0];
    const Quantization both = activation_quantization(type);
    GraphBuilder builder;
    std::vector<int32_t> results;
    std::vector<Bytes> inputs;
    for (const ClippedShare share : kAllShares) {
      const int32_t input =
          builder.input(fmt::format("x{}", results.size()), type, window.shape, both);
      results.push_back(builder.pool_2d(input, attributes_of(window, kind, activation), both));
      const Bytes pixel = activation_contents(type, activation, share, kChannels);
      Bytes& contents = inputs.emplace_back();
      for (size_t i = 0; i < kPixels; ++i) {
        contents.insert(contents.end(), pixel.begin(), pixel.end());
      }
    }
    cases.add(fmt::format("{} {}", activation_name(activation), graph::data_type_name(type)),
              builder.build(results), std::move(inputs));
  }
}

Result<std::vector<Case>> generate(const GeneratorOptions& options, PoolKind kind,
                                   RandomOperator random, std::string_view family,
                                   Measure measure) {
  CaseCollector cases(family, measure);
  add_windows(cases, kind);
  add_types(cases, kind);
  add_channel_tails(cases, kind);
  add_activations(cases, kind);
  add_random_cases(cases, options, random);
  return std::move(cases).finish();
}

// --- Measurement -------------------------------------------------------------------------------

// The taps of one window along one dimension that lie in the image.
struct Taps {
  int32_t begin;
  int32_t end;
};

Taps taps_of(int32_t position, int32_t filter, int32_t stride, int32_t input, int32_t output) {
  const int32_t covered = (output - 1) * stride + filter;
  const int32_t start = position * stride - std::max(covered - input, 0) / 2;
  return {std::max(start, 0), std::min(start + filter, input)};
}

void measure_window(const Pool2dAttributes& attributes, const Shape& input,
                    CoveragePoints& points) {
  const auto measure_direction = [&](std::string_view direction, int32_t filter, int32_t stride,
                                     int32_t extent) {
    if (filter > extent) points.add("window", fmt::format("{} than the image", direction));
    if (stride > filter) points.add("window", "stride beyond it");
    if (attributes.padding == Padding::kValid && (extent - filter) % stride != 0) {
      points.add("remainder", "valid");
    }
    if (attributes.padding == Padding::kSame && extent % stride != 0) {
      points.add("remainder", "same");
    }
    points.add("stride", std::to_string(stride));
  };
  measure_direction("taller", attributes.filter_height, attributes.stride_height, input[1]);
  measure_direction("wider", attributes.filter_width, attributes.stride_width, input[2]);
  points.add("padding", attributes.padding == Padding::kSame ? "same" : "valid");
  points.add("window", fmt::format("{}x{}", attributes.filter_height, attributes.filter_width));
  if (attributes.filter_height == input[1] && attributes.filter_width == input[2]) {
    points.add("window", "global");
  }
  if (attributes.stride_height != attributes.stride_width) points.add("stride", "unequal");
}

// Averages only: which divisors occur, and with which sums exactly half way.
void measure_sums(const MeasuredGraph& measured, const Operator& op,
                  const Pool2dAttributes& attributes, CoveragePoints& points) {
  const Shape& in = measured.tensor(op.inputs[0]).shape;
  const Shape& out = measured.tensor(op.outputs[0]).shape;
  const std::vector<int32_t> values = measured.values(op.inputs[0]);
  for (int32_t n = 0; n < out[0]; ++n) {
    for (int32_t y = 0; y < out[1]; ++y) {
      const Taps rows =
          taps_of(y, attributes.filter_height, attributes.stride_height, in[1], out[1]);
      for (int32_t x = 0; x < out[2]; ++x) {
        const Taps columns =
            taps_of(x, attributes.filter_width, attributes.stride_width, in[2], out[2]);
        const int32_t count = (rows.end - rows.begin) * (columns.end - columns.begin);
        points.add("divisor", std::to_string(count));
        for (int32_t c = 0; c < out[3]; ++c) {
          int32_t sum = 0;
          for (int32_t row = rows.begin; row < rows.end; ++row) {
            for (int32_t column = columns.begin; column < columns.end; ++column) {
              sum += values[static_cast<size_t>(((n * in[1] + row) * in[2] + column) * in[3] + c)];
            }
          }
          if (2 * (std::abs(sum) % count) == count) {
            points.add("tie", fmt::format("{} of {}", sum > 0 ? "positive" : "negative", count));
          }
        }
      }
    }
  }
}

void measure_pool(const MeasuredGraph& measured, CoveragePoints& points) {
  for (const Operator& op : measured.graph().operators) {
    const auto* attributes = std::get_if<Pool2dAttributes>(&op.attributes);
    if (attributes == nullptr) {
      continue;
    }
    measure_window(*attributes, measured.tensor(op.inputs[0]).shape, points);
    if (attributes->kind == PoolKind::kAverage) {
      measure_sums(measured, op, *attributes, points);
    }
    for (const int32_t value : measured.values(op.outputs[0])) {
      const int32_t lowest = measured.tensor(op.outputs[0]).type == DataType::kUint8 ? 0 : -128;
      if (value == lowest) points.add("result", "lowest");
      if (value == lowest + 255) points.add("result", "highest");
    }
  }
}

std::vector<RequiredCoverage> required_pool_coverage() {
  return {{"type", {"int8", "uint8"}},
          {"batch", {"1", "more"}},
          {"channels", tail_names()},
          {"input zero_point", {"lowest", "middle", "highest", "other"}},
          {"activation", {"none", "relu", "relu6", "relu_n1_to_1"}},
          {"clipping", clipping_names()},
          {"padding", {"same", "valid"}},
          {"remainder", {"same", "valid"}},
          {"stride", {"1", "2", "3", "8", "unequal"}},
          {"window",
           {"1x1", "2x2", "3x3", "4x4", "5x5", "7x7", "2x4", "1x4", "6x1", "global",
            "taller than the image", "wider than the image", "stride beyond it"}},
          {"result", {"lowest", "highest"}}};
}

// Every divisor that windows and their cut-off parts have, and both ties of each even one.
std::vector<RequiredCoverage> required_average_coverage() {
  std::vector<RequiredCoverage> required = required_pool_coverage();
  RequiredCoverage divisors{"divisor", {}};
  for (const int32_t divisor : {1, 3, 5, 9, 15, 25, 49}) {
    divisors.values.push_back(std::to_string(divisor));
  }
  RequiredCoverage ties{"tie", {}};
  for (const int32_t divisor : {2, 4, 6, 8, 12, 16, 20, 64}) {
    divisors.values.push_back(std::to_string(divisor));
    ties.values.push_back(fmt::format("positive of {}", divisor));
    ties.values.push_back(fmt::format("negative of {}", divisor));
  }
  required.push_back(std::move(divisors));
  required.push_back(std::move(ties));
  return required;
}

}  // namespace

Generator average_pool_2d_family() {
  return {.family = "average_pool_2d",
          .description = "AVERAGE_POOL_2D: windows at every border, ties of every divisor",
          .generate =
              [](const GeneratorOptions& options) {
                return generate(options, PoolKind::kAverage, RandomOperator::kAveragePool,
                                "average_pool_2d", measure_pool);
              },
          .required_coverage = required_average_coverage};
}

Generator max_pool_2d_family() {
  return {.family = "max_pool_2d",
          .description = "MAX_POOL_2D: windows at every border, values at both ends",
          .generate =
              [](const GeneratorOptions& options) {
                return generate(options, PoolKind::kMax, RandomOperator::kMaxPool, "max_pool_2d",
                                measure_pool);
              },
          .required_coverage = required_pool_coverage};
}

}  // namespace lockstep::conformance
