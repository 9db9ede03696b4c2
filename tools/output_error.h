// How far the outputs of a changed network are from those of the network it was, in the real
// TFLite.
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "graph/editable_model.h"
#include "graph/status.h"
#include "quantization/class_agreement.h"
#include "quantization/error_statistics.h"
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
  quantization::ErrorStatistics error;
  size_t class_count = 0;  // 0: the output is no list of scores
  quantization::ClassAgreement agreement;
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

// Inputs are for the original; the changed network takes the same real values. Nothing is measured
// where there is no TFLite, or one that refuses the original. The engine's words where it refuses
// the changed network, and kInvalidArgument where that has other inputs and outputs.
Result<OutputErrorReport> measure_output_error(const OutputErrorOptions& options,
                                               const NetworkBytes& original,
                                               const NetworkBytes& changed);

// Writes the changed network as `path`, once what that does to the outputs is known.
struct WrittenNetwork {
  size_t bytes = 0;
  OutputErrorReport errors;
};
Result<WrittenNetwork> write_and_measure(const OutputErrorOptions& options,
                                         const NetworkBytes& original,
                                         const graph::EditableModel& changed,
                                         const std::filesystem::path& path);

}  // namespace lockstep::tools
