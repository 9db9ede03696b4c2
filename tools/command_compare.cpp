// lockstep compare A B: how far are two versions of a network apart, and where does it begin?
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "graph/tflite_reader.h"
#include "host_ref/tflite_runtime.h"
#include "quantization/model_comparison.h"
#include "tools/command.h"
#include "tools/comparison_report.h"
#include "tools/conform_commands.h"
#include "tools/data_set.h"
#include "tools/engine_options.h"
#include "tools/installation.h"
#include "tools/json_output.h"
#include "tools/progress_line.h"
#include "tools/timing.h"

namespace lockstep::tools {
namespace {

using quantization::ComparedNetwork;
using quantization::Observed;

// Latencies are medians of this many runs, or of those that fit into the time.
constexpr size_t kTimedRuns = 20;
constexpr double kTimedMilliseconds = 2000;
constexpr size_t kFewestTimedRuns = 3;

struct CompareOptions {
  std::filesystem::path expected;
  std::filesystem::path actual;
  DataOptions data;
  std::string engine = "tflite";
  DeviceSelection device;
  std::filesystem::path tflite;
  ComparisonThresholds thresholds;
  std::filesystem::path html;
  bool json = false;
  bool no_progress = false;
};

// Opens networks in the engine that was chosen.
class NetworkOpener {
 public:
  static Result<NetworkOpener> create(const CompareOptions& options) {
    NetworkOpener opener;
    opener.threads_ = std::max(options.device.threads, 1);
    const auto contract = options.device.contract();
    if (!contract) return tl::unexpected(contract.error());
    opener.contract_ = *contract;
    if (options.engine == "lockstep") {
      auto device = options.device.open();
      if (!device) return tl::unexpected(device.error());
      opener.device_ = std::move(*device);
      return opener;
    }
    const auto path = find_tflite(options.tflite);
    if (!path) return tl::unexpected(path.error());
    auto library = host_ref::TfliteLibrary::load(*path);
    if (!library) return tl::unexpected(library.error());
    opener.library_ = std::move(*library);
    return opener;
  }

  Result<std::unique_ptr<ComparedNetwork>> open(std::span<const std::byte> model,
                                                const std::filesystem::path& path,
                                                Observed observed) const {
    return device_
               ? quantization::open_in_lockstep(model, path.string(), device_, contract_, observed)
               : quantization::open_in_tflite(model, path.string(), library_, threads_, observed);
  }

 private:
  std::shared_ptr<backend::Device> device_;  // null: TFLite
  numerics::Contract contract_ = numerics::Contract::kTflite;
  std::shared_ptr<const host_ref::TfliteLibrary> library_;
  int32_t threads_ = 1;
};

// A file, opened twice: to be observed, and as it is deployed.
struct OpenedModel {
  std::vector<std::byte> bytes;
  std::unique_ptr<ComparedNetwork> observed;
  std::unique_ptr<ComparedNetwork> deployed;
};

Result<OpenedModel> open_model(const NetworkOpener& opener, const std::filesystem::path& path) {
  auto bytes = graph::read_file_bytes(path);
  if (!bytes) return tl::unexpected(bytes.error());
  OpenedModel model;
  model.bytes = std::move(*bytes);
  auto observed = opener.open(model.bytes, path, Observed::kAllTensors);
  if (!observed) return tl::unexpected(observed.error());
  model.observed = std::move(*observed);
  auto deployed = opener.open(model.bytes, path, Observed::kOutputs);
  if (!deployed) return tl::unexpected(deployed.error());
  model.deployed = std::move(*deployed);
  return model;
}

bool takes_real_values(const graph::Graph& graph) {
  return std::all_of(graph.inputs.begin(), graph.inputs.end(), [&](int32_t input) {
    return graph.tensors[static_cast<size_t>(input)].type == graph::DataType::kFloat32;
  });
}

Result<double> median_milliseconds(ComparedNetwork& network, const quantization::Sample& sample) {
  std::vector<double> times;
  double total = 0;
  // The first run is not counted: it prepares what later ones use.
  for (size_t run = 0; run <= kTimedRuns; ++run) {
    Status status;
    const double time = milliseconds_of([&] { status = network.run(sample); });
    if (!status) return tl::unexpected(status.error());
    if (run == 0) continue;
    times.push_back(time);
    total += time;
    if (total > kTimedMilliseconds && times.size() >= kFewestTimedRuns) break;
  }
  return median(std::move(times));
}

// Latencies of both, on the first sample.
Status measure_latencies(ComparisonReport& report, const OpenedModel& expected,
                         const OpenedModel& actual, const quantization::SampleSource& source,
                         quantization::SamplesFor samples_for) {
  const auto sample = source.read(0);
  if (!sample) return tl::unexpected(sample.error());
  const bool for_expected = samples_for == quantization::SamplesFor::kExpected;
  const auto other = quantization::convert_sample(
      *sample, for_expected ? report.expected.graph : report.actual.graph,
      for_expected ? report.actual.graph : report.expected.graph, report.comparison.matching.inputs,
      samples_for);
  if (!other) return tl::unexpected(other.error());
  const auto expected_time =
      median_milliseconds(*expected.deployed, for_expected ? *sample : *other);
  if (!expected_time) return tl::unexpected(expected_time.error());
  const auto actual_time = median_milliseconds(*actual.deployed, for_expected ? *other : *sample);
  if (!actual_time) return tl::unexpected(actual_time.error());
  report.expected.milliseconds = *expected_time;
  report.actual.milliseconds = *actual_time;
  return {};
}

ComparedModel facts_of(const std::filesystem::path& path, const OpenedModel& model) {
  return {.path = path.string(),
          .bytes = model.bytes.size(),
          .engine = model.observed->engine(),
          .milliseconds = 0,
          .graph = model.observed->graph()};
}

Result<ComparisonReport> compare(const CompareOptions& options) {
  const auto opener = NetworkOpener::create(options);
  if (!opener) return tl::unexpected(opener.error());
  auto expected = open_model(*opener, options.expected);
  if (!expected) return tl::unexpected(expected.error());
  auto actual = open_model(*opener, options.actual);
  if (!actual) return tl::unexpected(actual.error());
  // Real values are given to whichever network takes them; quantized inputs are made from those.
  const bool is_for_actual = !takes_real_values(expected->observed->graph()) &&
                             takes_real_values(actual->observed->graph());
  const auto samples_for =
      is_for_actual ? quantization::SamplesFor::kActual : quantization::SamplesFor::kExpected;
  const auto source =
      open_data_set((is_for_actual ? actual : expected)->observed->graph(), options.data);
  if (!source) return tl::unexpected(source.error());

  ProgressLine progress("compare", !options.no_progress);
  auto comparison = quantization::compare_models(
      *expected->observed, *actual->observed, *source,
      {.samples_for = samples_for, .progress = [&](size_t done, size_t count) {
         progress.show_now_and_then(fmt::format("{} of {} samples", done, count), done == count);
       }});
  if (!comparison) return tl::unexpected(comparison.error());
  ComparisonReport report{.expected = facts_of(options.expected, *expected),
                          .actual = facts_of(options.actual, *actual),
                          .comparison = std::move(*comparison),
                          .sample_names = {},
                          .thresholds = options.thresholds};
  for (size_t i = 0; i < source->count; ++i) report.sample_names.push_back(source->name(i));
  progress.show("latencies");
  if (Status status = measure_latencies(report, *expected, *actual, *source, samples_for);
      !status) {
    return tl::unexpected(status.error());
  }
  return report;
}

Result<int> run_compare(const CompareOptions& options) {
  const auto report = compare(options);
  if (!report) return tl::unexpected(report.error());
  if (!options.html.empty()) {
    if (Status status = write_text(options.html, comparison_html(*report)); !status) {
      return tl::unexpected(status.error());
    }
  }
  if (options.json) {
    print_json(comparison_json(*report));
  } else {
    fmt::print("{}", comparison_text(*report));
  }
  return missed_thresholds(*report).empty() ? kSuccess : kDifferent;
}

}  // namespace

void add_compare_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App& command = *app.add_subcommand(
      "compare", "Compare two versions of a network, layer by layer, on representative data");
  command.footer("Exit code: 0 every threshold is met, 1 one is missed, 2 error.");
  command.add_option("A", options->expected, ".tflite file, what is expected")
      ->required()
      ->check(CLI::ExistingFile);
  command.add_option("B", options->actual, ".tflite file that should be like it")
      ->required()
      ->check(CLI::ExistingFile);
  options->data.add_options(command);
  command
      .add_option("--engine", options->engine,
                  "What runs them: tflite, or lockstep where it computes all of both")
      ->check(CLI::IsMember({"tflite", "lockstep"}))
      ->capture_default_str();
  options->device.add_options(command, "LOCKSTEP_DEVICE, else the best");
  command.add_option("--tflite", options->tflite, "libtensorflowlite_c.so")
      ->check(CLI::ExistingFile);
  command.add_option("--min-sqnr", options->thresholds.minimum_sqnr,
                     "Least SQNR of every output, in dB");
  command.add_option("--max-l2", options->thresholds.maximum_l2,
                     "Largest L2 norm of every output's error");
  command
      .add_option("--min-top1", options->thresholds.minimum_top1,
                  "Least agreement of the first class, in percent")
      ->check(CLI::Range(0.0, 100.0));
  command.add_option("--html", options->html, "Write a page with plots");
  command.add_flag("--json", options->json, "Print JSON");
  command.add_flag("--no-progress", options->no_progress, "Nothing on stderr while it runs");
  command.callback([options, &exit_code] { exit_code = finish("compare", run_compare(*options)); });
}

}  // namespace lockstep::tools
