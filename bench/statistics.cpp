#include "bench/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lockstep::bench {
namespace {

// Solves a * x = b by elimination with pivots; an unknown without a pivot is 0.
std::vector<double> solve(std::vector<std::vector<double>> a, std::vector<double> b) {
  constexpr double kNothing = 1e-9;
  const size_t size = b.size();
  std::vector<bool> is_used(size, false);
  std::vector<size_t> row_of(size, size);
  for (size_t column = 0; column < size; ++column) {
    size_t pivot = size;
    for (size_t row = 0; row < size; ++row) {
      if (!is_used[row] &&
          (pivot == size || std::abs(a[row][column]) > std::abs(a[pivot][column]))) {
        pivot = row;
      }
    }
    if (pivot == size || std::abs(a[pivot][column]) < kNothing) continue;
    is_used[pivot] = true;
    row_of[column] = pivot;
    for (size_t row = 0; row < size; ++row) {
      if (row == pivot) continue;
      const double factor = a[row][column] / a[pivot][column];
      for (size_t i = 0; i < size; ++i) a[row][i] -= factor * a[pivot][i];
      b[row] -= factor * b[pivot];
    }
  }
  std::vector<double> solution(size, 0.0);
  for (size_t column = 0; column < size; ++column) {
    if (row_of[column] < size) solution[column] = b[row_of[column]] / a[row_of[column]][column];
  }
  return solution;
}

}  // namespace

double quantile(std::span<const double> values, double share) {
  if (values.empty()) return 0;
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  const double position = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], position - static_cast<double>(below));
}

TimeSummary summarise(std::span<const double> seconds) {
  return {.samples = seconds.size(),
          .median_seconds = median(seconds),
          .p95_seconds = quantile(seconds, 0.95),
          .minimum_seconds = quantile(seconds, 0.0)};
}

PowerLaw fit_power_law(std::span<const std::vector<double>> factors,
                       std::span<const double> values) {
  if (values.empty()) return {};
  const size_t unknowns = factors.front().size() + 1;  // the last one is the intercept
  std::vector<std::vector<double>> normal(unknowns, std::vector<double>(unknowns, 0.0));
  std::vector<double> right(unknowns, 0.0);
  std::vector<std::vector<double>> rows;
  std::vector<double> logarithms;
  for (size_t i = 0; i < values.size(); ++i) {
    std::vector<double> row;
    for (const double factor : factors[i]) row.push_back(std::log(factor));
    row.push_back(1.0);
    logarithms.push_back(std::log(values[i]));
    for (size_t j = 0; j < unknowns; ++j) {
      right[j] += row[j] * logarithms[i];
      for (size_t k = 0; k < unknowns; ++k) normal[j][k] += row[j] * row[k];
    }
    rows.push_back(std::move(row));
  }
  const std::vector<double> solution = solve(std::move(normal), std::move(right));
  const double mean = std::accumulate(logarithms.begin(), logarithms.end(), 0.0) /
                      static_cast<double>(logarithms.size());
  double unexplained = 0;
  double total = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const double fitted = std::inner_product(rows[i].begin(), rows[i].end(), solution.begin(), 0.0);
    unexplained += (logarithms[i] - fitted) * (logarithms[i] - fitted);
    total += (logarithms[i] - mean) * (logarithms[i] - mean);
  }
  PowerLaw law;
  law.exponents.assign(solution.begin(), solution.end() - 1);
  law.intercept = solution.back();
  law.r_squared = total > 0 ? 1.0 - unexplained / total : 1.0;
  return law;
}

Line fit_line(std::span<const double> factors, std::span<const double> values) {
  double w = 0;
  double wx = 0;
  double wy = 0;
  double wxx = 0;
  double wxy = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double weight = 1.0 / (values[i] * values[i]);
    w += weight;
    wx += weight * factors[i];
    wy += weight * values[i];
    wxx += weight * factors[i] * factors[i];
    wxy += weight * factors[i] * values[i];
  }
  const double determinant = w * wxx - wx * wx;
  if (values.empty() || wxx == 0) return {};
  Line line;
  if (std::abs(determinant) > 1e-12 * w * wxx) {
    line.slope = (w * wxy - wx * wy) / determinant;
    line.constant = (wy - line.slope * wx) / w;
  }
  if (line.constant < 0 || line.slope == 0) line = {.constant = 0, .slope = wxy / wxx};
  return line;
}

}  // namespace lockstep::bench
