#include "backend/cpu/testing/convolutions.h"

#include <algorithm>
#include <cmath>

namespace lockstep::backend::cpu::testing {

graph::OutputStage random_output_stage(backend::testing::RandomValues& random, int32_t channels,
                                       int32_t products) {
  graph::OutputStage stage;
  stage.rounding = numerics::kAllRoundings[static_cast<size_t>(random.between(0, 3))];
  stage.stores_accumulators = random.between(0, 6) == 0;
  stage.zero_point = random.zero_point();
  stage.activation_min = random.pick({-128, -128, random.between(-128, 127)});
  stage.activation_max = std::max(stage.activation_min, random.pick({127, 127, 50}));
  // So that most results do not saturate; powers of two make ties; a scale beyond 1 takes the
  // general form.
  const double usual = 0.02 / std::sqrt(products);
  for (int32_t channel = 0; channel < channels; ++channel) {
    const double scale =
        random.pick({usual, usual * random.between(1, 100) / 50.0, 1.0 / 1024, 1.0 / 256, 0.25});
    stage.scales.push_back(numerics::channel_scale(scale, stage.rounding));
  }
  if (random.between(0, 6) == 0) {
    stage.scales.front() = numerics::channel_scale(1000.0, stage.rounding);
  }
  return stage;
}

}  // namespace lockstep::backend::cpu::testing
