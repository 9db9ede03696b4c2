#include "backend/cpu/step_line.h"

#include <cstddef>
#include <limits>

namespace lockstep::backend::cpu {
namespace {

// Between which intercepts a line of some slope takes all steps.
struct Intercepts {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();

  double width() const { return most - least; }
};

// At threshold i the line is i + 1 at least, and less than that one before it. `steps`: thresholds
// from number `first` on.
Intercepts intercepts(std::span<const int32_t> steps, double first, double slope) {
  Intercepts found;
  for (const int32_t threshold : steps) {
    const double intercept = ++first - slope * threshold;
    found.least = std::max(found.least, intercept);
    found.most = std::min(found.most, intercept + slope);
  }
  return found;
}

// The slope that leaves most intercepts, whose width is a concave function of it.
double best_slope(std::span<const int32_t> steps, double first) {
  constexpr int kHalvings = 40;
  const double run = static_cast<double>(steps.back()) - steps.front();
  const double rise = static_cast<double>(steps.size()) - 1.0;
  double low = rise / (run + 1.0);
  double high = rise / (run - 1.0);
  for (int i = 0; i < kHalvings; ++i) {
    const double third = (high - low) / 3.0;
    if (intercepts(steps, first, low + third).width() <
        intercepts(steps, first, high - third).width()) {
      low += third;
    } else {
      high -= third;
    }
  }
  return (low + high) / 2.0;
}

bool takes_all_steps(const StepLine& line, std::span<const int32_t> thresholds, int32_t lowest,
                     int32_t highest) {
  const auto reached = [&](int32_t sum) {
    return static_cast<int32_t>(std::ranges::upper_bound(thresholds, sum) - thresholds.begin());
  };
  const auto agrees = [&](int32_t sum) { return line(sum) == reached(sum); };
  return agrees(lowest) && agrees(highest) &&
         std::ranges::all_of(thresholds, [&](int32_t threshold) {
           return threshold <= lowest || threshold > highest ||
                  (agrees(threshold - 1) && agrees(threshold));
         });
}

}  // namespace

std::optional<StepLine> step_line(std::span<const int32_t> thresholds, int32_t lowest,
                                  int32_t highest) {
  // Only thresholds that some sums reach and others do not matter.
  const auto begin = std::ranges::upper_bound(thresholds, lowest);
  const auto end = std::ranges::upper_bound(thresholds, highest);
  const std::span<const int32_t> steps(begin, end);
  if (steps.empty() || int64_t{steps.back()} - steps.front() < 2) return std::nullopt;
  const auto first = static_cast<double>(begin - thresholds.begin());
  const double slope = best_slope(steps, first);
  const Intercepts possible = intercepts(steps, first, slope);
  const StepLine line = {.slope = static_cast<float>(slope),
                         .intercept = static_cast<float>((possible.least + possible.most) / 2.0)};
  if (!takes_all_steps(line, thresholds, lowest, highest)) return std::nullopt;
  return line;
}

}  // namespace lockstep::backend::cpu
