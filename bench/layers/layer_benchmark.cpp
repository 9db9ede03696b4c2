#include "bench/layers/layer_benchmark.h"

#include <algorithm>

#include "bench/checked_graph.h"
#include "bench/layers/layer_table.h"
#include "bench/name_filter.h"

namespace lockstep::bench {
namespace {

Result<LayerTime> time_layer(backend::Device& device, const LayerCase& layer_case,
                             const LayerBenchmarkOptions& options, std::string& clock) {
  LayerTime result{.layer_case = layer_case,
                   .name = bench::case_name(layer_case),
                   .work = work_of(layer_case.layer.shape, layer_case.batch),
                   .variants = {}};
  const auto graph = layer_graph(layer_case.layer.shape, layer_case.batch, layer_case.quantization);
  if (!graph) return tl::unexpected(graph.error());
  const auto checked = CheckedGraph::create(*graph);
  if (!checked) return tl::unexpected(checked.error());
  auto kernels = device.kernels(checked->graph, checked->graph.operators.front());
  if (!kernels) {
    result.variants.push_back({.kernel = "none", .error = kernels.error().message, .time = {}});
    return result;
  }
  if (!options.all_variants) kernels->resize(1);

  std::vector<TimedProgram> programs;
  std::vector<size_t> variant_of;
  for (const std::string& kernel : *kernels) {
    result.variants.push_back({.kernel = kernel, .error = {}, .time = {}});
    auto program = checked->compile(device, kernel, TimedProgram::What::kDispatches);
    if (!program) {
      if (program.error().code == ErrorCode::kDeviceLost) return tl::unexpected(program.error());
      result.variants.back().error = program.error().message;
      continue;
    }
    clock = program->clock_name();
    variant_of.push_back(result.variants.size() - 1);
    programs.push_back(std::move(*program));
  }
  std::vector<Competitor> competitors;
  for (size_t i = 0; i < programs.size(); ++i) {
    competitors.push_back(
        {result.variants[variant_of[i]].kernel, [&programs, i] { return programs[i].run(); }});
  }
  if (competitors.empty()) return result;
  const auto seconds = measure(competitors, options.measure);
  if (!seconds) return tl::unexpected(seconds.error());
  for (size_t i = 0; i < programs.size(); ++i) {
    VariantTime& variant = result.variants[variant_of[i]];
    variant.time = summarise((*seconds)[i]);
    variant.gops = result.work.gops(variant.time.median_seconds);
    variant.percent_of_roofline =
        result.work.percent_of(options.roofline, variant.time.median_seconds);
  }
  return result;
}

}  // namespace

std::string case_name(const LayerCase& layer_case) {
  return fmt::format("{}/{}/batch_{}", layer_case.network, layer_name(layer_case.layer.shape),
                     layer_case.batch);
}

std::vector<LayerCase> layer_cases(const std::vector<int32_t>& batches) {
  std::vector<LayerCase> cases;
  for (const NetworkLayers& network : network_table()) {
    for (const int32_t batch : batches) {
      for (const CountedLayer& layer : network.layers) {
        cases.push_back({std::string(network.network), layer, network.quantization, batch});
      }
    }
  }
  return cases;
}

std::vector<LayerCase> layer_cases(const graph::Graph& graph, const std::string& network,
                                   const std::vector<int32_t>& batches) {
  std::vector<LayerCase> cases;
  for (const int32_t batch : batches) {
    for (const CountedLayer& layer : layers_of(graph)) {
      cases.push_back({network, layer, quantization_of(graph), batch});
    }
  }
  return cases;
}

Result<std::vector<LayerCase>> select_layers(const std::vector<LayerCase>& cases,
                                             const std::string& filter) {
  const auto names = NameFilter::create(filter);
  if (!names) return tl::unexpected(names.error());
  std::vector<LayerCase> wanted;
  std::ranges::copy_if(cases, std::back_inserter(wanted),
                       [&](const LayerCase& each) { return names->matches(case_name(each)); });
  if (wanted.empty()) return names->matches_nothing("layer");
  return wanted;
}

const VariantTime& LayerTime::fastest() const {
  const VariantTime* best = &variants.front();
  for (const VariantTime& each : variants) {
    if (!each.error.empty()) continue;
    if (!best->error.empty() || each.time.median_seconds < best->time.median_seconds) best = &each;
  }
  return *best;
}

bool LayerBenchmark::has_errors() const {
  return std::ranges::any_of(layers, [](const LayerTime& layer) {
    return std::ranges::any_of(layer.variants,
                               [](const VariantTime& each) { return !each.error.empty(); });
  });
}

Result<LayerBenchmark> run_layer_benchmark(backend::Device& device,
                                           const std::vector<LayerCase>& cases,
                                           const LayerBenchmarkOptions& options,
                                           const LayerProgress& progress) {
  LayerBenchmark benchmark{
      .device = device.description(), .clock = {}, .roofline = options.roofline, .layers = {}};
  for (size_t i = 0; i < cases.size(); ++i) {
    progress(i, cases.size(), case_name(cases[i]));
    auto layer = time_layer(device, cases[i], options, benchmark.clock);
    if (!layer) {
      return tl::unexpected(
          Error{layer.error().code, case_name(cases[i]) + ": " + layer.error().message});
    }
    benchmark.layers.push_back(std::move(*layer));
  }
  progress(cases.size(), cases.size(), "");
  return benchmark;
}

}  // namespace lockstep::bench
