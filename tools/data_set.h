// --data: representative inputs of a network, from folders of photos, numpy's arrays and raw files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/status.h"
#include "quantization/samples.h"
#include "tools/preprocessing.h"

namespace CLI {
class App;
}

namespace lockstep::tools {

struct DataOptions {
  // Files and folders, used one after the other: PATH, or INPUT=PATH where it is for one of several
  // inputs. Of a folder everything in it and below, by name; hidden files are left out. What holds
  // data for several inputs at once is a .npz, whose arrays have the inputs' names or their order.
  std::vector<std::string> data;
  // Random parts of every photo that is larger than the input, instead of the photo; 0: none.
  size_t crops = 0;
  size_t samples = 0;  // how many of all; 0: all
  uint64_t seed = 1;   // which of them, and which crops
  Preprocessing preprocessing = {};

  // Adds --data, --crops, --samples, --seed, --mean, --std and --resize.
  void add_options(CLI::App& command);
};

// The chosen samples, in the order of the data: the same for the same options on every machine. An
// input with a batch takes that many neighbours for a sample; what fills no batch is left out.
// Opening it looks at every file's name, size and header; reading a sample reads what it needs.
Result<quantization::SampleSource> open_data_set(const graph::Graph& graph,
                                                 const DataOptions& options);

}  // namespace lockstep::tools
