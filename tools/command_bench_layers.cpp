// lockstep bench layers: how fast is each layer with each kernel?
#include <CLI/CLI.hpp>
#include <memory>

#include "backend/registry.h"
#include "bench/device/device_benchmark.h"
#include "bench/layers/layer_benchmark.h"
#include "graph/tflite_reader.h"
#include "tools/bench_commands.h"
#include "tools/bench_options.h"
#include "tools/bench_tables.h"
#include "tools/command.h"
#include "tools/progress_line.h"

namespace lockstep::tools {
namespace {

struct LayersOptions {
  BenchOptions common;
  std::vector<int32_t> batches;
  std::string variants = "all";
  std::vector<std::filesystem::path> models;
  bool no_roofline = false;
  bool list = false;
};

Result<std::vector<bench::LayerCase>> all_cases(const LayersOptions& options) {
  std::vector<int32_t> batches = options.batches;
  if (batches.empty()) {
    batches = options.common.quick ? std::vector<int32_t>{1} : std::vector<int32_t>{1, 8};
  }
  if (options.models.empty()) return bench::layer_cases(batches);
  std::vector<bench::LayerCase> cases;
  for (const std::filesystem::path& path : options.models) {
    const auto graph = graph::read_tflite_file(path);
    if (!graph) return tl::unexpected(graph.error());
    auto layers = bench::layer_cases(*graph, path.stem().string(), batches);
    if (layers.empty()) {
      return make_error(ErrorCode::kUnsupported,
                        "'{}' has no convolution, depthwise or fully connected layer",
                        path.string());
    }
    std::ranges::move(layers, std::back_inserter(cases));
  }
  return cases;
}

Result<int> run(const LayersOptions& options) {
  bench::BenchReport report = options.common.new_report("layers");
  const auto all = all_cases(options);
  if (!all) return tl::unexpected(all.error());
  const auto cases = bench::select_layers(*all, options.common.filter);
  if (!cases) return tl::unexpected(cases.error());
  if (options.list) {
    for (const bench::LayerCase& each : *cases) fmt::print("{}\n", bench::case_name(each));
    return kSuccess;
  }
  const auto device = backend::open_device(options.common.device, options.common.device_options());
  if (!device) return tl::unexpected(device.error());
  ProgressLine progress("bench layers", !options.common.no_progress);
  bench::LayerBenchmarkOptions settings{.measure = options.common.measure_options(),
                                        .all_variants = options.variants == "all",
                                        .roofline = {}};
  if (!options.no_roofline) {
    progress.show("the roofline");
    const auto roofline =
        bench::quick_roofline(options.common.device, options.common.device_options());
    if (!roofline) return tl::unexpected(roofline.error());
    settings.roofline = *roofline;
  }
  auto measured = bench::run_layer_benchmark(
      **device, *cases, settings, [&](size_t done, size_t count, const std::string& name) {
        if (done < count) progress.show(fmt::format("{} of {}, {}", done + 1, count, name));
      });
  if (!measured) return tl::unexpected(measured.error());
  report.layers = std::move(*measured);
  if (Status status = options.common.write(report); !status) {
    return tl::unexpected(status.error());
  }
  if (!options.common.prints_file()) fmt::print("{}", layers_text(*report.layers));
  if (report.layers->has_errors()) {
    return make_error(ErrorCode::kInternal,
                      "some kernels did not compute their layer: see the table");
  }
  return kSuccess;
}

}  // namespace

void add_bench_layers_command(CLI::App& bench, int& exit_code) {
  auto options = std::make_shared<LayersOptions>();
  CLI::App& command = *bench.add_subcommand(
      "layers", "The layers of four known networks, each with every kernel that computes it");
  options->common.add_options(command);
  command
      .add_option("--batch", options->batches,
                  "Batch size (repeatable; default: 1 and 8, with --quick 1)")
      ->allow_extra_args(false)
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--variants", options->variants,
                  "Time all kernels, or only the one the device chooses")
      ->check(CLI::IsMember({"all", "chosen"}))
      ->capture_default_str();
  command.add_option("--model", options->models, "Layers of this network instead (repeatable)")
      ->allow_extra_args(false)
      ->check(CLI::ExistingFile);
  command.add_flag("--no-roofline", options->no_roofline, "Do not measure the device first");
  command.add_flag("--list", options->list, "Print the layers' names and stop");
  command.callback([options, &exit_code] { exit_code = finish("bench layers", run(*options)); });
}

}  // namespace lockstep::tools
