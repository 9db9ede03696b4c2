#include "backend/cpu/panels.h"

#include <algorithm>

#include "backend/cpu/integer_division.h"

namespace lockstep::backend::cpu {

Panels::Panels(const GemmKernel& kernel, std::span<const int8_t> weights, size_t channels,
               size_t depth) {
  const auto panel_channels = static_cast<size_t>(kernel.panel_channels);
  const auto panel_depth = static_cast<size_t>(kernel.panel_depth);
  const auto block = static_cast<size_t>(kernel.depth_block);
  count_ = divide_up(channels, panel_channels);
  depth_ = round_up(depth, panel_depth);
  panel_bytes_ = depth_ * panel_channels;
  bytes_ = AlignedArray<int8_t>(count_ * panel_bytes_);
  for (size_t channel = 0; channel < channels; ++channel) {
    int8_t* panel = bytes_.data() + channel / panel_channels * panel_bytes_;
    const size_t lane = channel % panel_channels;
    const int8_t* row = weights.data() + channel * depth;
    for (size_t k = 0; k < depth; k += block) {
      std::copy_n(row + k, std::min(block, depth - k), panel + k * panel_channels + lane * block);
    }
  }
}

}  // namespace lockstep::backend::cpu
