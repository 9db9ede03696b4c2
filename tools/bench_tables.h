// Results of `lockstep bench` as text.
#pragma once

#include <string>

#include "bench/device_measurement.h"
#include "bench/growth/growth_benchmark.h"
#include "bench/layers/layer_benchmark.h"
#include "bench/models/model_benchmark.h"

namespace lockstep::tools {

// Three digits that count: "0.0123", "1.23", "123", "12345".
std::string digits(double value);

std::string roofline_text(const bench::Roofline& roofline);
std::string device_text(const bench::DeviceBenchmark& benchmark);
std::string layers_text(const bench::LayerBenchmark& benchmark);
std::string models_text(const bench::ModelBenchmark& benchmark);
std::string growth_text(const bench::GrowthBenchmark& benchmark);

}  // namespace lockstep::tools
