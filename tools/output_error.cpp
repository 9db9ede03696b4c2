#include "tools/output_error.h"

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "host_ref/tflite_runtime.h"
#include "quantization/compared_network.h"
#include "quantization/model_comparison.h"
#include "tools/installation.h"
#include "tools/network_file.h"
#include "tools/network_inputs.h"
#include "tools/table.h"

namespace lockstep::tools {
namespace {

using host_ref::TfliteLibrary;
using quantization::ComparedNetwork;

constexpr size_t kSeededSamples = 8;

Result<std::unique_ptr<ComparedNetwork>> open(const NetworkBytes& network,
                                              const std::shared_ptr<const TfliteLibrary>& library) {
  return quantization::open_in_tflite(network.bytes, network.name, library, 1,
                                      quantization::Observed::kOutputs);
}

// `graph` outlives the source.
Result<quantization::SampleSource> open_samples(const graph::Graph& graph,
                                                const DataOptions& options) {
  if (!options.data.empty()) return open_data_set(graph, options);
  InputSource dice;
  dice.seed = options.seed;
  return quantization::SampleSource{
      .count = options.samples > 0 ? options.samples : kSeededSamples,
      .read = [&graph, dice](size_t index) { return make_inputs(graph, dice, index); },
      .name = [](size_t index) { return fmt::format("seeded input {}", index); }};
}

OutputErrorReport nothing_measured(std::string reason) {
  OutputErrorReport report;
  report.not_measured = std::move(reason);
  return report;
}

OutputErrorReport report_of(const quantization::ModelComparison& comparison,
                            const graph::Graph& original) {
  OutputErrorReport report;
  report.samples = comparison.samples;
  for (const quantization::OutputComparison& output : comparison.outputs) {
    const graph::Tensor& tensor =
        original.tensors[static_cast<size_t>(output.tensor.match.expected)];
    const auto& scales = tensor.quantization.scales;
    report.outputs.push_back({.name = tensor.name,
                              .step = scales.size() == 1 ? double{scales.front()} : 0.0,
                              .error = output.tensor.error,
                              .class_count = output.class_count,
                              .agreement = output.agreement});
  }
  return report;
}

}  // namespace

void OutputErrorOptions::add_options(CLI::App& command) {
  command
      .add_option("--tflite", tflite_library,
                  "libtensorflowlite_c.so, which measures the error of the outputs")
      ->check(CLI::ExistingFile);
  data.add_options(command);
}

Result<OutputErrorReport> measure_output_error(const OutputErrorOptions& options,
                                               const NetworkBytes& original,
                                               const NetworkBytes& changed) {
  const auto path = find_tflite(options.tflite_library);
  if (!path) return nothing_measured(path.error().message);
  const auto library = TfliteLibrary::load(*path);
  if (!library) return tl::unexpected(library.error());
  const auto before = open(original, *library);
  if (!before) return nothing_measured(before.error().message);
  const auto after = open(changed, *library);
  if (!after) return tl::unexpected(after.error());
  const auto samples = open_samples((*before)->graph(), options.data);
  if (!samples) return tl::unexpected(samples.error());
  const auto comparison =
      quantization::compare_models(**before, **after, *samples, {.outputs_only = true});
  if (!comparison) return tl::unexpected(comparison.error());
  return report_of(*comparison, (*before)->graph());
}

void OutputErrorReport::print() const {
  if (!not_measured.empty()) {
    fmt::print("\nThe error of the outputs was not measured: {}\n", not_measured);
    return;
  }
  Table table({{.title = "output"},
               {.title = "largest error", .align = Align::kRight},
               {.title = "mean error", .align = Align::kRight},
               {.title = "both in steps", .align = Align::kRight},
               {.title = "SQNR dB", .align = Align::kRight},
               {.title = "same class", .align = Align::kRight}});
  for (const OutputError& output : outputs) {
    const double largest = output.error.largest_error();
    const double mean = output.error.mean_magnitude();
    table.add_row(
        {output.name, fmt::format("{:.6g}", largest), fmt::format("{:.6g}", mean),
         output.step > 0 ? fmt::format("{:.3g} / {:.3g}", largest / output.step, mean / output.step)
                         : "",
         fmt::format("{:.2f}", output.error.sqnr()),
         output.class_count > 0 ? fmt::format("{:.1f} %", 100 * output.agreement.top1()) : ""});
  }
  fmt::print("\n{}\nagainst the network as it was, both in TFLite, on {} {}\n", table.to_string(),
             samples, samples == 1 ? "input" : "inputs");
}

nlohmann::json OutputErrorReport::to_json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const OutputError& output : outputs) {
    nlohmann::json entry = {{"output", output.name},
                            {"step", output.step},
                            {"elements", output.error.elements()},
                            {"incomparable_elements", output.error.incomparable()},
                            {"largest_error", output.error.largest_error()},
                            {"mean_error", output.error.mean_magnitude()},
                            {"sqnr", nullptr}};
    // JSON has no infinity.
    if (std::isfinite(output.error.sqnr())) entry["sqnr"] = output.error.sqnr();
    if (output.class_count > 0) entry["top1"] = output.agreement.top1();
    list.push_back(std::move(entry));
  }
  return {{"samples", samples}, {"not_measured", not_measured}, {"outputs", std::move(list)}};
}

Result<WrittenNetwork> write_and_measure(const OutputErrorOptions& options,
                                         const NetworkBytes& original,
                                         const graph::EditableModel& changed,
                                         const std::filesystem::path& path) {
  const auto bytes = network_bytes(changed, path);
  if (!bytes) return tl::unexpected(bytes.error());
  auto errors = measure_output_error(options, original, {path.string(), *bytes});
  if (!errors) return tl::unexpected(errors.error());
  if (Status status = write_network_bytes(*bytes, path); !status) {
    return tl::unexpected(status.error());
  }
  return WrittenNetwork{.bytes = bytes->size(), .errors = std::move(*errors)};
}

}  // namespace lockstep::tools
