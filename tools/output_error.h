// How far the outputs of a changed network are from those of the network it was, in the real
// TFLite.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/status.h"
#include "quantization/samples.h"
#include "tools/data_set.h"

namespace CLI {
class App;
}

namespace lockstep::tools {

struct OutputErrorOptions {
  std::filesystem::path tflite_library;  // empty: wherever it is found
  // Without --data: --samples (or 8) inputs from --seed.
  DataOptions data;

  // Adds --tflite and those of DataOptions.
  void add_options(CLI::App& command);
};

// One output over all samples, in real values.
struct OutputError {
  std::string name;
  double step = 0;  // scale of the original output; 0 where it is not quantized
  int64_t elements = 0;
  double largest = 0;
  double mean = 0;             // of magnitudes
  double signal_to_noise = 0;  // in dB; infinite where nothing differs
};

struct OutputErrorReport {
  std::vector<OutputError> outputs;
  size_t samples = 0;
  std::string not_measured;  // why there is nothing above; empty: there is

  void print() const;
  nlohmann::json to_json() const;
};

struct NetworkBytes {
  std::string name;  // for messages
  std::span<const std::byte> bytes;
};

// Inputs are for the original. An input that was uint8 and is int8 now takes the same real values.
// Nothing is measured where there is no TFLite, or one that refuses the original. The engine's
// words where it refuses the changed network, and kInvalidArgument where that has other inputs and
// outputs.
Result<OutputErrorReport> measure_output_error(const OutputErrorOptions& options,
                                               const NetworkBytes& original,
                                               const NetworkBytes& changed);

}  // namespace lockstep::tools
