#include "quantization/equalized_channels.h"

#include <algorithm>
#include <cmath>

namespace lockstep::quantization {

void EqualizedChannels::undo(std::span<const float> plain, std::span<float> equalized) {
  const size_t channels = plain_.size();
  if (channels == 0) return;
  for (size_t i = 0; i < plain.size(); ++i) {
    if (!std::isfinite(plain[i]) || !std::isfinite(equalized[i])) continue;
    plain_[i % channels] += double{plain[i]} * double{plain[i]};
    equalized_[i % channels] += double{equalized[i]} * double{equalized[i]};
  }
  std::vector<float> inverses;
  for (size_t c = 0; c < channels; ++c) {
    const bool is_known = plain_[c] > 0 && equalized_[c] > 0;
    // Half of the logarithm: these are squares.
    const double exponent = is_known ? std::round(std::log2(equalized_[c] / plain_[c]) / 2) : 0;
    inverses.push_back(static_cast<float>(
        std::exp2(-std::clamp(exponent, 0.0, double{kLargestEqualizationExponent}))));
  }
  for (size_t i = 0; i < equalized.size(); ++i) equalized[i] *= inverses[i % channels];
}

}  // namespace lockstep::quantization
