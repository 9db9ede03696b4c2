// Runs a network in the real TFLite with and without our delegate and compares every tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/status.h"
#include "host_ref/tflite_runtime.h"
#include "numerics/contract.h"
#include "tools/tensor_comparison.h"

namespace CLI {
class App;
}

namespace lockstep::tools {

// A network with everything a comparison needs.
struct VerifiedModel {
  std::vector<std::byte> bytes;    // as in the file
  std::vector<std::byte> exposed;  // the same with every produced tensor as an output
  graph::Graph graph;              // of `bytes`
  graph::Graph exposed_graph;      // of `exposed`: its outputs name the compared tensors
};
Result<VerifiedModel> read_model_for_verification(const std::filesystem::path& path);

struct EngineSettings {
  std::filesystem::path tflite_library;
  std::filesystem::path plugin_library;
  std::string device;
  std::string mask;
  std::string cache_dir;
  bool tune = false;
  numerics::Contract contract = numerics::Contract::kTflite;
  int32_t threads = 1;

  // Adds --device, --mask, --cache-dir, --tune, --threads, --tflite and --plugin.
  void add_options(CLI::App& command);
  // Replaces libraries that were not named by where they are found (installation.h).
  Status find_libraries();
};

// The engine whose arithmetic `contract` names: TFLite's builtin kernels, or XNNPACK for kLitert.
// kUnsupported for contracts that no TFLite engine computes (reference, single).
Result<host_ref::TfliteOptions> peer_options(const EngineSettings& settings);

// Options of a runtime with our plugin. The plugin writes what it placed where to `report`.
host_ref::TfliteOptions plugin_options(const EngineSettings& settings,
                                       const std::filesystem::path& report);

// One tensor over all samples.
struct VerifiedTensor {
  int32_t tensor = 0;  // index in the model
  size_t source_operator = 0;
  TensorComparison comparison;  // summed over the samples
};

struct Verification {
  std::vector<VerifiedTensor> tensors;  // in order of production, whole-network outputs last
  size_t outputs_compared = 0;          // outputs of the unchanged model, compared as well
  size_t outputs_equal = 0;
  nlohmann::json placement;  // the plugin's report on the unchanged model

  size_t equal_tensors() const;
  bool is_exact() const {
    return equal_tensors() == tensors.size() && outputs_equal == outputs_compared;
  }
};

using Sample = std::vector<std::vector<std::byte>>;  // one buffer for each input

// Compares on every sample. kDeviceUnavailable with the plugin's reason when it has no device.
Result<Verification> verify(const VerifiedModel& model, const EngineSettings& settings,
                            std::span<const Sample> samples);

}  // namespace lockstep::tools
