// The inputs that a network is calibrated or compared on.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "graph/status.h"

namespace lockstep::quantization {

// One buffer for each input of the network, in order.
using Sample = std::vector<std::vector<std::byte>>;

// Samples are read one at a time, so that a set may be larger than memory, and as often as wanted:
// the same index gives the same bytes.
struct SampleSource {
  size_t count = 0;
  // Preconditions of both: the index is below `count`.
  std::function<Result<Sample>(size_t index)> read;
  std::function<std::string(size_t index)> name;  // what messages call it: "photos/cat.jpg"
};

}  // namespace lockstep::quantization
