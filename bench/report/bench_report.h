// Everything that one `lockstep bench` has found out, for JSON and the page.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "bench/device_measurement.h"
#include "bench/growth/growth_benchmark.h"
#include "bench/layers/layer_benchmark.h"
#include "bench/models/model_benchmark.h"

namespace lockstep::bench {

// Grows by one whenever a field changes its meaning or goes away; new fields do not count.
inline constexpr int kSchemaVersion = 1;

struct BenchReport {
  std::string command;  // "layers"
  std::string started;  // UTC, "2026-11-21T18:09:34Z"
  bool quick = false;
  double minimum_seconds = 0;  // of each measurement
  std::string filter;
  std::optional<DeviceBenchmark> device;
  std::optional<LayerBenchmark> layers;
  std::optional<ModelBenchmark> models;
  std::optional<GrowthBenchmark> growth;
};

// "2026-11-21T18:09:34Z"
std::string current_time();
// The processor as the system names it, and how many threads it runs at once.
std::string host_processor();

nlohmann::json to_json(const Roofline& roofline);
nlohmann::json to_json(const BenchReport& report);

// A page that needs nothing but itself: tables, plots as SVG, light and dark.
std::string html_page(const BenchReport& report);

}  // namespace lockstep::bench
