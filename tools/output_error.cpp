#include "tools/output_error.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "graph/tflite_reader.h"
#include "host_ref/tflite_runtime.h"
#include "quantization/affine.h"
#include "tools/installation.h"
#include "tools/network_inputs.h"
#include "tools/table.h"

namespace lockstep::tools {
namespace {

using host_ref::TfliteInterpreter;
using host_ref::TfliteLibrary;
using quantization::Sample;

constexpr size_t kSeededSamples = 8;

// A network in the engine, and what its file says of it.
struct Engine {
  graph::Graph graph;
  std::unique_ptr<TfliteInterpreter> interpreter;

  const graph::Tensor& input(size_t index) const {
    return graph.tensors[static_cast<size_t>(graph.inputs[index])];
  }
  const graph::Tensor& output(size_t index) const {
    return graph.tensors[static_cast<size_t>(graph.outputs[index])];
  }
};

Result<Engine> start(const std::shared_ptr<const TfliteLibrary>& library,
                     const NetworkBytes& network) {
  Engine engine;
  auto graph = graph::read_tflite(network.bytes, network.name);
  if (!graph) return tl::unexpected(graph.error());
  engine.graph = std::move(*graph);
  auto interpreter = TfliteInterpreter::create(library, network.bytes, {});
  if (!interpreter) {
    return make_error(interpreter.error().code, "{}: {}", network.name,
                      interpreter.error().message);
  }
  engine.interpreter = std::move(*interpreter);
  return engine;
}

Status run(const Engine& engine, const Sample& sample) {
  for (size_t i = 0; i < sample.size(); ++i) {
    if (Status status = engine.interpreter->set_input(i, sample[i]); !status) return status;
  }
  return engine.interpreter->invoke();
}

// The same real values for a network whose 8-bit inputs may have the other sign.
Sample sample_for(const Engine& changed, const Engine& original, const Sample& sample) {
  Sample result = sample;
  for (size_t i = 0; i < result.size(); ++i) {
    if (changed.input(i).type == original.input(i).type) continue;
    for (std::byte& value : result[i]) value ^= std::byte{0x80};
  }
  return result;
}

bool are_same_but_for_sign(const graph::Tensor& a, const graph::Tensor& b) {
  const auto is_8_bit = [](graph::DataType type) {
    return type == graph::DataType::kInt8 || type == graph::DataType::kUint8;
  };
  return a.shape == b.shape && (a.type == b.type || (is_8_bit(a.type) && is_8_bit(b.type)));
}

Status check_borders(const Engine& original, const Engine& changed) {
  const bool counts_agree = original.graph.inputs.size() == changed.graph.inputs.size() &&
                            original.graph.outputs.size() == changed.graph.outputs.size();
  bool inputs_agree = counts_agree;
  for (size_t i = 0; inputs_agree && i < original.graph.inputs.size(); ++i) {
    inputs_agree = are_same_but_for_sign(original.input(i), changed.input(i));
  }
  if (inputs_agree) return {};
  return make_error(ErrorCode::kInvalidArgument,
                    "'{}' and '{}' do not have the same inputs and outputs", original.graph.name,
                    changed.graph.name);
}

// The values of an output after a run; its extents may be known only then.
Result<std::vector<float>> output_values_of(const Engine& engine, size_t index) {
  const auto view = engine.interpreter->output(index);
  graph::Tensor tensor = engine.output(index);
  tensor.shape = view.shape;
  return quantization::real_values(tensor, view.data);
}

// Sums over all samples.
struct Sums {
  double error = 0;
  double squared_error = 0;
  double squared_signal = 0;
};

Status accumulate(const Engine& original, const Engine& changed, size_t index, OutputError& result,
                  Sums& sums) {
  const auto expected = output_values_of(original, index);
  if (!expected) return tl::unexpected(expected.error());
  const auto actual = output_values_of(changed, index);
  if (!actual) return tl::unexpected(actual.error());
  if (expected->size() != actual->size()) {
    return make_error(ErrorCode::kInvalidArgument, "output '{}' has {} elements, and had {}",
                      graph::printable(result.name), actual->size(), expected->size());
  }
  for (size_t i = 0; i < expected->size(); ++i) {
    const double signal = (*expected)[i];
    const double error = std::abs(signal - double{(*actual)[i]});
    result.largest = std::isnan(error) ? std::numeric_limits<double>::infinity()
                                       : std::max(result.largest, error);
    sums.error += error;
    sums.squared_error += error * error;
    sums.squared_signal += signal * signal;
  }
  result.elements += static_cast<int64_t>(expected->size());
  return {};
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

Result<std::vector<OutputError>> compare(const Engine& before, const Engine& after,
                                         const quantization::SampleSource& samples) {
  std::vector<OutputError> errors(before.graph.outputs.size());
  std::vector<Sums> sums(errors.size());
  for (size_t i = 0; i < errors.size(); ++i) {
    errors[i].name = before.output(i).name;
    const auto& scales = before.output(i).quantization.scales;
    errors[i].step = scales.size() == 1 ? double{scales.front()} : 0.0;
  }
  for (size_t i = 0; i < samples.count; ++i) {
    const auto sample = samples.read(i);
    if (!sample) return tl::unexpected(sample.error());
    if (Status status = run(before, *sample); !status) return tl::unexpected(status.error());
    if (Status status = run(after, sample_for(after, before, *sample)); !status) {
      return tl::unexpected(status.error());
    }
    for (size_t output = 0; output < errors.size(); ++output) {
      const auto status = accumulate(before, after, output, errors[output], sums[output]);
      if (!status) return tl::unexpected(status.error());
    }
  }
  for (size_t i = 0; i < errors.size(); ++i) {
    const auto elements = static_cast<double>(std::max<int64_t>(errors[i].elements, 1));
    errors[i].mean = sums[i].error / elements;
    errors[i].signal_to_noise =
        sums[i].squared_error > 0
            ? 10.0 * std::log10(sums[i].squared_signal / sums[i].squared_error)
            : std::numeric_limits<double>::infinity();
  }
  return errors;
}

OutputErrorReport nothing_measured(std::string reason) {
  OutputErrorReport report;
  report.not_measured = std::move(reason);
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
  const auto before = start(*library, original);
  if (!before) return nothing_measured(before.error().message);
  const auto after = start(*library, changed);
  if (!after) return tl::unexpected(after.error());
  if (Status status = check_borders(*before, *after); !status) {
    return tl::unexpected(status.error());
  }
  const auto samples = open_samples(before->graph, options.data);
  if (!samples) return tl::unexpected(samples.error());
  auto outputs = compare(*before, *after, *samples);
  if (!outputs) return tl::unexpected(outputs.error());
  OutputErrorReport report;
  report.outputs = std::move(*outputs);
  report.samples = samples->count;
  return report;
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
               {.title = "SQNR dB", .align = Align::kRight}});
  for (const OutputError& error : outputs) {
    table.add_row(
        {error.name, fmt::format("{:.6g}", error.largest), fmt::format("{:.6g}", error.mean),
         error.step > 0
             ? fmt::format("{:.3g} / {:.3g}", error.largest / error.step, error.mean / error.step)
             : "",
         fmt::format("{:.2f}", error.signal_to_noise)});
  }
  fmt::print("\n{}\nagainst the network as it was, both in TFLite, on {} {}\n", table.to_string(),
             samples, samples == 1 ? "input" : "inputs");
}

nlohmann::json OutputErrorReport::to_json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const OutputError& error : outputs) {
    // JSON has no infinity: no noise at all is null.
    const auto finite = [](double value) {
      return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
    };
    list.push_back({{"output", error.name},
                    {"step", error.step},
                    {"elements", error.elements},
                    {"largest", finite(error.largest)},
                    {"mean", finite(error.mean)},
                    {"signal_to_noise_decibels", finite(error.signal_to_noise)}});
  }
  return {{"samples", samples}, {"not_measured", not_measured}, {"outputs", std::move(list)}};
}

}  // namespace lockstep::tools
