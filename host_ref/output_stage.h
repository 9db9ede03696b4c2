// The end of a kernel.
#pragma once

#include <cstdint>
#include <span>

#include "graph/lowered_graph.h"

namespace lockstep::host_ref {

// clamp(zero_point + round(accumulator * scales[channel])).
inline int8_t finish_accumulator(const graph::OutputStage& stage, size_t channel,
                                 int32_t accumulator) {
  return static_cast<int8_t>(numerics::requantize(accumulator, stage.scales[channel],
                                                  stage.rounding, stage.zero_point,
                                                  stage.activation_min, stage.activation_max));
}

// The same for a whole tensor whose innermost dimension is the channel.
inline void finish_accumulators(const graph::OutputStage& stage,
                                std::span<const int32_t> accumulators, std::span<int8_t> output) {
  const size_t channels = stage.scales.size();
  for (size_t first = 0; first < accumulators.size(); first += channels) {
    for (size_t channel = 0; channel < channels; ++channel) {
      output[first + channel] = finish_accumulator(stage, channel, accumulators[first + channel]);
    }
  }
}

}  // namespace lockstep::host_ref
