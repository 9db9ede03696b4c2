// lockstep bench models: whole networks beside TFLite's own kernels and XNNPACK.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "bench/models/model_benchmark.h"
#include "bench/name_filter.h"
#include "tools/bench_commands.h"
#include "tools/bench_options.h"
#include "tools/bench_tables.h"
#include "tools/command.h"
#include "tools/installation.h"
#include "tools/progress_line.h"

namespace lockstep::tools {
namespace {

struct ModelsOptions {
  BenchOptions common;
  std::vector<std::filesystem::path> models;
  std::vector<std::string> contenders;
  std::filesystem::path tflite_library;
  std::filesystem::path plugin_library;
  int starts = -1;
};

// The default ones, those that were named, or of either those whose names the filter matches.
Result<std::vector<const bench::Contender*>> contenders_of(const ModelsOptions& options) {
  const auto filter = bench::NameFilter::create(options.common.filter);
  if (!filter) return tl::unexpected(filter.error());
  std::vector<const bench::Contender*> contenders;
  for (const bench::Contender& each : bench::all_contenders()) {
    const std::string name(each.name);
    const bool is_named =
        options.contenders.empty()
            ? each.by_default
            : std::ranges::find(options.contenders, name) != options.contenders.end();
    if (is_named && filter->matches(name)) contenders.push_back(&each);
  }
  if (contenders.empty()) return filter->matches_nothing("contender");
  return contenders;
}

Result<int> run(const ModelsOptions& options) {
  bench::BenchReport report = options.common.new_report("models");
  auto contenders = contenders_of(options);
  if (!contenders) return tl::unexpected(contenders.error());
  bench::ModelBenchmarkOptions settings;
  settings.measure = options.common.measure_options();
  settings.contenders = std::move(*contenders);
  settings.starts = options.starts >= 0 ? options.starts : options.common.quick ? 1 : 3;
  settings.settings.device = options.common.device;
  settings.settings.device_options = options.common.device_options();
  // Both may be absent: who needs them does not take part, and says so.
  if (const auto tflite = find_tflite(options.tflite_library)) {
    settings.settings.tflite_library = *tflite;
  } else {
    fmt::print(stderr, "bench models: {}\n", tflite.error().message);
  }
  if (const auto plugin = find_plugin(options.plugin_library)) {
    settings.settings.plugin_library = *plugin;
  } else {
    fmt::print(stderr, "bench models: {}\n", plugin.error().message);
  }
  ProgressLine progress("bench models", !options.common.no_progress);
  auto measured = bench::run_model_benchmark(options.models, settings,
                                             [&](const std::string& text) { progress.show(text); });
  if (!measured) return tl::unexpected(measured.error());
  report.models = std::move(*measured);
  if (Status status = options.common.write(report); !status) {
    return tl::unexpected(status.error());
  }
  if (!options.common.prints_file()) fmt::print("{}", models_text(*report.models));
  return report.models->has_differences() ? kDifferent : kSuccess;
}

}  // namespace

void add_bench_models_command(CLI::App& bench, int& exit_code) {
  auto options = std::make_shared<ModelsOptions>();
  CLI::App& command = *bench.add_subcommand(
      "models", "Whole networks beside TFLite's own kernels and XNNPACK: latency, start, memory");
  command.add_option("MODELS", options->models, ".tflite files")
      ->required()
      ->check(CLI::ExistingFile);
  options->common.add_options(command);
  std::vector<std::string> names;
  for (const bench::Contender& each : bench::all_contenders()) names.emplace_back(each.name);
  command
      .add_option("--contender", options->contenders,
                  "Who takes part (repeatable; default: all but 'reference')")
      ->allow_extra_args(false)
      ->check(CLI::IsMember(names));
  command
      .add_option("--starts", options->starts,
                  "Cold and warm starts of each, in processes of their own (default: 3, with "
                  "--quick 1; 0: none)")
      ->check(CLI::Range(0, 1000));
  command.add_option("--tflite", options->tflite_library, "libtensorflowlite_c.so")
      ->check(CLI::ExistingFile);
  command.add_option("--plugin", options->plugin_library, "liblockstep_tflite.so")
      ->check(CLI::ExistingFile);
  command.footer("Exit code: 0, or 1 where ours computed other bits than TFLite, 2 error.");
  command.callback([options, &exit_code] { exit_code = finish("bench models", run(*options)); });
}

}  // namespace lockstep::tools
