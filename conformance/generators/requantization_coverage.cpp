#include "conformance/generators/requantization_coverage.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace lockstep::conformance {
namespace {

using graph::OutputStage;
using numerics::ChannelScale;
using numerics::Rounding;

// One accumulator of one channel on its way out.
struct Element {
  const OutputStage& stage;
  ChannelScale scale;
  int32_t accumulator;

  int32_t scaled() const { return numerics::scale_accumulator(accumulator, scale, stage.rounding); }

  int32_t finish(int32_t scaled_value) const {
    return numerics::clamp_output(scaled_value, stage.zero_point, stage.activation_min,
                                  stage.activation_max);
  }

  // Whether giving `other` instead of the right value would be seen.
  bool shows(int32_t other) const { return finish(other) != finish(scaled()); }

  bool shows_with(ChannelScale other) const {
    return shows(numerics::scale_accumulator(accumulator, other, stage.rounding));
  }

  std::string_view sign() const { return accumulator < 0 ? "negative" : "positive"; }

  void hit(CoveragePoints& points, std::string_view corner) const {
    points.add("rounding",
               fmt::format("{} {} {}", numerics::rounding_name(stage.rounding), corner, sign()));
  }
};

int32_t shift_right(const Element& element, int32_t value, int32_t amount) {
  return element.stage.rounding == Rounding::kDoubleTiesUp
             ? numerics::rounding_shift_right_ties_up(value, amount)
             : numerics::rounding_shift_right_ties_away_from_zero(value, amount);
}

void measure_double(const Element& element, CoveragePoints& points) {
  const int32_t left_shift = std::max(element.scale.shift, 0);
  const int32_t right_shift = std::max(-element.scale.shift, 0);
  const int32_t shifted = numerics::shift_left_modulo(element.accumulator, left_shift);
  const int64_t product = int64_t{shifted} * element.scale.multiplier;
  const int32_t high =
      numerics::saturating_rounding_doubling_high_multiply(shifted, element.scale.multiplier);
  constexpr int64_t kHalf = int64_t{1} << 30;
  if ((product & (2 * kHalf - 1)) == kHalf &&
      element.shows(shift_right(element, high - 1, right_shift))) {
    element.hit(points, "high multiply tie");
  }
  if (right_shift > 0) {
    const int64_t half = int64_t{1} << (right_shift - 1);
    const auto below = static_cast<int32_t>(high >> right_shift);
    if ((high & (2 * half - 1)) == half && element.finish(below) != element.finish(below + 1)) {
      element.hit(points, "shift tie");
    }
  }
}

void measure_single(const Element& element, CoveragePoints& points) {
  const int32_t total_shift = 31 - element.scale.shift;
  const int64_t product = int64_t{element.accumulator} * element.scale.multiplier;
  const int64_t half = int64_t{1} << (total_shift - 1);
  if ((product & (2 * half - 1)) == half && element.shows(element.scaled() - 1)) {
    element.hit(points, "tie");
  }
}

// The nearest integer to significand * 2^exponent, ties to even, where it is far from int32's ends.
int32_t nearest_even(uint64_t significand, int32_t exponent) {
  if (exponent >= 0) {
    return static_cast<int32_t>(significand << std::min(exponent, 6));
  }
  if (exponent < -62) {
    return 0;
  }
  const uint64_t quotient = significand >> -exponent;
  const uint64_t remainder = significand - (quotient << -exponent);
  const uint64_t half = uint64_t{1} << (-exponent - 1);
  const bool up = remainder > half || (remainder == half && quotient % 2 == 1);
  return static_cast<int32_t>(quotient + (up ? 1 : 0));
}

void measure_float32(const Element& element, CoveragePoints& points) {
  const auto mantissa = static_cast<uint32_t>(element.scale.multiplier);
  const float scale = std::ldexp(static_cast<float>(mantissa), element.scale.shift);
  const auto converted = static_cast<float>(element.accumulator);
  const float product = converted * scale;
  constexpr float kFractionsEnd = 4194304.0f;  // 2^22: from here on float32 has no halves
  if (std::abs(product) >= kFractionsEnd) {
    return;
  }
  const float below = std::floor(product);
  if (product - below == 0.5f) {
    const auto lower = static_cast<int32_t>(below);
    if (element.finish(lower) != element.finish(lower + 1)) {
      element.hit(points, lower % 2 == 0 ? "tie to lower" : "tie to upper");
    }
  }
  const auto signed_value = [&](int32_t value) { return element.accumulator < 0 ? -value : value; };
  // float32(accumulator) * scale, rounded once.
  const auto exact_magnitude = static_cast<uint64_t>(std::abs(static_cast<double>(converted)));
  if (element.shows(signed_value(nearest_even(exact_magnitude * mantissa, element.scale.shift)))) {
    element.hit(points, "product");
  }
  const uint32_t magnitude = numerics::magnitude(element.accumulator);
  const int dropped = 8 - std::countl_zero(magnitude);
  if (magnitude == 0 || dropped <= 0) {
    return;
  }
  const auto with_conversion = [&](uint32_t significand) {
    const float other = static_cast<float>(significand) * std::ldexp(scale, dropped);
    return signed_value(static_cast<int32_t>(std::nearbyint(other)));
  };
  const uint32_t truncated = magnitude >> dropped;
  if (element.shows(with_conversion(truncated))) {
    element.hit(points, "conversion");
  }
  const bool is_tie = magnitude - (truncated << dropped) == uint32_t{1} << (dropped - 1);
  if (is_tie && element.shows(with_conversion(truncated + 1 - truncated % 2))) {
    element.hit(points, "conversion tie");
  }
}

void measure_scale(const Element& element, CoveragePoints& points) {
  const ChannelScale scale = element.scale;
  const bool is_float32 = element.stage.rounding == Rounding::kFloat32TiesEven;
  const int32_t smallest = is_float32 ? int32_t{1} << 23 : int32_t{1} << 30;
  const int32_t largest = is_float32 ? (int32_t{1} << 24) - 1 : INT32_MAX;
  if ((scale.multiplier > smallest && element.shows_with({scale.multiplier - 1, scale.shift})) ||
      (scale.multiplier < largest && element.shows_with({scale.multiplier + 1, scale.shift}))) {
    element.hit(points, "last unit");
  }
  if (is_float32) {
    return;  // its shift is the exponent of a float32 and has no ends to speak of
  }
  constexpr int32_t kAlwaysSaturates = 8;
  const bool shows =
      scale.shift > kAlwaysSaturates
          ? element.accumulator != 0
          : (scale.shift > -31 && element.shows_with({scale.multiplier, scale.shift - 1})) ||
                element.shows_with({scale.multiplier, scale.shift + 1});
  if (shows) {
    points.add("shift",
               fmt::format("{} {}", numerics::rounding_name(element.stage.rounding), scale.shift));
  }
}

void measure_limits(const Element& element, CoveragePoints& points) {
  const int32_t accumulator = element.accumulator;
  if (accumulator == INT32_MAX) points.add("accumulator", "largest");
  if (accumulator == INT32_MIN) points.add("accumulator", "smallest");
  if (static_cast<double>(static_cast<float>(accumulator)) != static_cast<double>(accumulator)) {
    points.add("accumulator", fmt::format("inexact in float32 {}", element.sign()));
  }
  if (element.stage.rounding == Rounding::kFloat32TiesEven) {
    return;
  }
  const int32_t left_shift = std::clamp(element.scale.shift, 0, 31);
  const int64_t shifted = int64_t{accumulator} * (int64_t{1} << left_shift);
  if (shifted != static_cast<int32_t>(shifted)) points.add("engine", "left shift overflows");
  const int64_t sum = int64_t{element.scaled()} + element.stage.zero_point;
  if (sum != static_cast<int32_t>(sum)) points.add("engine", "zero point overflows");
}

// (multiplier, shift), accumulator
using DistinctElement = std::pair<std::pair<int32_t, int32_t>, int32_t>;

// Every accumulator that meets a scale, once, sorted.
std::vector<DistinctElement> distinct_elements(const OutputStage& stage,
                                               std::span<const int32_t> accumulators) {
  std::vector<DistinctElement> elements;
  elements.reserve(accumulators.size());
  const size_t channels = stage.scales.size();
  for (size_t i = 0; i < accumulators.size(); ++i) {
    const ChannelScale scale = stage.scales[i % channels];
    elements.push_back({{scale.multiplier, scale.shift}, accumulators[i]});
  }
  std::sort(elements.begin(), elements.end());
  elements.erase(std::unique(elements.begin(), elements.end()), elements.end());
  return elements;
}

}  // namespace

void measure_requantization(const OutputStage& stage, std::span<const int32_t> accumulators,
                            CoveragePoints& points) {
  for (const auto& [words, accumulator] : distinct_elements(stage, accumulators)) {
    const ChannelScale scale{words.first, words.second};
    const Element element{stage, scale, accumulator};
    measure_limits(element, points);
    if (scale.multiplier == 0) {
      points.add("shift", fmt::format("{} zero", numerics::rounding_name(stage.rounding)));
      continue;
    }
    measure_scale(element, points);
    switch (stage.rounding) {
      case Rounding::kDoubleTiesUp:
      case Rounding::kDoubleTiesAway:
        measure_double(element, points);
        break;
      case Rounding::kSingle:
        measure_single(element, points);
        break;
      case Rounding::kFloat32TiesEven:
        measure_float32(element, points);
        break;
    }
  }
}

std::vector<ChannelScale> complete_ladders(const OutputStage& stage,
                                           std::span<const int32_t> accumulators) {
  std::vector<ChannelScale> complete;
  const std::vector<DistinctElement> elements = distinct_elements(stage, accumulators);
  for (auto first = elements.begin(); first != elements.end();) {
    const auto end = std::find_if(first, elements.end(), [&](const DistinctElement& element) {
      return element.first != first->first;
    });
    const ChannelScale scale{first->first.first, first->first.second};
    const auto unclamped = [&](int32_t accumulator) {
      return int64_t{numerics::scale_accumulator(accumulator, scale, stage.rounding)} +
             stage.zero_point;
    };
    // The run of consecutive steps around 0, which gives the zero point and so lies inside.
    const auto zero = std::lower_bound(first, end, DistinctElement{first->first, 0});
    if (zero != end && zero->second == 0) {
      auto bottom = zero;
      auto top = zero;
      while (std::next(top) != end && std::next(top)->second == top->second + 1) ++top;
      while (bottom != first && std::prev(bottom)->second == bottom->second - 1) --bottom;
      if (unclamped(bottom->second) < stage.activation_min &&
          unclamped(top->second) > stage.activation_max) {
        complete.push_back(scale);
      }
    }
    first = end;
  }
  return complete;
}

}  // namespace lockstep::conformance
