// What happens to pixels and numbers before a network sees them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "graph/status.h"
#include "tools/image.h"

namespace CLI {
class App;
}

namespace lockstep::tools {

// real = (value - mean) / standard_deviation, with one of each for all values or for every channel
// (index of the last dimension). Empty: what `Normalization` says for the kind of data.
struct Preprocessing {
  std::vector<float> mean;
  std::vector<float> standard_deviation;
  ResizeMode resize = ResizeMode::kStretch;

  // Adds --mean, --std and --resize.
  void add_options(CLI::App& command);
  bool is_given() const { return !mean.empty() || !standard_deviation.empty(); }
};

// What is used where the user says nothing: pixels go from -1 to 1, numbers stay what they are.
struct Normalization {
  float mean = 0;
  float standard_deviation = 1;
};
inline constexpr Normalization kPixelNormalization = {.mean = 127.5f, .standard_deviation = 127.5f};
inline constexpr Normalization kNumberNormalization = {};

// Applies it in place; of no values it checks whether it could be. kInvalidArgument where there are
// neither 1 nor `channels` means or standard deviations, or one of the latter is no positive
// number. `input` is for messages.
Status normalize(const Preprocessing& preprocessing, const Normalization& otherwise,
                 size_t channels, const std::string& input, std::span<float> values);

}  // namespace lockstep::tools
