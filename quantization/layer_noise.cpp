#include "quantization/layer_noise.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "quantization/affine.h"

namespace lockstep::quantization {
namespace {

// Output channels that hardly ever differ from zero do not count more than this lets them.
constexpr double kLeastSignal = 0.01;
// The variance of rounding to a step of 1.
constexpr double kRoundingVariance = 1.0 / 12;
constexpr double kActivationSteps = 255;

// Of everything that an output element of a dense layer is made of.
double input_energy(const LayerWeights& weights, std::span<const double> mean_square,
                    std::span<const double> factors) {
  const size_t row = weights.values.size() / weights.output_channels;
  double energy = 0;
  for (size_t i = 0; i < row; ++i) {
    const size_t c = weights.input_channel(i);
    energy += factors[c] * factors[c] * mean_square[c];
  }
  return energy;
}

}  // namespace

size_t LayerWeights::input_channel(size_t i) const {
  if (is_depthwise) return i % output_channels / (output_channels / input_channels);
  return i % (values.size() / output_channels) % input_channels;
}

size_t LayerWeights::output_channel(size_t i) const {
  return is_depthwise ? i % output_channels : i / (values.size() / output_channels);
}

double predicted_noise(const LayerWeights& weights, const LayerObservations& observations,
                       std::span<const double> factors) {
  const std::span<const double> signals = observations.output_mean_square;
  const double mean_signal = std::accumulate(signals.begin(), signals.end(), 0.0) /
                             static_cast<double>(std::max<size_t>(signals.size(), 1));
  if (!(mean_signal > 0)) return 0;
  std::vector<double> squares(weights.output_channels, 0.0);
  std::vector<double> steps(weights.output_channels, 0.0);
  for (size_t i = 0; i < weights.values.size(); ++i) {
    const double weight = double{weights.values[i]} / factors[weights.input_channel(i)];
    const size_t o = weights.output_channel(i);
    squares[o] += weight * weight;
    steps[o] = std::max(steps[o], std::abs(weight) / kLargestWeight);
  }
  if (weights.has_one_scale) std::ranges::fill(steps, std::ranges::max(steps));
  const double energy =
      weights.is_depthwise ? 0 : input_energy(weights, observations.input_mean_square, factors);
  const double input_step = observations.largest_input / kActivationSteps;
  double noise = 0;
  for (size_t o = 0; o < weights.output_channels; ++o) {
    const double variance =
        (squares[o] * input_step * input_step + steps[o] * steps[o] * energy) * kRoundingVariance;
    noise += variance / std::max(signals[o], kLeastSignal * mean_signal);
  }
  return noise / static_cast<double>(weights.output_channels);
}

}  // namespace lockstep::quantization
