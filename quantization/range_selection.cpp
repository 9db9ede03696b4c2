#include "quantization/range_selection.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace lockstep::quantization {
namespace {

constexpr std::array<std::pair<RangeMethod, std::string_view>, 4> kNames = {{
    {RangeMethod::kMinMax, "minmax"},
    {RangeMethod::kPercentile, "percentile"},
    {RangeMethod::kMse, "mse"},
    {RangeMethod::kEntropy, "entropy"},
}};

constexpr graph::IntegerRange kInt8 = {.minimum = -128, .maximum = 127};
constexpr size_t kLevels = 256;
// An end of the range is one of this many fractions of the seen one. The smallest leaves every
// integer a bin of its own at least.
constexpr int kFractions = 128;
constexpr int kSmallestFraction = 4;
static_assert(Histogram::kBins / 2 / kFractions * kSmallestFraction >= kLevels);

// For the entropy method, of what is not zero.
constexpr double kMostClipped = 0.01;

// The value below which `rank` of the values lie.
double value_at_rank(std::span<const Histogram::Bin> bins, uint64_t zeros, double rank) {
  double below = 0;
  bool zeros_are_passed = zeros == 0;
  for (const Histogram::Bin& bin : bins) {
    if (!zeros_are_passed && bin.lower >= 0) {
      zeros_are_passed = true;
      below += static_cast<double>(zeros);
      if (below >= rank) return 0;
    }
    const auto count = static_cast<double>(bin.count);
    if (below + count >= rank) {
      return bin.lower + (bin.upper - bin.lower) * std::clamp((rank - below) / count, 0.0, 1.0);
    }
    below += count;
  }
  return zeros_are_passed && !bins.empty() ? bins.back().upper : 0;
}

TensorRange percentile_range(const Histogram& histogram, double percentile) {
  const std::vector<Histogram::Bin> bins = histogram.bins();
  const auto count = static_cast<double>(histogram.count());
  const double cut = std::clamp((100.0 - percentile) / 200.0, 0.0, 0.5);
  return {.minimum = static_cast<float>(value_at_rank(bins, histogram.zeros(), cut * count)),
          .maximum = static_cast<float>(value_at_rank(bins, histogram.zeros(), (1 - cut) * count))};
}

// Bins with running sums, so that what some neighbours have together is one subtraction.
class BinSums {
 public:
  explicit BinSums(std::span<const Histogram::Bin> bins) {
    for (const Histogram::Bin& bin : bins) {
      const auto count = static_cast<double>(bin.count);
      const double centre = bin.centre();
      centres_.push_back(centre);
      sums_.push_back(sums_.back() + Sums{.count = count,
                                          .first_moment = count * centre,
                                          .second_moment = count * centre * centre,
                                          .information = count * std::log(count)});
    }
  }

  struct Sums {
    double count = 0;
    double first_moment = 0;   // of count * centre
    double second_moment = 0;  // of count * centre^2
    double information = 0;    // of count * log(count)

    Sums operator+(const Sums& other) const {
      return {count + other.count, first_moment + other.first_moment,
              second_moment + other.second_moment, information + other.information};
    }
    Sums operator-(const Sums& other) const {
      return {count - other.count, first_moment - other.first_moment,
              second_moment - other.second_moment, information - other.information};
    }
  };

  size_t size() const { return centres_.size(); }
  // The first bin whose centre is not below `value`.
  size_t bin_from(double value) const {
    return static_cast<size_t>(std::lower_bound(centres_.begin(), centres_.end(), value) -
                               centres_.begin());
  }
  Sums between(size_t begin, size_t end) const { return sums_[end] - sums_[begin]; }

 private:
  std::vector<double> centres_;
  std::vector<Sums> sums_ = {{}};  // [i]: of the bins below i
};

// Calls visit(value, begin, end) for all integers: what each stands for, and the bins that are
// rounded to it, clipped ones included.
template <typename Visit>
void for_each_level(const BinSums& bins, TensorRange range, Visit&& visit) {
  const Affine affine = affine_of(range, kInt8);
  const double scale = affine.scale;
  size_t begin = 0;
  for (int64_t quantized = kInt8.minimum; quantized <= kInt8.maximum; ++quantized) {
    const auto distance = static_cast<double>(quantized - affine.zero_point);
    const size_t end =
        quantized == kInt8.maximum ? bins.size() : bins.bin_from((distance + 0.5) * scale);
    visit(distance * scale, begin, end);
    begin = end;
  }
}

// sum of count * (centre - value)^2 = second moment - 2 * value * first moment + value^2 * count
double squared_error(const BinSums& bins, TensorRange range) {
  double error = 0;
  for_each_level(bins, range, [&](double value, size_t begin, size_t end) {
    const BinSums::Sums sums = bins.between(begin, end);
    error += sums.second_moment - 2 * value * sums.first_moment + value * value * sums.count;
  });
  return error;
}

// With n[i] the count of a bin, N that of all bins, P's counts c (n, and at both ends what was
// clipped), C and B count and bins of the integer that a bin is rounded to, and I all counts
// inside:
//   sum of p log(p / q) = 1/N * (sum of c log(c) - sum of c log(C / B)) + log(I / N)
// where C / B is the same for all bins of an integer. Infinite where too much is clipped.
double divergence(const BinSums& bins, TensorRange range) {
  const size_t inside_begin = bins.bin_from(double{range.minimum});
  const size_t inside_end =
      bins.bin_from(std::nextafter(double{range.maximum}, std::numeric_limits<double>::infinity()));
  if (inside_begin >= inside_end) return std::numeric_limits<double>::infinity();
  const double below = bins.between(0, inside_begin).count;
  const double above = bins.between(inside_end, bins.size()).count;
  const BinSums::Sums inside = bins.between(inside_begin, inside_end);
  const double all = below + inside.count + above;
  if (below + above > kMostClipped * all) return std::numeric_limits<double>::infinity();

  double information = inside.information;
  const auto add_clipped = [&](size_t bin, double clipped) {
    const double count = bins.between(bin, bin + 1).count;
    information += (count + clipped) * std::log(count + clipped) - count * std::log(count);
  };
  if (inside_end - inside_begin == 1) {
    add_clipped(inside_begin, below + above);
  } else {
    add_clipped(inside_begin, below);
    add_clipped(inside_end - 1, above);
  }
  for_each_level(bins, range, [&](double, size_t begin, size_t end) {
    begin = std::clamp(begin, inside_begin, inside_end);
    end = std::clamp(end, inside_begin, inside_end);
    if (begin == end) return;
    const double count = bins.between(begin, end).count;
    double with_clipped = count;
    if (begin == inside_begin) with_clipped += below;
    if (end == inside_end) with_clipped += above;
    information -= with_clipped * std::log(count / static_cast<double>(end - begin));
  });
  return information / all + std::log(inside.count / all);
}

// The range with the least cost, where cost(range) is some function of a range.
template <typename Cost>
TensorRange search(TensorRange seen, Cost&& cost) {
  struct Fractions {
    int lower = kFractions;
    int upper = kFractions;
  };
  const auto range_at = [&](Fractions fractions) {
    const auto part = [](float end, int fraction) {
      return end * (static_cast<float>(fraction) / static_cast<float>(kFractions));
    };
    return TensorRange{.minimum = part(seen.minimum, fractions.lower),
                       .maximum = part(seen.maximum, fractions.upper)};
  };
  Fractions best;
  double least = cost(range_at(best));
  // Whether a fraction for one end, or for both, is better than what there was.
  const auto improve = [&](bool lower, bool upper) {
    bool has_improved = false;
    const Fractions start = best;
    for (int fraction = kSmallestFraction; fraction <= kFractions; ++fraction) {
      const Fractions candidate = {.lower = lower ? fraction : start.lower,
                                   .upper = upper ? fraction : start.upper};
      const double candidate_cost = cost(range_at(candidate));
      if (candidate_cost < least) {
        least = candidate_cost;
        best = candidate;
        has_improved = true;
      }
    }
    return has_improved;
  };
  if (seen.minimum >= 0 || seen.maximum <= 0) {
    improve(true, true);  // the other end is zero
    return range_at(best);
  }
  improve(true, true);
  constexpr int kRounds = 4;
  for (int round = 0; round < kRounds; ++round) {
    const bool has_lower = improve(true, false);
    const bool has_upper = improve(false, true);
    if (!has_lower && !has_upper) break;
  }
  return range_at(best);
}

}  // namespace

std::string_view range_method_name(RangeMethod method) {
  return std::find_if(kNames.begin(), kNames.end(),
                      [method](const auto& entry) { return entry.first == method; })
      ->second;
}

std::optional<RangeMethod> parse_range_method(std::string_view name) {
  for (const auto& [method, method_name] : kNames) {
    if (method_name == name) return method;
  }
  return std::nullopt;
}

TensorRange choose_range(const Histogram& histogram, const RangeOptions& options) {
  const TensorRange seen = widened(histogram.range());
  if (histogram.count() == histogram.zeros()) return seen;
  switch (options.method) {
    case RangeMethod::kMinMax:
      return seen;
    case RangeMethod::kPercentile: {
      const TensorRange kept = percentile_range(histogram, options.percentile);
      // Where almost everything is zero, nothing else might be left.
      return kept.minimum < 0 || kept.maximum > 0 ? widened(kept) : seen;
    }
    case RangeMethod::kMse: {
      const BinSums bins(histogram.bins());
      return search(seen, [&](TensorRange range) { return squared_error(bins, range); });
    }
    case RangeMethod::kEntropy: {
      const BinSums bins(histogram.bins());
      return search(seen, [&](TensorRange range) { return divergence(bins, range); });
    }
  }
  return seen;
}

}  // namespace lockstep::quantization
