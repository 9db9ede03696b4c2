#include "conformance/generators/weighted_filling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <string>
#include <utility>

namespace lockstep::conformance {
namespace {

using graph::DataType;

size_t element_count(const graph::Shape& shape) {
  return static_cast<size_t>(graph::element_count(shape).value_or(0));
}

// M = 0.75 * 2^-24, which brings accumulators at the ends of int32 to +-96.
void scale_whole_range(WeightedCase& description) {
  description.input_scale = 0x1.8p-13f;
  description.weights_scales = {0x1p-12f};
  description.output_scale = 1.0f;
}

void fill_evenly(WeightedCase& description, int8_t input, int8_t weights) {
  description.input.assign(element_count(description.input_shape), input);
  description.weights.assign(element_count(description.weights_shape), weights);
}

}  // namespace

Status fill_case(WeightedCase& description, const Filling& filling) {
  Random random(kFillSeed, description.name);
  description.input = make_contents(filling.input, element_count(description.input_shape),
                                    description.input_zero_point, random);
  description.weights = make_contents(filling.weights, element_count(description.weights_shape),
                                      description.weights_zero_point, random);
  const auto channels = static_cast<size_t>(output_channels(description));
  description.bias.clear();
  if (filling.has_bias) {
    for (size_t channel = 0; channel < channels; ++channel) {
      description.bias.push_back(random.between(-2000, 2000));
    }
  }
  description.input_scale = 0.25f;
  description.weights_scales = {0.125f};
  if (filling.per_channel) {
    constexpr float kFactors[] = {1.0f, 0.5f, 0.75f, 0.25f, 0.3f, 0.125f};
    description.weights_scales.clear();
    for (size_t channel = 0; channel < channels; ++channel) {
      description.weights_scales.push_back(0.125f * random.pick(std::span(kFactors)));
    }
  }
  const Result<std::vector<int32_t>> accumulators = weighted_accumulators(description);
  if (!accumulators) {
    return tl::unexpected(accumulators.error());
  }
  double largest = 1.0;
  for (const int32_t accumulator : *accumulators) {
    largest = std::max(largest, std::abs(static_cast<double>(accumulator)));
  }
  // The largest accumulator becomes 96 to 192, where zero points at the ends let outputs saturate.
  int exponent = 0;
  std::frexp(largest / 192.0, &exponent);
  const float m = std::ldexp(random.coin() ? 1.0f : 0.75f, -exponent);
  description.output_scale = 0.25f * 0.125f / m;
  return {};
}

void set_zero_points(WeightedCase& description, size_t index) {
  constexpr int32_t kInput[] = {-128, 0, 127, 13};
  constexpr int32_t kOutput[] = {0, 127, -128, -5};
  constexpr int32_t kWeights[] = {0, -128, 127, -20};
  description.input_zero_point = kInput[index % std::size(kInput)];
  description.output_zero_point = kOutput[(index + index / 4) % std::size(kOutput)];
  description.weights_zero_point =
      description.type == DataType::kUint8 ? kWeights[index / 3 % std::size(kWeights)] : 0;
}

std::vector<ContentsCorner> contents_corners() {
  using enum Pattern;
  return {
      {"input and weights all lowest", DataType::kInt8, {kAllMinimum, kAllMinimum}, 1},
      {"input lowest, weights highest", DataType::kUint8, {kAllMinimum, kAllMaximum}, 2},
      {"input highest, weights lowest", DataType::kInt8, {kAllMaximum, kAllMinimum}, 4},
      {"input and weights all highest", DataType::kUint8, {kAllMaximum, kAllMaximum}, 5},
      {"input and weights alternate", DataType::kInt8, {kAlternating, kAlternating}, 3},
      {"input alternates", DataType::kUint8, {kAlternating, kRandom}, 8},
      {"input and weights of every value", DataType::kInt8, {kRamp, kRamp}, 7},
      {"input of every value", DataType::kUint8, {kRamp, kRandom}, 9},
      {"input one hot", DataType::kInt8, {kOneHot, kRandom}, 6},
      {"weights one hot", DataType::kUint8, {kRandom, kOneHot}, 10},
      {"no bias int8", DataType::kInt8, {.has_bias = false, .per_channel = true}, 11},
      {"no bias uint8", DataType::kUint8, {.has_bias = false}, 12},
  };
}

void fill_extreme_sum(WeightedCase& description, int32_t sign) {
  description.input_zero_point = sign > 0 ? 127 : -128;
  fill_evenly(description, sign > 0 ? int8_t{-128} : int8_t{127}, -128);
  description.bias.assign(static_cast<size_t>(output_channels(description)), sign * 3001);
  scale_whole_range(description);
}

void fill_sums_beyond_float32(WeightedCase& description, int32_t sign) {
  Random random(kFillSeed, description.name);
  description.input_zero_point = sign > 0 ? -128 : 127;
  fill_evenly(description, sign > 0 ? int8_t{127} : int8_t{-128}, 0);
  const auto channels = static_cast<size_t>(output_channels(description));
  const size_t taps = description.weights.size() / channels;
  const bool channels_are_innermost =
      std::holds_alternative<graph::DepthwiseConv2dAttributes>(description.attributes);
  for (size_t channel = 0; channel < channels; ++channel) {
    int32_t sum = 0;
    for (size_t tap = 0; tap < taps; ++tap) {
      // Every x - input_zero_point is 255 or -255. The last tap makes the sum odd.
      const bool is_last = tap + 1 == taps;
      const int32_t lowered = is_last ? (sum % 2 == 0 ? 1 : 0) : random.between(0, 1);
      const int32_t weight = channel % 2 == 0 ? -128 + lowered : 126 + lowered;
      sum += weight;
      description
          .weights[channels_are_innermost ? tap * channels + channel : channel * taps + tap] =
          static_cast<int8_t>(weight);
    }
  }
  description.bias.assign(channels, 0);
  for (size_t channel = 0; channel < channels; ++channel) {
    description.bias[channel] = 2 * random.between(-500, 500);
  }
  // The largest sums, of up to 2^25, become about 96.
  description.input_scale = 0x1.8p-10f;
  description.weights_scales = {0x1p-9f};
  description.output_scale = 1.0f;
}

std::string name_of_sums_beyond_float32(int32_t sign, graph::DataType type) {
  return fmt::format("sums {}beyond float32 {}", sign > 0 ? "of the highest inputs " : "",
                     data_type_name(type));
}

void fill_wrapping_bias(WeightedCase& description, int32_t sign) {
  const int32_t zero_point = sign > 0 ? -128 : 127;
  description.input_zero_point = zero_point;
  fill_evenly(description, static_cast<int8_t>(zero_point), 127);
  description.bias.clear();
  for (int32_t channel = 0; channel < output_channels(description); ++channel) {
    description.bias.push_back(sign > 0 ? INT32_MAX - channel * 1000 : INT32_MIN + channel * 1000);
  }
  scale_whole_range(description);
}

Result<std::vector<WeightedCase>> draw_cases(const GeneratorOptions& options,
                                             WeightedCase (*draw)(DataType, Random&)) {
  std::vector<WeightedCase> cases;
  for (int32_t i = 0; i < options.random_cases; ++i) {
    const std::string name = fmt::format("random {} of seed {}", i, options.seed);
    Random random(options.seed, name);
    const DataType type = random.coin() ? DataType::kInt8 : DataType::kUint8;
    WeightedCase description = draw(type, random);
    description.name = name;
    description.type = type;
    set_zero_points(description, static_cast<size_t>(random.between(0, 999)));
    // Older engines know no fully connected layers with scales for every channel.
    const bool may_be_per_channel =
        type == DataType::kInt8 &&
        !std::holds_alternative<graph::FullyConnectedAttributes>(description.attributes);
    const Filling filling{.input = random.pick(std::span(kAllPatterns)),
                          .per_channel = may_be_per_channel && random.coin()};
    if (Status status = fill_case(description, filling); !status) {
      return tl::unexpected(status.error());
    }
    cases.push_back(std::move(description));
  }
  return cases;
}

}  // namespace lockstep::conformance
