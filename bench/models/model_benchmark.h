// Whole networks: our engine and our delegate beside TFLite's own kernels and XNNPACK, in one run.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/device_measurement.h"
#include "bench/measure.h"
#include "bench/models/contender.h"
#include "bench/models/start_up.h"
#include "bench/statistics.h"
#include "graph/status.h"

namespace lockstep::bench {

enum class SameBits : uint8_t {
  kNotCompared,  // there is nothing to compare with
  kSame,
  kDifferent,
};

struct ContenderResult {
  std::string name;
  std::string meaning;
  std::string unavailable{};  // why it does not take part; empty where it does
  TimeSummary latency{};
  // Start-up in fresh processes: with empty caches, and with those that the cold start has left.
  // Nothing where it was not measured.
  std::optional<StartUp> cold{};
  std::optional<StartUp> warm{};
  std::string bits_of{};  // the contender with whose rounding it computes
  SameBits same_bits = SameBits::kNotCompared;
};

struct ModelResult {
  std::string model;  // the file
  int64_t multiply_accumulates = 0;
  std::vector<ContenderResult> contenders;

  // Null where there is none of that name, or it did not take part.
  const ContenderResult* find(std::string_view name) const;
};

struct ModelBenchmark {
  backend::DeviceDescription device;
  std::string tflite_version;  // or why there is none
  std::vector<ModelResult> models;

  // Whether someone who promised another one's bits computed others.
  bool has_differences() const;
};

struct ModelBenchmarkOptions {
  MeasureOptions measure;
  std::vector<const Contender*> contenders;  // never empty
  ContenderSettings settings;
  // Starts of each kind for each contender, of which the median counts; 0: none.
  int starts = 3;
  std::string program = "/proc/self/exe";  // see measure_start_up()
};

// A contender that cannot take part says why in its result; a file that cannot be read fails.
Result<ModelBenchmark> run_model_benchmark(const std::vector<std::filesystem::path>& models,
                                           const ModelBenchmarkOptions& options,
                                           const Progress& progress);

}  // namespace lockstep::bench
