// lockstep profile MODEL: where does the time of a network go? See docs/benchmarks.md.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <numeric>

#include "bench/device/device_benchmark.h"
#include "bench/profile/network_profile.h"
#include "bench/report/bench_report.h"
#include "graph/tflite_reader.h"
#include "tools/command.h"
#include "tools/conform_commands.h"
#include "tools/engine_options.h"
#include "tools/profile_report.h"

namespace lockstep::tools {
namespace {

struct ProfileCommandOptions {
  std::filesystem::path model;
  DeviceSelection device;
  int runs = 20;
  int32_t batch = 0;
  std::string sort = "network";
  std::filesystem::path trace;
  std::filesystem::path json;
  bool no_roofline = false;
};

Status resize(graph::Graph& graph, int32_t batch) {
  std::vector<graph::ResizedInput> resized;
  for (const int32_t input : graph.inputs) {
    graph::Shape shape = graph.tensors[static_cast<size_t>(input)].shape;
    if (shape.empty()) continue;
    shape[0] = batch;
    resized.push_back({input, std::move(shape)});
  }
  return graph::resize_inputs(graph, resized);
}

Result<int> run(const ProfileCommandOptions& options) {
  const auto contract = options.device.contract();
  if (!contract) return tl::unexpected(contract.error());
  auto graph = graph::read_tflite_file(options.model);
  if (!graph) return tl::unexpected(graph.error());
  if (options.batch > 0) {
    if (Status status = resize(*graph, options.batch); !status) {
      return tl::unexpected(status.error());
    }
  }
  const auto device = options.device.open();
  if (!device) return tl::unexpected(device.error());
  delegate::ProfileTrace trace;
  bench::ProfileOptions settings;
  settings.partition.contract = *contract;
  settings.compile = options.device.compile_options();
  settings.runs = options.runs;
  settings.trace = options.trace.empty() ? nullptr : &trace;
  if (!options.no_roofline) {
    const auto roofline =
        bench::quick_roofline(options.device.device, options.device.device_options());
    if (!roofline) return tl::unexpected(roofline.error());
    settings.roofline = *roofline;
  }
  const auto profile = bench::profile_network(*graph, *device, settings);
  if (!profile) return tl::unexpected(profile.error());
  if (!options.trace.empty()) {
    if (Status status = write_text(options.trace, trace.json()); !status) {
      return tl::unexpected(status.error());
    }
  }
  if (!options.json.empty()) {
    const auto json = profile_json(*profile, options.model.string(), options.device.numerics);
    if (Status status = write_text(options.json, json.dump(1) + "\n"); !status) {
      return tl::unexpected(status.error());
    }
  }
  if (options.json != "-" && options.trace != "-") {
    const ProfileOrder order =
        options.sort == "time" ? ProfileOrder::kSlowestFirst : ProfileOrder::kNetwork;
    fmt::print("{}", profile_text(*profile, order));
  }
  return kSuccess;
}

}  // namespace

void add_profile_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ProfileCommandOptions>();
  CLI::App& command =
      *app.add_subcommand("profile", "Show where the time of a network on a device goes");
  command.add_option("MODEL", options->model, ".tflite file")->required()->check(CLI::ExistingFile);
  options->device.add_options(command, "LOCKSTEP_DEVICE, else the best");
  options->device.add_compile_options(command);
  command.add_option("--runs", options->runs, "How often to run; medians are shown")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command.add_option("--batch", options->batch, "Resize the inputs to this batch")
      ->check(CLI::Range(1, 65536));
  command.add_option("--sort", options->sort, "Operators as in the network, or slowest first")
      ->check(CLI::IsMember({"network", "time"}))
      ->capture_default_str();
  command.add_option("--trace", options->trace,
                     "Write all runs for ui.perfetto.dev or chrome://tracing ('-': stdout)");
  command.add_option("--json", options->json, "Write the table as JSON ('-': stdout)");
  command.add_flag("--no-roofline", options->no_roofline,
                   "Do not measure what the device can do at best");
  command.footer("docs/benchmarks.md tells how to read the table and the trace.");
  command.callback([options, &exit_code] { exit_code = finish("profile", run(*options)); });
}

}  // namespace lockstep::tools
