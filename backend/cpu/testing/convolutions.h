// What both kinds of convolution have in common, for tests.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "backend/cpu/testing/operation_runs.h"
#include "backend/testing/random_values.h"
#include "graph/lowered_graph.h"

namespace lockstep::backend::cpu::testing {

// Per-channel values of every kind for `channels` output channels, each of so many `products`.
graph::OutputStage random_output_stage(backend::testing::RandomValues& random, int32_t channels,
                                       int32_t products);

// Weights, zero points and biases for `channels` output channels; with some of them, differences
// of weights and zero points do not fit into a byte.
template <typename Lowered>
void fill_weights(backend::testing::RandomValues& random, int64_t count, int32_t channels,
                  Lowered& convolution) {
  convolution.weights = random_values(count, static_cast<uint32_t>(random.between(0, 1 << 30)));
  const int32_t most = random.pick({0, 0, 3, 128});
  for (int32_t channel = 0; channel < channels; ++channel) {
    convolution.weights_zero_points.push_back(random.between(-most, std::min(most, 127)));
    convolution.bias.push_back(random.pick({0, random.between(-20'000, 20'000)}));
  }
  // Where zero points are small, weights that leave room for them.
  if (most == 3) {
    for (int8_t& weight : convolution.weights) weight /= 2;
  }
}

// `accumulators` and `reference` are host_ref's functions for this kind of convolution. The input
// is tensor 0, the output tensor 1.
template <typename Lowered>
void expect_like_reference(Lowered convolution, const auto& accumulators, const auto& reference) {
  convolution.input = 0;
  convolution.output = 1;
  const std::vector<int8_t> input = random_values(convolution.input_extent.elements(), 1);
  const Maker make = [&](const Target& target) { return make_operation(convolution, target); };
  if (convolution.output_stage.stores_accumulators) {
    const std::vector<int32_t> sums = accumulators(convolution, input);
    expect_output(make, std::array{to_bytes(input)}, std::as_bytes(std::span(sums)));
  } else {
    std::vector<int8_t> expected(static_cast<size_t>(convolution.output_extent.elements()));
    reference(convolution, input, expected);
    expect_values(make, std::array{input}, expected);
  }
}

}  // namespace lockstep::backend::cpu::testing
