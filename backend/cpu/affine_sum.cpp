#include "backend/cpu/affine_sum.h"

#include <array>
#include <cmath>
#include <cstdlib>

#include "backend/cpu/operation.h"
#include "numerics/requantization.h"

namespace lockstep::backend::cpu {
namespace {

constexpr int32_t kHalfBits = 15;

// left * multipliers[0] + right * multipliers[1] + addend, of which `bits` are behind the point.
struct Line {
  std::array<int64_t, 2> multipliers{};
  int64_t addend = 0;
  int32_t bits = 0;

  int64_t at(int64_t left, int64_t right) const {
    return left * multipliers[0] + right * multipliers[1] + addend;
  }
};

// None where a part does not fit.
std::optional<AffineSum> in_halves(const Line& line, const graph::OutputStage& stage) {
  constexpr int64_t kMultiplierLimit = int64_t{1} << (2 * kHalfBits);
  constexpr int32_t kMostBits = 29;
  constexpr int64_t kWholeLimit = 30000;  // of the sum, saturated at 32767, 255 are left
  const auto fits = [](int64_t multiplier) {
    return multiplier >= 0 && multiplier < kMultiplierLimit;
  };
  const int64_t whole = line.addend >> line.bits;
  if (line.bits < kHalfBits || line.bits > kMostBits || !fits(line.multipliers[0]) ||
      !fits(line.multipliers[1]) || std::abs(whole) > kWholeLimit) {
    return std::nullopt;
  }
  const auto high = [](int64_t multiplier) {
    return static_cast<int32_t>(multiplier >> kHalfBits);
  };
  const auto low = [](int64_t multiplier) {
    return static_cast<int32_t>(multiplier & ((1 << kHalfBits) - 1));
  };
  return AffineSum{.left_high = high(line.multipliers[0]),
                   .left_low = low(line.multipliers[0]),
                   .right_high = high(line.multipliers[1]),
                   .right_low = low(line.multipliers[1]),
                   .fraction = static_cast<int32_t>(line.addend - (whole << line.bits)),
                   .shift = line.bits - kHalfBits,
                   .whole = static_cast<int32_t>(whole),
                   .minimum = stage.activation_min + 128,
                   .maximum = stage.activation_max + 128};
}

// A pair of bytes where a line leaves the results, and by how much it does.
struct Miss {
  int32_t left = 0;
  int32_t right = 0;
  int64_t excess = 0;  // below where it should be: negative
};

Miss worst_miss(const Line& line, const PairTable& results, const AffineSum& bounds) {
  const int64_t one = int64_t{1} << line.bits;
  Miss worst;
  for (int32_t left = 0; left < 256; ++left) {
    for (int32_t right = 0; right < 256; ++right) {
      const int32_t result = results[static_cast<size_t>(left * 256 + right)];
      const int64_t beyond = line.at(left, right) - result * one;
      // Where the result is clamped, the line may be anywhere behind.
      const int64_t excess = beyond < 0 && result > bounds.minimum      ? beyond
                             : beyond >= one && result < bounds.maximum ? beyond - one + 1
                                                                        : 0;
      if (std::abs(excess) > std::abs(worst.excess)) {
        worst = {left, right, excess};
      }
    }
  }
  return worst;
}

double real_scale(numerics::ChannelScale scale) {
  return std::ldexp(scale.multiplier, scale.shift - 31);
}

// The line that the definition would be if it rounded once, and its corrections.
class LineSearch {
 public:
  explicit LineSearch(const graph::LoweredAdd& add)
      : zero_points_{add.left_zero_point + 128.0, add.right_zero_point + 128.0} {
    if (add.output_stage.rounding == numerics::Rounding::kFloat32TiesEven) return;
    const double common = std::ldexp(real_scale(add.output_stage.scales.front()), add.left_shift);
    multipliers_ = {real_scale(add.left_scale) * common, real_scale(add.right_scale) * common};
    const double larger = std::max(multipliers_[0], multipliers_[1]);
    const double smaller = std::min(multipliers_[0], multipliers_[1]);
    if (!(smaller > 0.0) || !(larger < kLargest)) return;
    bits_ = std::min(kMostBits, kMostBits - std::ilogb(larger));
    // Negative ties go down where they go away from zero: all results are stretched a little.
    const bool rounds_up = add.output_stage.rounding == numerics::Rounding::kSingle ||
                           add.output_stage.rounding == numerics::Rounding::kDoubleTiesUp;
    const double stretch =
        rounds_up ? 1.0 : 1.0 + std::max(kSmallestStretch, std::ldexp(1.0 / smaller, -bits_));
    for (double& multiplier : multipliers_) {
      multiplier = std::ldexp(multiplier * stretch, bits_);
    }
    constant_ = std::ldexp(0.5 + 128.0 + add.output_stage.zero_point, bits_);
  }

  bool is_possible() const { return bits_ > 0; }

  Line line() const {
    Line made{.multipliers = {std::llrint(multipliers_[0]), std::llrint(multipliers_[1])},
              .addend = std::llrint(constant_),
              .bits = bits_};
    for (size_t i = 0; i < 2; ++i) {
      made.addend -= static_cast<int64_t>(zero_points_[i]) * made.multipliers[i];
    }
    return made;
  }

  // The smallest change that takes the line to the right side of the miss, and a little further.
  void correct(const Miss& miss) {
    constexpr double kMargin = 8.0;
    constexpr double kConstantWeight = 64.0;  // the constant's change, like that of a large operand
    const std::array<double, 2> operands = {miss.left - zero_points_[0],
                                            miss.right - zero_points_[1]};
    const auto excess = static_cast<double>(miss.excess);
    const double step =
        (excess + std::copysign(kMargin, excess)) /
        (operands[0] * operands[0] + operands[1] * operands[1] + kConstantWeight * kConstantWeight);
    multipliers_[0] -= step * operands[0];
    multipliers_[1] -= step * operands[1];
    constant_ -= step * kConstantWeight * kConstantWeight;
  }

 private:
  static constexpr int32_t kMostBits = 29;
  static constexpr double kLargest = 64.0;
  static constexpr double kSmallestStretch = 0x1p-27;

  std::array<double, 2> zero_points_;
  std::array<double, 2> multipliers_{};
  double constant_ = 0.0;
  int32_t bits_ = 0;
};

}  // namespace

// shared_bias + (left - 128) * left_multiplier + (right - 128) * right_multiplier.
std::optional<AffineSum> affine_sum_of_shared_shift(const graph::LoweredAdd& add) {
  const int64_t left = add.left_scale.multiplier;
  const int64_t right = add.right_scale.multiplier;
  const int64_t output_zero_point = add.output_stage.zero_point + 128;
  const int32_t extra_bits = std::max(kHalfBits - add.shared_shift, 0);
  const auto scaled = [extra_bits](int64_t value) { return value * (int64_t{1} << extra_bits); };
  const int64_t addend =
      add.shared_bias - 128 * (left + right) + output_zero_point * (int64_t{1} << add.shared_shift);
  return in_halves({.multipliers = {scaled(left), scaled(right)},
                    .addend = scaled(addend),
                    .bits = add.shared_shift + extra_bits},
                   add.output_stage);
}

std::optional<AffineSum> affine_sum_of_rescaled_operands(const graph::LoweredAdd& add,
                                                         const PairTable& results) {
  constexpr int kAttempts = 16;
  LineSearch search(add);
  if (!search.is_possible()) return std::nullopt;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const Line line = search.line();
    const std::optional<AffineSum> sum = in_halves(line, add.output_stage);
    if (!sum) return std::nullopt;
    const Miss miss = worst_miss(line, results, *sum);
    if (miss.excess == 0) return sum;
    search.correct(miss);
  }
  return std::nullopt;
}

}  // namespace lockstep::backend::cpu
