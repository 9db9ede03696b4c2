#include "quantization/error_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lockstep::quantization {

void ErrorStatistics::add(std::span<const float> expected, std::span<const float> actual) {
  ++samples_;
  elements_ += expected.size();
  for (size_t i = 0; i < expected.size(); ++i) {
    const double a = expected[i];
    const double b = actual[i];
    const double error = b - a;
    if (!std::isfinite(error)) {  // so is not every one of both
      const bool is_same = a == b || (std::isnan(a) && std::isnan(b));
      incomparable_ += is_same ? 0 : 1;
      continue;
    }
    largest_error_ = std::max(largest_error_, std::abs(error));
    error_ += error;
    squared_error_ += error * error;
    expected_energy_ += a * a;
    actual_energy_ += b * b;
    product_ += a * b;
  }
}

void ErrorStatistics::add(const ErrorStatistics& other) {
  samples_ += other.samples_;
  elements_ += other.elements_;
  incomparable_ += other.incomparable_;
  largest_error_ = std::max(largest_error_, other.largest_error_);
  error_ += other.error_;
  squared_error_ += other.squared_error_;
  expected_energy_ += other.expected_energy_;
  actual_energy_ += other.actual_energy_;
  product_ += other.product_;
}

double ErrorStatistics::mean_error() const {
  return elements_ == 0 ? 0 : error_ / static_cast<double>(elements_);
}

double ErrorStatistics::l2() const {
  return samples_ == 0 ? 0 : std::sqrt(squared_error_ / static_cast<double>(samples_));
}

double ErrorStatistics::sqnr() const {
  if (squared_error_ == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(expected_energy_ / squared_error_);
}

double ErrorStatistics::cosine() const {
  if (expected_energy_ == 0 && actual_energy_ == 0) return 1;
  if (expected_energy_ == 0 || actual_energy_ == 0) return 0;
  return product_ / (std::sqrt(expected_energy_) * std::sqrt(actual_energy_));
}

}  // namespace lockstep::quantization
