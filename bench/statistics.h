// What single times come to.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace lockstep::bench {

// The value below which `share` (0 to 1) of the values lie, between neighbours in proportion; 0 for
// no values.
double quantile(std::span<const double> values, double share);
inline double median(std::span<const double> values) { return quantile(values, 0.5); }

// Of many times of the same work.
struct TimeSummary {
  size_t samples = 0;
  double median_seconds = 0;
  double p95_seconds = 0;
  double minimum_seconds = 0;
};
TimeSummary summarise(std::span<const double> seconds);

// value = exp(intercept) * factor_0^exponents[0] * factor_1^exponents[1] * ..., fitted to
// logarithms by least squares.
struct PowerLaw {
  std::vector<double> exponents;
  double intercept = 0;
  double r_squared = 0;  // share of the logarithms' variance that the law explains
};
// One row of factors for each value, all of one length, all numbers positive. Exponents are 0 where
// the rows do not determine them.
PowerLaw fit_power_law(std::span<const std::vector<double>> factors,
                       std::span<const double> values);

// value = constant + slope * factor, the constant not negative. Weighted by 1 / value^2, so that
// relative errors count and small values say as much as large ones.
struct Line {
  double constant = 0;
  double slope = 0;
};
Line fit_line(std::span<const double> factors, std::span<const double> values);

}  // namespace lockstep::bench
