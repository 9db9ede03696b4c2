// How fast each layer of a network is with each kernel that could compute it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "backend/device.h"
#include "bench/layers/layer_shape.h"
#include "bench/measure.h"
#include "bench/roofline.h"
#include "bench/statistics.h"
#include "graph/status.h"

namespace lockstep::bench {

// A layer to be timed.
struct LayerCase {
  std::string network;
  CountedLayer layer;
  LayerQuantization quantization = LayerQuantization::kInt8PerChannel;
  int32_t batch = 1;
};
// "mobilenet_v2/conv_1x1_56x56x24_to_144/batch_1"
std::string case_name(const LayerCase& layer_case);

// Every layer of network_table() at each batch.
std::vector<LayerCase> layer_cases(const std::vector<int32_t>& batches);
// Every layer of a network of the user's own.
std::vector<LayerCase> layer_cases(const graph::Graph& graph, const std::string& network,
                                   const std::vector<int32_t>& batches);

// Those in whose names the expression matches (name_filter.h). kInvalidArgument where it is none,
// or matches no name.
Result<std::vector<LayerCase>> select_layers(const std::vector<LayerCase>& cases,
                                             const std::string& filter);

struct VariantTime {
  std::string kernel;  // as Device::kernels() names it
  // Why there is no time: the kernel does not compile, or computes something else than host_ref. A
  // wrong result has no speed.
  std::string error;
  TimeSummary time;
  double gops = 0;
  double percent_of_roofline = 0;  // 0 where the roofline is unknown
};

struct LayerTime {
  LayerCase layer_case;
  std::string name;
  Work work;
  std::vector<VariantTime> variants;  // the device's own choice first; never empty

  const VariantTime& chosen() const { return variants.front(); }
  // Of those with a time; the chosen one where there is none.
  const VariantTime& fastest() const;
};

struct LayerBenchmark {
  backend::DeviceDescription device;
  std::string clock;  // "device timestamps", ...
  Roofline roofline;
  std::vector<LayerTime> layers;

  bool has_errors() const;
};

struct LayerBenchmarkOptions {
  MeasureOptions measure;
  bool all_variants = true;  // otherwise only the device's own choice
  Roofline roofline;
};

using LayerProgress = std::function<void(size_t done, size_t count, const std::string& name)>;

// Each variant of a layer runs once and is compared with host_ref, then all of them are timed in
// turns. Fails where a layer cannot be made, or the device is lost; what is wrong with one kernel
// is told in its VariantTime.
Result<LayerBenchmark> run_layer_benchmark(backend::Device& device,
                                           const std::vector<LayerCase>& cases,
                                           const LayerBenchmarkOptions& options,
                                           const LayerProgress& progress);

}  // namespace lockstep::bench
