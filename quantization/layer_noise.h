// How much noise rounding to int8 puts into what a layer makes, predicted from what was observed.
#pragma once

#include <cstddef>
#include <span>

namespace lockstep::quantization {

// The weights of a convolution (OHWI), a depthwise one (1HWC) or a fully connected layer (rows of
// one output channel; an image that is flattened on its way in has many columns for a channel).
struct LayerWeights {
  std::span<const float> values;
  size_t input_channels = 0;
  size_t output_channels = 0;
  bool is_depthwise = false;
  bool has_one_scale = false;  // for all output channels

  // Which input channel element `i` of the weights reads, and which output channel it makes.
  size_t input_channel(size_t i) const;
  size_t output_channel(size_t i) const;
};

// What the layer's input and output were seen with, as the float network computes them.
struct LayerObservations {
  std::span<const double> input_mean_square;   // of each channel
  std::span<const double> output_mean_square;  // likewise
  double largest_input = 0;                    // magnitude, where the input's scale is chosen
};

// Where input channel c has the factor s[c] (channel_equalization.h), the mean over output channels
// o of noise by signal, since nobody knows which of them matter:
//   signal  mean square[o], at least 1 % of the mean of all
//   noise   input    sum over c, taps of (W[o, c] / s[c])^2 * step^2 / 12,
//                    step = largest input / 255, with its factors
//           weights  step[o]^2 / 12 * sum over c, taps of s[c]^2 * mean square[c],
//                    step[o] = max over c, taps of |W[o, c]| / s[c] / 127
// A depthwise convolution has one input channel for each of its scales, which take up its factor:
// the second noise stays as it is, and is left out. 0 where there is no signal.
double predicted_noise(const LayerWeights& weights, const LayerObservations& observations,
                       std::span<const double> factors);

}  // namespace lockstep::quantization
