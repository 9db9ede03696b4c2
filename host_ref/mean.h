// MEAN: the executable specification.
#pragma once

#include <cstdint>
#include <span>

#include "graph/lowered_graph.h"

namespace lockstep::host_ref {

// -128 + the number of thresholds that `sum` reaches.
int8_t mean_of_sum(const graph::LoweredMean& operation, int32_t sum);

// output[outer][inner] = mean_of_sum(sum over r of input[outer][r][inner]).
void mean(const graph::LoweredMean& operation, std::span<const int8_t> input,
          std::span<int8_t> output);

}  // namespace lockstep::host_ref
