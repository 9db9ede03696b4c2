// The bytes a network is fed with: from files, from a photo, or from a seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/status.h"

namespace CLI {
class App;
}

namespace lockstep::tools {

struct InputSource {
  std::vector<std::filesystem::path> files;  // raw bytes, one for each input in order
  std::filesystem::path image;               // for the first input that takes an image
  uint64_t seed = 1;                         // for inputs that have neither

  // Adds --input, --image and --seed.
  void add_options(CLI::App& command);
};

// One buffer for each input of the graph. Random inputs cover all values of their type (float32: -1
// to 1; wider integers: 0 to 15, since they are often indices). `sample` varies the random part.
Result<std::vector<std::vector<std::byte>>> make_inputs(const graph::Graph& graph,
                                                        const InputSource& source,
                                                        uint64_t sample = 0);

}  // namespace lockstep::tools
