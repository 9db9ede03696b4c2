// Channels that were equalized (channel_equalization.h), for whoever compares them with the
// channels of the network that was not.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace lockstep::quantization {

// Activations whose channels have other values than before have this behind their names, so that
// nobody takes them for the float network's.
inline constexpr std::string_view kEqualizedSuffix = "_equalized";
// Whether an activation of that name is one of them.
inline bool is_equalized(std::string_view name) { return name.ends_with(kEqualizedSuffix); }
// Factors are powers of two, and the largest is 2 to this.
inline constexpr int kLargestEqualizationExponent = 6;

// Finds the factors again by what channels are seen with. Quantization noise does not hide them: a
// factor and the next one are 6 dB apart.
class EqualizedChannels {
 public:
  // `channels`: the extent of the last dimension.
  explicit EqualizedChannels(size_t channels) : plain_(channels), equalized_(channels) {}

  // Divides the equalized values of one more sample by their channels' factors. Preconditions: as
  // many values of both kinds, whole rows of channels.
  void undo(std::span<const float> plain, std::span<float> equalized);

 private:
  // Sums of squares of each channel.
  std::vector<double> plain_;
  std::vector<double> equalized_;
};

}  // namespace lockstep::quantization
